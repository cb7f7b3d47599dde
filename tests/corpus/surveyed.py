# SPDX-License-Identifier: GPL-3.0-or-later
"""What piquet's own agent says of a server in a chroot, and what a plan makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from piquet.agent_archive import payload
from piquet.campaign.model import Campaign
from piquet.controller.survey import survey_findings
from piquet.fleet.model import ServerFacts
from piquet.fleet.read import read_fleet
from piquet.plan import make_plan
from piquet.protocol.findings import Finding
from piquet.servers.registry import SERVERS

from .servers import Server

_AGENT = "/tmp/agent.zip"


@dataclass(frozen=True)
class Surveyed:
    """One server as survey and plan see it.

    Attributes:
        facts: what bundles are rendered from.
        survey: code → severity of the survey's findings.
        plan: code → severity of the plan's findings.
        findings: the plan's, whole.
    """

    facts: ServerFacts
    survey: dict[str, str]
    plan: dict[str, str]
    findings: tuple[Finding, ...] = ()


def look(server: Server, campaign: Campaign) -> Surveyed:
    """Run the agent in the chroot, as on a host whose server runs, and plan the campaign over what it found."""
    document = ask_agent(server)
    at = campaign.phases[0].start_at - timedelta(hours=1)
    document[server.provider]["running"] = True
    document |= {"skew_s": 0.0, "at": at.timestamp()}
    fleet = read_fleet({"corpus": {"ansible_host": "192.0.2.1"}}, {"corpus": document}, SERVERS)
    plan = make_plan(campaign, fleet, at, SERVERS)
    facts = next(s for s in fleet.hosts[0].servers if s.provider == server.provider)
    return Surveyed(
        facts,
        {finding.code: finding.severity for finding in survey_findings("corpus", document)},
        {finding.code: finding.severity for finding in plan.findings},
        plan.findings,
    )


def ask_agent(server: Server) -> dict[str, Any]:
    """The SURVEY document of the agent protocol."""
    chroot = server.chroot
    chroot.write(_AGENT, payload({"verb": "survey", "at": 0}))
    done = chroot.run(["/usr/bin/python3", _AGENT, "--request"], on_its_clock=False)
    chroot.path(_AGENT).unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    survey: dict[str, Any] = json.loads(done.stdout)["survey"]
    return survey
