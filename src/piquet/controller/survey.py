# SPDX-License-Identifier: GPL-3.0-or-later
"""A survey as it reaches the controller: the host's clock against ours, and a summary for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from piquet.controller.clock import proven_skew_s
from piquet.findings import as_text, by_weight
from piquet.fleet.model import ServerFacts
from piquet.fleet.sites import counted
from piquet.fleet.surveyed_server import Part, parts_of
from piquet.plan.gates.server import BROKEN, server_findings
from piquet.printable import in_one_line
from piquet.protocol.findings import Finding
from piquet.servers.configured_server import ConfiguredServer
from piquet.servers.registry import SERVERS

Kind = ConfiguredServer[Any]


def with_skew(survey: Mapping[str, Any], sent_at: float, received_at: float) -> dict[str, Any]:
    """The survey as it is kept on the controller: the agent's document and `skew_s`.

    The host read its clock (`at`) before the time that the survey itself took, up to its status' `now`.
    """
    at = float(survey["at"])
    took_s = max(0.0, float((survey.get("status") or {}).get("now", at)) - at)
    return {**survey, "skew_s": proven_skew_s(at, sent_at, max(sent_at, received_at - took_s))}


def survey_text(host: str, survey: Mapping[str, Any], ways: Mapping[str, str] | None = None) -> str:
    """What a person wants to know of a surveyed host: system, servers, sites, hooks, findings.

    Args:
        host: inventory name.
        survey: of the host.
        ways: the inventory's word for the way of each server, by its variable.
    """
    system = survey.get("os") or {}
    lines = [
        f"{host}: {system.get('id', '?')} {system.get('version', '?')}, {survey.get('init', '?')}, "
        f"Python {survey.get('python', '?')}, clock {survey.get('skew_s', 0.0):+.1f} s, "
        f"{survey.get('timezone', '?')}"
    ]
    lines = [in_one_line(line) for line in lines]
    there = [(kind, part) for kind, part in parts_of(survey, SERVERS) if part]
    lines += [_server_line(kind, part, ways or {}) for kind, part in there]
    if not there:
        lines.append(f"  {' and '.join(f'no {kind.title}' for kind in SERVERS.values())} found")
    if caches := survey.get("caches"):
        lines.append(in_one_line(f"  caches: {', '.join(map(str, caches))}"))
    findings = by_weight(survey_findings(host, survey, ways or {}))
    return "\n".join([*lines, *("  " + as_text(f).replace("\n", "\n  ") for f in findings)])


def survey_findings(
    host: str, survey: Mapping[str, Any], ways: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """What the host could not read, and what the same gates as in a plan say of its servers, each in its own way.

    A server that is installed and does not run is told of only where none runs: it serves nobody.
    """
    yield from (Finding.from_json(record) for record in survey.get("findings") or ())
    parts = [(kind, part) for kind, part in parts_of(survey, SERVERS) if part]
    is_served = any(part.get("running") for _, part in parts)
    for kind, part in parts:
        if facts := _facts(kind, part):
            if facts.running or not is_served:
                facts = replace(facts, variant=kind.variant(ways or {}, facts))
                yield from server_findings(kind, host, facts, is_planned=False)
        else:
            message = f"what it says of {kind.name} is not in the agreed form, so nothing of it was judged"
            hint = "survey it again with this version of piquet"
            yield Finding("warning", "not-judged", host, message, hint=hint)


def is_broken(host: str, survey: Mapping[str, Any]) -> bool:
    """Whether a server that runs would refuse its own configuration: no verb of ours can go on there."""
    return any(finding.code == BROKEN for finding in survey_findings(host, survey))


def _facts(kind: Kind, part: Part | None) -> ServerFacts | None:
    """What a survey says of a server; None if that is not whole."""
    try:
        facts: ServerFacts = kind.facts(part or {})
        return facts
    except (KeyError, TypeError):
        return None


def _server_line(kind: Kind, part: Part, ways: Mapping[str, str]) -> str:
    """One line on one web server: version, is it running, does its test pass, sites, hooks."""
    vhosts = part.get(kind.vhosts) or ()
    names = {site for vhost in vhosts for site in vhost.get("names") or ()}
    parts = [
        f"{kind.name} {part.get('version', '?')}",
        "running" if part.get("running") else "NOT running" if names else "installed, not running",
        "test passes" if (part.get("test") or {}).get("ok") else "test FAILS",
        counted(len(vhosts), "virtual host"),
        counted(len(names), "name"),
    ]
    if kind.has_hook:
        parts.append(f"{sum(1 for vhost in vhosts if vhost.get('hooked'))} hooked")
    return "  " + in_one_line(", ".join([*parts, *_way_lines(kind, part, ways)]))


def _way_lines(kind: Kind, part: Part, ways: Mapping[str, str]) -> list[str]:
    """The way of a server, as the inventory chooses or leaves it open; none if the survey is not whole."""
    facts = _facts(kind, part)
    return [kind.ways[kind.variant(ways, facts)]] if facts else []
