# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory may choose for a host, and what `auto` means: the schedule, and each server's way.

No file, no network, no clock.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from piquet.campaign.document import shown
from piquet.errors import Problem
from piquet.fleet.model import Provider, Scheduler, ServerFacts, Variant
from piquet.protocol.modules import EARLY_LUA

CHOICES: Mapping[str, tuple[str, ...]] = {
    "piquet_scheduler": ("auto", "systemd", "cron"),
    "piquet_nginx": ("auto", "include", "lua"),
    "piquet_apache": ("auto", "rules", "lua"),
    "piquet_late_release": ("refuse", "accept"),
}
"""Host variable → what it may say; the first is the default."""
PLAIN: Mapping[Provider, Variant] = {"nginx": "include", "apache": "rules"}
"""What needs no Lua module."""

_ALTERING = re.compile(
    r"(?:http|server) (?:sub_filter|subs_filter|add_before_body|add_after_body|header_filter_by_lua|body_filter_by_lua"
    r"|limit_rate|add_trailer|more_headers:.+)"
)
_KEEPING = re.compile(r"(?:http|server) (?:expires|(?:add_header|more_set_headers):(?!vary$).+)")
"""nginx: what would tell caches to keep an answer of ours; of headers, surveys name no others but `Vary`."""
_VARYING = re.compile(r"(?:http|server) (?:gzip_vary|(?:add_header|more_set_headers):vary)")
"""nginx: what would put another name beside the star of our `Vary`."""
_WHAT = {
    "piquet_scheduler": ("is no schedule", "systemd where it runs, else cron"),
    "piquet_nginx": ("is no way to speak to nginx", "lua where its module is loaded and free, else include"),
    "piquet_apache": ("is no way to speak to Apache", "lua where its module is loaded, else rules"),
    "piquet_late_release": ("is no answer to a release that is seen late", "refuse above 10 s"),
}


def problems(host: str, variables: Mapping[str, Any]) -> Iterator[Problem]:
    """Every variable of a host that says something else than it may."""
    for name, allowed in CHOICES.items():
        value = variables.get(name, allowed[0])
        if value not in allowed:
            close = difflib.get_close_matches(str(value), allowed, 1)
            what, auto = _WHAT[name]
            hint = f"did you mean {close[0]}?" if close else f"leave it out for {allowed[0]}: {auto}"
            yield Problem(host, 0, 0, f"`{name}` {what}", ", ".join(allowed), shown(value), hint)


def scheduler(variables: Mapping[str, Any], survey: Mapping[str, Any]) -> tuple[Scheduler, bool | None]:
    """The host's schedule, and whether it is at work there; what a survey does not say is not known.

    Raises:
        TypeError: the survey says it in another form.
    """
    wanted = variables.get("piquet_scheduler", "auto")
    init, cron = survey.get("init"), survey.get("cron")
    if not isinstance(init, str | None) or not isinstance(cron, bool | None):
        raise TypeError(f"init {init!r}, cron {cron!r}")
    is_systemd = init in ("systemd", None)
    if wanted == "systemd" or (wanted == "auto" and is_systemd):
        return "systemd", None if init is None else is_systemd
    return "cron", cron


def accepts_late_release(variables: Mapping[str, Any]) -> bool:
    """Whether the inventory takes it that on this host a flag that is gone is seen late."""
    return variables.get("piquet_late_release") == "accept"


def variant(variables: Mapping[str, Any], server: ServerFacts) -> Variant:
    """The way of a server: the inventory's word, else Lua where it is loaded and nothing is against it."""
    wanted = variables.get(f"piquet_{server.provider}", "auto")
    plain = PLAIN[server.provider]
    if wanted == "auto":
        return "lua" if server.has_lua and not _speaks_against_lua(server) else plain
    return "lua" if wanted == "lua" else plain


def _speaks_against_lua(server: ServerFacts) -> bool:
    """Where the owner's Lua or filters are in the way, or where Apache would need a state for each request."""
    return bool(is_taken(server) or altering(server) or server.has_own_lua)


def altering(server: ServerFacts) -> frozenset[str]:
    """Directives of the owner's that would change our answers by Lua too, since these have no location of their own."""
    return keeping(server) | varying(server) | _found(_ALTERING, server)


def keeping(server: ServerFacts) -> frozenset[str]:
    """Those of them by which a cache would keep our answers."""
    return _found(_KEEPING, server)


def varying(server: ServerFacts) -> frozenset[str]:
    """Those of them by which our `Vary` would not stand alone."""
    return _found(_VARYING, server)


def _found(pattern: re.Pattern[str], server: ServerFacts) -> frozenset[str]:
    words = (word for word in server.own if pattern.fullmatch(word))
    return frozenset(word.rpartition(" ")[2].replace(":", " ") for word in words)


def is_taken(server: ServerFacts) -> bool:
    """Whether the owner's own Lua stands where ours would have to."""
    return any(name.rpartition(" ")[2] == EARLY_LUA for name in server.own)
