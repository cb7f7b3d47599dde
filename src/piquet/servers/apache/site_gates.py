# SPDX-License-Identifier: GPL-3.0-or-later
"""What an Apache does before ours or with ours, by rules and by Lua. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from piquet.fleet.model import Provider
from piquet.plan.gates.words import some
from piquet.plan.model import HostPlan
from piquet.protocol.entries import match_site
from piquet.protocol.findings import Finding
from piquet.servers.apache.facts import ApacheFacts

BROKEN_CONDITIONS: Mapping[str, str] = {"2.4.64": "CVE-2025-54090: every RewriteCond expr is true"}
"""Version → why no rule of ours may stand in it. Whatever a distribution has mended under that number, nobody can tell
from outside. Source: httpd.apache.org/security/vulnerabilities_24.html: 2.4.64 only, mended in 2.4.65."""
_BY_LUA = "set piquet_apache to lua"


def apache_site_findings(host_plan: HostPlan, server: ApacheFacts) -> Iterator[Finding]:
    """All of them for what the host's plan shows."""
    if not server.is_by_lua:
        yield from _broken_conditions(host_plan.host, server)
        yield from _filter_findings(host_plan, server)
    if names := shown_of(host_plan, server.provider, server.https_first):
        message = "mod_md sends plain requests to https before anything of ours: their http is not on strike"
        hint = "have their owner set MDRequireHttps off until the end; their https shows what it must"
        yield Finding("warning", "https-first", host_plan.host, message, "off", some(names), hint)


def _broken_conditions(host: str, server: ApacheFacts) -> Iterator[Finding]:
    """Rules would answer every request of every site from the moment they are staged."""
    version = server.version.partition(" ")[0]
    if why := BROKEN_CONDITIONS.get(version):
        message = f"rules of ours would act on every request of this Apache ({why})"
        hint = f"have its owner upgrade it, or {_BY_LUA}"
        yield Finding("error", "conditions-broken", host, message, "any other version", version, hint)


def _filter_findings(host_plan: HostPlan, server: ApacheFacts) -> Iterator[Finding]:
    """A 503 by rules passes the filters of mod_security2; what the quick handler of Lua answers does not."""
    names = shown_of(host_plan, server.provider, server.filtered)
    hint = f"{_BY_LUA}; verify --before cannot see it, only verify --during can"
    if names and server.filtered_strictly:
        message = "mod_security2 has rules that make a 403 of our 503 (core rule set above level 1)"
        got, refused = some(names), tuple(names)
        yield Finding(
            "error", "answers-filtered", host_plan.host, message, "SecRuleEngine Off", got, hint, refused
        )
    elif names:
        message, got = "mod_security2 judges what rules answer and may make a 403 of our 503", some(names)
        yield Finding("warning", "answers-filtered", host_plan.host, message, "SecRuleEngine Off", got, hint)


def shown_of(host_plan: HostPlan, provider: Provider, some: Set[str]) -> list[str]:
    """Those of an Apache's sites in the campaign that belong to some virtual hosts; all of them for `*`."""
    shown, known = [e.name for e in host_plan.entries if e.provider == provider], {*host_plan.known, *some}
    return sorted(name for name in shown if "*" in some or match_site(name, known) in some)
