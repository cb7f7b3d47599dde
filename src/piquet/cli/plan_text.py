# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from piquet.campaign.spoken import window_lines
from piquet.cli.hosts import as_typed
from piquet.controller.prepare import Prepared
from piquet.findings import as_texts
from piquet.fleet.sites import sites_on_hosts
from piquet.plan import HostPlan, Plan
from piquet.plan.selection import NOT_NAMED
from piquet.printable import printable

_SHOWN = 8


def print_plan(
    plan: Plan, prepared: Prepared | None, show_all: bool, at: datetime, *, show_windows: bool = True
) -> None:
    """Windows, hosts with their sites, findings and digest on standard output; errors are for whoever refuses."""
    console = Console(highlight=False, markup=False, soft_wrap=not Console().is_terminal)
    if show_windows:
        console.print("\n".join([plan.campaign.name, *window_lines(plan.campaign, at)]) + "\n")
    console.print(_hosts(plan, show_all))
    for line in _usual_site_lines(plan, show_all):
        console.print(line)
    for text in as_texts(finding for finding in plan.findings if finding.severity != "error"):
        console.print(f"\n{as_typed(text)}")
    what = sites_on_hosts((host.host, entry.name) for host in plan.hosts for entry in host.entries)
    console.print(f"\n{plan.campaign.name}: {what}")
    for line in prepared.mandate.lines() if prepared else ():
        console.print(printable(line))
    console.print(f"digest {prepared.digest}" if prepared else "no digest: this plan is refused\n")


def as_json(plan: Plan, prepared: Prepared | None) -> str:
    """The same for programs; `digest` and `decision` are null if the plan is refused. Instants are RFC 3339 in UTC."""
    value = {
        "campaign": plan.campaign.name,
        "timezone": plan.campaign.timezone,
        "digest": prepared.digest if prepared else None,
        "decision": prepared.mandate.to_json() if prepared else None,
        "phases": [
            {"number": phase.number, "mode": phase.mode, "start": phase.start_at.isoformat()}
            | {"end": phase.end_at.isoformat()}
            for phase in plan.campaign.phases
        ],
        "hosts": [_host_json(host) for host in plan.hosts],
        "findings": [finding.to_json() for finding in plan.findings],
    }
    return json.dumps(value, ensure_ascii=False, indent=2)


def _hosts(plan: Plan, show_all: bool) -> Table:
    table = Table("host", "server", "schedule", "phases", "sites", "names")
    for host in plan.hosts:
        variants = {str(s.provider): f"{s.provider}, {s.variant}" for s in host.providers}
        groups: dict[tuple[str, tuple[int, ...]], list[str]] = {}
        for entry in host.entries:
            groups.setdefault((entry.provider, entry.phases), []).append(entry.name)
        for (provider, phases), names in sorted(groups.items()):
            count = str(len(names))
            shown, numbers = _names(names, show_all), ", ".join(map(str, phases))
            table.add_row(host.host, variants[provider], host.scheduler, numbers, count, shown)
        if not groups:
            table.add_row(host.host, "-", "-", "-", "0", "nothing of the campaign")
    return table


def _usual_site_lines(plan: Plan, show_all: bool) -> Iterator[str]:
    """Sites that show nothing on any host, by reason, the most frequent last: what is rare has to be seen."""
    chosen = {entry.name for host in plan.hosts for entry in host.entries}
    reasons: dict[str, str] = {}
    for site in sorted(site for host in plan.hosts for site in host.usual if site.name not in chosen):
        # where another host has a better reason, it is that one
        if reasons.get(site.name, NOT_NAMED) == NOT_NAMED:
            reasons[site.name] = site.reason
    if reasons:
        yield f"\n{len(reasons)} {'site stays' if len(reasons) == 1 else 'sites stay'} as usual:"
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        groups.setdefault(reason, []).append(name)
    for reason, names in sorted(groups.items(), key=lambda group: (len(group[1]), group[0])):
        shown = names if show_all else names[:_SHOWN]
        more = f" … and {len(names) - len(shown)} more (--all)" if len(names) > len(shown) else ""
        yield f"  {reason}: {', '.join(shown)}{more}"


def _names(names: list[str], show_all: bool) -> str:
    shown = names if show_all else names[:_SHOWN]
    more = [f"… and {len(names) - len(shown)} more (--all)"] if len(names) > len(shown) else []
    return "\n".join([*shown, *more])


def _host_json(host: HostPlan) -> dict[str, Any]:
    entries = [
        {"name": entry.name, "provider": entry.provider, "phases": list(entry.phases)}
        for entry in host.entries
    ]
    variants = {server.provider: server.variant for server in host.providers}
    about = {"host": host.host, "address": host.address, "scheduler": host.scheduler, "variants": variants}
    return {**about, "entries": entries, "as_usual": [vars(site) for site in host.usual]}
