# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of single sites of nginx, each with file and line. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from piquet.campaign.matching import match_site
from piquet.fleet.model import Host, Inherited, ServerFacts, Site
from piquet.fleet.nginx_inherited import SYMLINKS_DIRECTIVE, is_known, stands_in_the_way
from piquet.plan.gates.words import some
from piquet.plan.model import HostPlan
from piquet.protocol.findings import Finding

_BY_LUA = "set piquet_nginx to lua where that module is loaded, or leave these sites out"
_LOOK = "rehearse it, and look with piquet verify --during"
_MEANS = {
    SYMLINKS_DIRECTIVE: (
        "disable-symlinks",
        "`disable_symlinks` keeps nginx from seeing a flag, which lies behind a link of root's",
        f"have the owner set it to if_not_owner, {_BY_LUA}",
    ),
    "answers": (
        "inherited-answers",
        "`{name}` would answer in the place of our page, and cannot be switched off there",
        f"have the owner move it into a location, {_BY_LUA}",
    ),
    "unknown": (
        "inherited-unknown",
        "`{name}` is of a module that we do not know: it may answer in the place of our page, or change it",
        f"try it out and name it in piquet_nginx_harmless, {_BY_LUA}",
    ),
}


def nginx_findings(host: Host, host_plan: HostPlan, server: ServerFacts) -> Iterator[Finding]:
    """Sites that inherit what cannot be switched off or judged: errors by the include line, by Lua to be known."""
    found: dict[str, dict[str, str]] = {}
    for name, site in _shown(host, host_plan):
        for one in site.inherited:
            if stands_in_the_way(one, server.variant) or not is_known(one.name):
                found.setdefault(one.name, {})[name] = one.place
    for name, places in sorted(found.items()):
        yield _finding(host.name, server, name, places)


def _shown(host: Host, host_plan: HostPlan) -> Iterator[tuple[str, Site]]:
    """Names that show something, each with the site that serves it."""
    served = {site.name: site for site in host.sites if site.provider == "nginx"}
    for entry in host_plan.entries:
        above = match_site(entry.name, served.keys()) if entry.provider == "nginx" else None
        if above:
            yield entry.name, served[above]


def _finding(host: str, server: ServerFacts, name: str, places: dict[str, str]) -> Finding:
    what = name if name in _MEANS else ("answers" if is_known(name) else "unknown")
    code, message, hint = _MEANS[what]
    stops = stands_in_the_way(Inherited(name, ""), server.variant)
    names = sorted(places)
    return Finding(
        "error" if stops else "warning",
        code,
        host,
        message.format(name=name),
        got=some([f"{site} ({places[site]})" for site in names]),
        hint=hint if stops else _LOOK,
        sites=tuple(names) if stops else (),
    )
