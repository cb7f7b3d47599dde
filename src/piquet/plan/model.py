# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is, as values. No file, no network, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from piquet.campaign.model import Campaign
from piquet.fleet.model import Provider, Scheduler, ServerFacts
from piquet.protocol.findings import Finding
from piquet.protocol.places import DEFAULT_PYTHON


@dataclass(frozen=True)
class Probe:
    """How a host asks its own server for a site.

    Attributes:
        address: IP address to connect to, on the host itself.
        port: TCP port.
        tls: whether to speak TLS.
        host: the name to ask for, in SNI and Host.
        proxy_protocol: whether to say first for whom it connects (a PROXY line).
    """

    address: str
    port: int
    tls: bool
    host: str
    proxy_protocol: bool = False


@dataclass(frozen=True)
class Entry:
    """One name that shows something.

    Attributes:
        name: site, or a name below a wildcard site that the campaign treats by itself.
        key: file name of its flag.
        phases: numbers, ascending, at least one.
        provider: which server answers for it.
        probe: None if it listens on no TCP port.
    """

    name: str
    key: str
    phases: tuple[int, ...]
    provider: Provider
    probe: Probe | None


@dataclass(frozen=True, order=True)
class UsualSite:
    """One name that a host serves and that shows nothing of the campaign.

    Attributes:
        name: as the host serves it.
        reason: why, in words that complete a heading: `excluded`.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class HostPlan:
    """What one host does.

    Attributes:
        host: name in the inventory.
        address: where to connect to.
        providers: its servers, sorted by name.
        entries: sorted by provider and name; empty if nothing changes there.
        known: every name with a treatment of its own, chosen or not, sorted. A request falls to the longest
            match among them, and is as usual if that one is no entry.
        scheduler: what looks after the window there.
        health_paths: what a load balancer asks there, sorted; doors on every site of the host.
        python: absolute path of the one that runs the agent there.
        usual: what else it serves, sorted; it is told and is no part of the plan.
    """

    host: str
    address: str
    providers: tuple[ServerFacts, ...]
    entries: tuple[Entry, ...]
    known: tuple[str, ...]
    scheduler: Scheduler = "systemd"
    health_paths: tuple[str, ...] = ()
    python: str = DEFAULT_PYTHON
    usual: tuple[UsualSite, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The whole decision.

    Attributes:
        campaign: what was asked for.
        hosts: all hosts of the fleet, sorted by name.
        findings: errors first.
    """

    campaign: Campaign
    hosts: tuple[HostPlan, ...]
    findings: tuple[Finding, ...]
