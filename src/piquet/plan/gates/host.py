# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host tells: its survey, its schedule, its servers, and what else the survey found.

No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from piquet.answers import BUILT_IN_DOORS
from piquet.campaign.model import Campaign
from piquet.fleet.model import Host, ServerFacts
from piquet.fleet.read import NOT_SERVED
from piquet.fleet.surveyed_server import kind_named
from piquet.plan.gates.server import server_findings
from piquet.plan.gates.tiers import tier_findings
from piquet.plan.judged_server import JudgedKinds
from piquet.plan.model import HostPlan
from piquet.protocol.clock import clock_skew
from piquet.protocol.findings import Finding

SURVEY_MAX_SKEW_S = 2.0
MAX_SURVEY_AGE = timedelta(hours=24)
_SURVEY_AGAIN = "piquet survey -i INVENTORY"


def host_findings(
    campaign: Campaign, kinds: JudgedKinds, host: Host, host_plan: HostPlan, at: datetime
) -> Iterator[Finding]:
    """What one host tells: the gates if it shows something, its servers, and what else its survey found.

    What is said of the campaign's own sites is not said again of the server or by the survey.
    """
    spoken: set[str] = set()
    for told in (
        _gate_findings(campaign, kinds, host, host_plan, at),
        _server_findings(kinds, host, host_plan),
        (_weighed_finding(finding, host, host_plan) for finding in host.findings),
    ):
        found = [finding for finding in told if finding.code not in spoken]
        yield from found
        spoken |= {finding.code for finding in found}


def _server_findings(kinds: JudgedKinds, host: Host, host_plan: HostPlan) -> Iterator[Finding]:
    """What servers that show something tell by themselves."""
    for server in _shown_servers(host, host_plan):
        yield from server_findings(kind_named(kinds, server.provider), host.name, server)


def _weighed_finding(finding: Finding, host: Host, host_plan: HostPlan) -> Finding:
    """A survey's error is a warning where the plan touches nothing: on an idle host, in an idle server."""
    shown = {entry.provider for entry in host_plan.entries}
    idle = {f"{host.name}:{server.provider}" for server in host.servers if server.provider not in shown}
    is_idle = finding.subject in idle or (not shown and finding.code != NOT_SERVED)
    return replace(finding, severity="warning") if is_idle and finding.severity == "error" else finding


def _gate_findings(
    campaign: Campaign, kinds: JudgedKinds, host: Host, host_plan: HostPlan, at: datetime
) -> Iterator[Finding]:
    if host.surveyed_at is None:
        message = "this host has not been surveyed, so nobody knows what it serves"
        yield Finding("error", "no-survey", host.name, message, hint=_SURVEY_AGAIN)
    if not host_plan.entries:
        return
    yield from _survey_findings(host, at)
    yield from _scheduler_findings(host)
    yield from _health_findings(campaign, host)
    yield from _suspected_balancers(campaign, host)
    yield from tier_findings(campaign, host, host_plan)
    for server in _shown_servers(host, host_plan):
        shown = {n for e in host_plan.entries if e.provider == server.provider for n in e.phases}
        yield from kind_named(kinds, server.provider).plan_findings(campaign, host, host_plan, shown, server)


def _shown_servers(host: Host, host_plan: HostPlan) -> Iterator[ServerFacts]:
    """Those that show something."""
    shown = {entry.provider for entry in host_plan.entries}
    yield from (server for server in host.servers if server.provider in shown)


def _survey_findings(host: Host, at: datetime) -> Iterator[Finding]:
    hint = _SURVEY_AGAIN
    if host.surveyed_at is not None and at - host.surveyed_at > MAX_SURVEY_AGE:
        hours = (at - host.surveyed_at) // timedelta(hours=1)
        yield Finding("warning", "survey-old", host.name, f"its survey is {hours} hours old", hint=hint)
    if host.clock_skew_s is None:
        yield Finding("warning", "clock-unknown", host.name, "nobody compared its clock with ours", hint=hint)
    elif abs(host.clock_skew_s) > SURVEY_MAX_SKEW_S:
        yield clock_skew(host.name, host.clock_skew_s, SURVEY_MAX_SKEW_S)


def _scheduler_findings(host: Host) -> Iterator[Finding]:
    """Without systemd as process 1 its timers cannot be staged; a cron that is stopped can be started until arm."""
    if host.is_scheduler_there is not False:
        return
    if host.scheduler == "systemd":
        message, hint = "this host was not booted with systemd", "set piquet_scheduler to auto or cron for it"
        yield Finding("error", "no-systemd", host.name, message, "cron", "piquet_scheduler: systemd", hint)
    else:
        message = "no cron that reads /etc/cron.d runs on this host, and arm refuses a host without one"
        hint = "have its owner start cron, also at boot"
        yield Finding("warning", "cron-not-running", host.name, message, "cron or crond running", hint=hint)


def _health_findings(campaign: Campaign, host: Host) -> Iterator[Finding]:
    """An occupied path that the host's balancer asks would stay as usual there."""
    below = tuple(f"{door.removesuffix('/')}/" for door in host.health_paths)
    for phase in campaign.phases:
        for path in (path for path in phase.paths if path in host.health_paths or path.startswith(below)):
            message = f"phase {phase.number} occupies {path}, which a load balancer asks of this host"
            hint = "have the balancer ask a path of its own, and name that in `piquet_health_paths`"
            yield Finding(
                "error", "health-path-occupied", host.name, message, "a path of its own", path, hint
            )


def _suspected_balancers(campaign: Campaign, host: Host) -> Iterator[Finding]:
    """What looks like a load balancer's question in the access logs, and would be answered 503 in a block."""
    open_paths = (*BUILT_IN_DOORS, *campaign.doors.paths, *(f"{path}/" for path in host.health_paths))
    if not any(phase.mode == "block" for phase in campaign.phases):
        return
    for check in host.health_checks:
        if check.path in host.health_paths or check.path.startswith(open_paths):
            continue
        message = f"its access log looks as if a load balancer asked for {check.path}, which a block answers with 503"
        got = f"{check.count} requests by {check.agent}; whoever visits a site can write such lines"
        hint = (
            "if one does, have it ask a path of its own and name that in `piquet_health_paths`, or have it take the "
            "strike page for healthy (HAProxy: `http-check expect status 200,503`)"
            if check.path == "/"
            else f"if one does: `piquet_health_paths: [{check.path}]` for this host keeps it open"
        )
        yield Finding("warning", "health-check-suspected", host.name, message, got=got, hint=hint)
