# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet is, as values. No file, no network, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from piquet.protocol.findings import Finding
from piquet.protocol.places import DEFAULT_PYTHON

Provider = str
"""Name of a kind of web server, of those in `piquet.servers`."""
Scheduler = Literal["systemd", "cron"]
Variant = str
"""By which way a server shows the strike, of those that its kind has."""


@dataclass(frozen=True, order=True)
class Listen:
    """One socket of a vhost.

    Attributes:
        address: as configured: an IP address (IPv6 without brackets), `0.0.0.0`, `::`, `*` or `unix:…`.
        port: 0 for a Unix socket.
        tls: whether it speaks TLS.
        proxy_protocol: whether a client must say first for whom it connects (a PROXY line).
    """

    address: str
    port: int
    tls: bool
    proxy_protocol: bool = False


@dataclass(frozen=True, order=True)
class Inherited:
    """A directive that our part of a virtual host would inherit and that none of the server's own modules has.

    Attributes:
        name: of the directive.
        place: file and line, with a colon between.
    """

    name: str
    place: str


@dataclass(frozen=True, order=True)
class Pass:
    """An address and port to which a site's requests go on.

    Attributes:
        address: as the server's configuration says.
        port: of TCP.
        host: sent as Host, "" for the visitor's own.
        cached: whether a cache there overlooks what answers say of caches.
    """

    address: str
    port: int
    host: str
    cached: bool


@dataclass(frozen=True, order=True)
class Believed:
    """A network whose word about visitors' addresses a site takes on a port."""

    port: int
    network: str


@dataclass(frozen=True)
class Site:
    """One name on one server of one host, all its vhosts together.

    Attributes:
        name: host name or `*.suffix`, lower case, A-labels.
        provider: which server serves it.
        listens: sorted, without repeats.
        hooked: whether every vhost of that name has the hook line, where its server needs one.
        is_default: whether one of them is also the default server of a socket.
        inherited: what other people's modules hand down to our part there, sorted by name.
        passes: where requests go on to, sorted.
        believed: whose word about visitors' addresses is taken where, sorted.
        flag_lag_s: for how long one of them may go on seeing a flag that is gone.
        over_http3: whether one of them answers over HTTP/3, too.
    """

    name: str
    provider: Provider
    listens: tuple[Listen, ...]
    hooked: bool
    is_default: bool
    inherited: tuple[Inherited, ...] = ()
    passes: tuple[Pass, ...] = ()
    believed: tuple[Believed, ...] = ()
    flag_lag_s: int = 0
    over_http3: bool = False


@dataclass(frozen=True)
class ServerFacts:
    """What a host's web server is like; each kind has facts of its own besides.

    Attributes:
        provider: which server.
        version: as it says itself.
        dropin_dir: folder whose files the server includes at its top level, or None.
        modules: names as the server gives them.
        test_ok: whether the configuration on disk passes the server's own test.
        test_output: what that test said.
        running: whether a main process exists.
        variant: how its configuration is written, as the inventory says or as the survey proposes.
        https_first: names whose plain requests it sends to https before anything of ours is asked; verify can tell by
            it that such a redirect is a limit and no fault.
    """

    provider: Provider
    version: str
    dropin_dir: str | None
    modules: frozenset[str]
    test_ok: bool
    test_output: str
    running: bool
    variant: Variant = field(kw_only=True)
    https_first: frozenset[str] = field(kw_only=True, default=frozenset())


@dataclass(frozen=True, order=True)
class HealthCheck:
    """What access logs suggest: that a load balancer in front asks for a path. Visitors write these lines too.

    Attributes:
        path: without its query.
        agent: the program that it calls itself.
        count: how often in what was read.
    """

    path: str
    agent: str
    count: int


@dataclass(frozen=True)
class Host:
    """One host of the inventory.

    Attributes:
        name: in the inventory.
        address: where to connect to.
        sites: those that may be chosen, sorted by provider and name; empty if there is no survey.
        servers: sorted by provider.
        surveyed_at: aware, UTC; None if there is no survey.
        clock_skew_s: host's clock minus the controller's; None if nobody measured it.
        findings: of the survey and of reading it.
        served: every name that the host serves, declared or not, sorted.
        idle: names of servers that do not run, sorted.
        scheduler: who looks after the window there: as the inventory says, else systemd where it is process 1.
        is_scheduler_there: whether the survey saw that one at work; None where it does not say.
        accepts_late_release: whether the inventory takes it that a flag that is gone is seen late.
        addresses: IP addresses that the inventory names besides, at which it may be asked.
        health_paths: what a load balancer in front asks, by the inventory, sorted; doors on all sites of the host.
        health_checks: what access logs suggest of that, the most frequent first.
        python: absolute path of the one that runs the agent there.
    """

    name: str
    address: str
    sites: tuple[Site, ...]
    servers: tuple[ServerFacts, ...]
    surveyed_at: datetime | None
    clock_skew_s: float | None
    findings: tuple[Finding, ...] = ()
    served: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    scheduler: Scheduler = "systemd"
    is_scheduler_there: bool | None = None
    accepts_late_release: bool = False
    addresses: tuple[str, ...] = ()
    health_paths: tuple[str, ...] = ()
    health_checks: tuple[HealthCheck, ...] = ()
    python: str = DEFAULT_PYTHON


@dataclass(frozen=True)
class Fleet:
    """All hosts, sorted by name.

    Attributes:
        hosts: those that are asked for.
        elsewhere: names that other hosts served when they were last surveyed.
    """

    hosts: tuple[Host, ...]
    elsewhere: frozenset[str] = frozenset()
