# SPDX-License-Identifier: GPL-3.0-or-later
"""Put campaign and fleet together. No file, no network, no clock: the one reference time is an argument."""

from __future__ import annotations

from datetime import datetime

from piquet.campaign.model import Campaign
from piquet.findings import by_weight
from piquet.fleet.model import Fleet
from piquet.plan.gates import campaign_findings, host_findings, selection_findings, unheld_findings
from piquet.plan.judged_server import JudgedKinds
from piquet.plan.model import Plan
from piquet.plan.selection import Selector, host_plan


def make_plan(campaign: Campaign, fleet: Fleet, at: datetime, kinds: JudgedKinds) -> Plan:
    """Decide who shows what, and find what stands in the way.

    Args:
        campaign: what is asked for.
        fleet: the hosts and what they serve.
        at: aware; the instant that windows and surveys are judged from. It changes findings only.
        kinds: of web servers, by name.
    """
    selector = Selector(campaign)
    hosts = tuple(host_plan(selector, host) for host in fleet.hosts)
    findings = [*campaign_findings(campaign, at), *selection_findings(selector, fleet, hosts)]
    for host, planned in zip(fleet.hosts, hosts, strict=True):
        findings += host_findings(campaign, kinds, host, planned, at)
    findings += unheld_findings(campaign, hosts, findings)
    return Plan(campaign, hosts, by_weight(dict.fromkeys(findings)))
