# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of single sites of nginx, each with file and line. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from piquet.fleet.model import Host, Inherited, Site
from piquet.plan.gates.words import sites, some
from piquet.plan.model import HostPlan
from piquet.protocol.entries import match_site
from piquet.protocol.findings import Finding, Severity
from piquet.servers.nginx.facts import NginxFacts
from piquet.servers.nginx.inherited import SYMLINKS_DIRECTIVE, is_known, stands_in_the_way

MAX_LAG_S = 10
"""For so long a flag that is gone may be seen before somebody has to have agreed to it."""
_HOOK = "piquet hook -i INVENTORY"
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


def nginx_site_findings(host: Host, host_plan: HostPlan, server: NginxFacts) -> Iterator[Finding]:
    """All of them for what the host's plan shows."""
    shown = dict(_shown_sites(host, host_plan))
    if server.needs_hook:
        yield from _unhooked_findings(host, shown)
        yield from _late_release(host, shown)
    yield from _inherited_findings(host, server, shown)


def _unhooked_findings(host: Host, shown: Mapping[str, Site]) -> Iterator[Finding]:
    missing = sorted(name for name, site in shown.items() if not site.hooked)
    if missing:
        message = f"the nginx server blocks of {sites(missing)} have no hook line"
        hint = _HOOK
        yield Finding(
            "error", "not-hooked", host.name, message, "the include line first", some(missing), hint
        )


def _late_release(host: Host, shown: Mapping[str, Site]) -> Iterator[Finding]:
    """Where nginx may go on seeing a flag that is gone, a stop by hand is late until a reload; by Lua it is not."""
    late = {name: site.flag_lag_s for name, site in shown.items() if site.flag_lag_s}
    if not late:
        return
    longest_s, names = max(late.values()), sorted(late)
    message = f"open_file_cache hides from nginx that the flag of {sites(names)} is gone, until a reload"
    hint = (
        "have its owner shorten open_file_cache_valid, set piquet_nginx to lua, leave these sites out, or set "
        "piquet_late_release to accept: the printed line then takes effect with the reload, within a minute"
    )
    got = f"{longest_s} s: {some(names)}"
    is_agreed = longest_s <= MAX_LAG_S or host.accepts_late_release
    weight: Severity = "warning" if is_agreed else "error"
    yield Finding(weight, "open-file-cache", host.name, message, f"at most {MAX_LAG_S} s", got, hint)


def _inherited_findings(host: Host, server: NginxFacts, shown: Mapping[str, Site]) -> Iterator[Finding]:
    """Sites that inherit what cannot be switched off or judged: errors by the include line, by Lua to be known."""
    found: dict[str, dict[str, str]] = {}
    for name, site in shown.items():
        for one in site.inherited:
            if stands_in_the_way(one, server.variant) or not is_known(one.name):
                found.setdefault(one.name, {})[name] = one.place
    for name, places in sorted(found.items()):
        yield _finding(host.name, server, name, places)


def _shown_sites(host: Host, host_plan: HostPlan) -> Iterator[tuple[str, Site]]:
    """Names that show something, each with the site that serves it."""
    served = {site.name: site for site in host.sites if site.provider == "nginx"}
    for entry in host_plan.entries:
        above = match_site(entry.name, served.keys()) if entry.provider == "nginx" else None
        if above:
            yield entry.name, served[above]


def _finding(host: str, server: NginxFacts, name: str, places: dict[str, str]) -> Finding:
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
