# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modules our own file may load in an Apache: gates say it, and the configuration is written by it.

No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator

from piquet.campaign.model import Campaign
from piquet.servers.apache.facts import ApacheFacts

BANNER_MODULES = ("filter_module", "substitute_module")
"""What puts a banner into a page."""
_OURS_TO_LOAD = frozenset({"lua_module", "substitute_module"})
"""What our own file may load. For mod_filter many an `.htaccess` waits, which no survey sees."""


def loaded_modules(campaign: Campaign, server: ApacheFacts) -> tuple[tuple[str, str], ...]:
    """Those that our own file loads for all modes of a campaign, each with its path."""
    return tuple(
        (name, server.loadable[name])
        for name in _missing_modules(campaign, server)
        if _may_load(name, server)
    )


def lacking_modules(campaign: Campaign, server: ApacheFacts) -> tuple[str, ...]:
    """Those that a banner needs, that are not there, and that our file may not load."""
    missing = (name for name in _missing_modules(campaign, server) if name in BANNER_MODULES)
    return tuple(name for name in missing if not _may_load(name, server))


def _missing_modules(campaign: Campaign, server: ApacheFacts) -> Iterator[str]:
    has_banner = any(phase.mode == "banner" for phase in campaign.phases)
    wanted = (*(("lua_module",) if server.is_by_lua else ()), *(BANNER_MODULES if has_banner else ()))
    yield from (name for name in wanted if name not in server.modules)


def _may_load(name: str, server: ApacheFacts) -> bool:
    """Its file is there, and nobody that could be asked waits for it."""
    return name in _OURS_TO_LOAD and name in server.loadable and name not in server.conditional
