# SPDX-License-Identifier: GPL-3.0-or-later
"""What ours may do in a server, decided once: gates say it, and the configuration is written by it.

Which way a server takes (`ServerFacts.variant`) is the inventory's word, or what `piquet.fleet.choices` makes of
`auto`. No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from piquet.campaign.model import Campaign, Mode
from piquet.fleet.model import ServerFacts
from piquet.protocol.modules import HEADERS_MORE

BANNER_MODULES = ("filter_module", "substitute_module")
"""What Apache puts a banner into a page with."""
_OURS_TO_LOAD = frozenset({"lua_module", "substitute_module"})
"""What our own file may load. For mod_filter many an `.htaccess` waits, which no survey sees."""
_REQUEST_HEADERS = frozenset({"more_set_input_headers", "more_clear_input_headers"})


@dataclass(frozen=True)
class Capabilities:
    """What ours may do in one server for a campaign.

    Attributes:
        loads: Apache, modules that our own file loads, each with its path.
        lacks: Apache, modules that a banner needs, that are not there, and that our file may not load.
        asks_whole: nginx, whether pages can be asked for whole and readable by headers-more.
    """

    loads: tuple[tuple[str, str], ...] = ()
    lacks: tuple[str, ...] = ()
    asks_whole: bool = False


def capabilities(campaign: Campaign, server: ServerFacts) -> Capabilities:
    """Decide it for all modes of a campaign."""
    modes = {phase.mode for phase in campaign.phases}
    if server.provider == "nginx":
        return Capabilities(asks_whole=_may_ask_whole(server))
    missing = [name for name in _wanted(server, modes) if name not in server.modules]
    loads = tuple((name, server.loadable[name]) for name in missing if _may_load(name, server))
    lacks = (name for name in missing if name in BANNER_MODULES and not _may_load(name, server))
    return Capabilities(loads, tuple(lacks))


def _wanted(server: ServerFacts, modes: Set[Mode]) -> tuple[str, ...]:
    lua = ("lua_module",) if server.variant == "lua" else ()
    return (*lua, *(BANNER_MODULES if "banner" in modes else ()))


def _may_load(name: str, server: ServerFacts) -> bool:
    """Its file is there, and nobody that could be asked waits for it."""
    return name in _OURS_TO_LOAD and name in server.loadable and name not in server.conditional


def _may_ask_whole(server: ServerFacts) -> bool:
    """Not beside an owner who uses headers-more for requests too, nor beside Lua that is loaded and not ours.

    What they make of a request's type could be undone: the variable that we read it from remembers its first value.
    """
    is_used = any(word.rpartition(" ")[2] in _REQUEST_HEADERS for word in server.own)
    return server.variant == "include" and HEADERS_MORE in server.modules and not (server.has_lua or is_used)
