# SPDX-License-Identifier: GPL-3.0-or-later
"""A survey as it reaches the controller: the host's clock against ours, and a summary for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from piquet.controller.clock import proven_skew_s
from piquet.findings import as_text, by_weight
from piquet.fleet import choices
from piquet.fleet.model import Provider, ServerFacts, Variant
from piquet.fleet.read import server_facts
from piquet.plan.gates.server import server_findings
from piquet.printable import in_one_line
from piquet.protocol.findings import Finding

_WAYS: Mapping[tuple[Provider, Variant], str] = {
    ("nginx", "include"): "by the include line",
    ("nginx", "lua"): "by Lua, no hook needed",
    ("apache", "rules"): "by rules",
    ("apache", "lua"): "by Lua",
}


def with_skew(survey: Mapping[str, Any], sent_at: float, received_at: float) -> dict[str, Any]:
    """The survey as it is kept on the controller: the agent's document and `skew_s`.

    The host read its clock (`at`) before the time that the survey itself took, up to its status' `now`.
    """
    at = float(survey["at"])
    took_s = max(0.0, float((survey.get("status") or {}).get("now", at)) - at)
    return {**survey, "skew_s": proven_skew_s(at, sent_at, max(sent_at, received_at - took_s))}


def survey_text(host: str, survey: Mapping[str, Any]) -> str:
    """What a person wants to know of a surveyed host: system, servers, sites, hooks, findings."""
    system = survey.get("os") or {}
    lines = [
        f"{host}: {system.get('id', '?')} {system.get('version', '?')}, {survey.get('init', '?')}, "
        f"Python {survey.get('python', '?')}, clock {survey.get('skew_s', 0.0):+.1f} s, "
        f"{survey.get('timezone', '?')}"
    ]
    lines = [in_one_line(line) for line in lines]
    lines += [_server_line(name, survey[name]) for name in ("nginx", "apache") if survey.get(name)]
    if not (survey.get("nginx") or survey.get("apache")):
        lines.append("  no nginx and no Apache found")
    if caches := survey.get("caches"):
        lines.append(in_one_line(f"  caches: {', '.join(map(str, caches))}"))
    findings = by_weight(survey_findings(host, survey))
    return "\n".join([*lines, *("  " + as_text(f).replace("\n", "\n  ") for f in findings)])


def survey_findings(host: str, survey: Mapping[str, Any]) -> Iterator[Finding]:
    """What the host could not read, and what the same gates as in a plan say of its servers."""
    yield from (Finding.from_json(record) for record in survey.get("findings") or ())
    for name in ("nginx", "apache"):
        if facts := _facts(name, survey.get(name)):
            yield from server_findings(host, facts, is_planned=False)
        elif survey.get(name):
            message = f"what it says of {name} is not in the agreed form, so nothing of it was judged"
            hint = "survey it again with this version of piquet"
            yield Finding("warning", "not-judged", host, message, hint=hint)


def _facts(name: str, server: Mapping[str, Any] | None) -> ServerFacts | None:
    """What a survey says of a server; None if that is not whole."""
    try:
        return server_facts("nginx" if name == "nginx" else "apache", server or {})
    except (KeyError, TypeError):
        return None


def _server_line(name: str, server: Mapping[str, Any]) -> str:
    """One line on one web server: version, is it running, does its test pass, sites, hooks."""
    blocks = server.get("blocks") if name == "nginx" else server.get("vhosts")
    names = {site for block in blocks or () for site in block.get("names") or ()}
    parts = [
        f"{name} {server.get('version', '?')}",
        "running" if server.get("running") else "NOT running",
        "test passes" if (server.get("test") or {}).get("ok") else "test FAILS",
        f"{len(blocks or ())} virtual hosts",
        f"{len(names)} names",
    ]
    if name == "nginx":
        hooked = sum(1 for block in blocks or () if block.get("hooked"))
        parts.append(f"{hooked} hooked")
    return "  " + in_one_line(", ".join([*parts, *_proposed(name, server)]))


def _proposed(name: str, server: Mapping[str, Any]) -> list[str]:
    """The way of a server if the inventory leaves it open; none if the survey is not whole."""
    facts = _facts(name, server)
    return [_WAYS[facts.provider, choices.variant({}, facts)]] if facts else []
