# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet is, as values. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from piquet.protocol.findings import Finding

Provider = Literal["nginx", "apache"]
Scheduler = Literal["systemd", "cron"]
Variant = Literal["include", "rules", "lua"]
"""By which way a server shows the strike: nginx by `include` or `lua`, Apache by `rules` or `lua`."""


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
    """A directive of nginx that a location of ours would inherit and that none of nginx's own modules has.

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
        hooked: whether every vhost of that name has the hook line (always true on Apache).
        is_default: whether one of them is also the default server of a socket.
        inherited: nginx, what other people's modules hand down to a location of ours there, sorted by name.
        passes: where requests go on to, sorted.
        believed: whose word about visitors' addresses is taken where, sorted.
        flag_lag_s: nginx by the hook, for how long one of them may go on seeing a flag that is gone.
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


@dataclass(frozen=True)
class ServerFacts:
    """What a host's nginx or Apache is like.

    Attributes:
        provider: which server.
        version: as it says itself.
        dropin_dir: folder whose files the server includes at its top level, or None.
        modules: names as the server gives them.
        test_ok: whether the configuration on disk passes the server's own test.
        test_output: what that test said.
        running: whether a main process exists.
        map_hash_max_size: nginx, if the owner sets it.
        map_hash_bucket_size: nginx, if the owner sets it.
        timer_resolution_ms: nginx, for how long its clock stands still, if the owner sets it.
        flag_lag_s: nginx by the hook, for how long some block may go on seeing a flag that is gone.
        use_canonical_name: Apache, whether it is on anywhere.
        quick_handler_cache: Apache, whether mod_cache answers before everything else.
        trace: Apache, whether TRACE is answered.
        server_rules: Apache, whether others have rewrite rules at server level.
        variant: how its configuration is written, as the inventory says or as the survey proposes.
        has_lua: whether a Lua module that can do what we need is loaded already.
        own: nginx, directives of the owner that decide what ours can do, with their level in front: `http`,
            `server` or `location` (`server server_rewrite_by_lua`, `location sub_filter`).
        inherited: nginx, names of other people's directives at http or server level, not switched off everywhere.
        loadable: Apache, modules that are not loaded though their file is there: name → path of the .so.
        substitutes: Apache, names of virtual hosts that use mod_substitute themselves; `*` if all may.
        recached: Apache, names of virtual hosts that say how long answers are kept in so many `<If>` within others that
            it stands on ours; `*` if all may.
        retyped: Apache, names of virtual hosts whose own headers make another type of a page; `*` if all may.
        stores_no_store: Apache, names of virtual hosts for which mod_cache stores what it is asked not to; `*` if all.
        headers_first: Apache, whether mod_headers was loaded before mod_dir, so that it acts before it, too.
        has_own_lua: Apache, whether the owner's configuration speaks Lua.
        own_rules_first: Apache, names of virtual hosts whose own rewrite rules act before those that come down to them.
        https_first: Apache, names whose plain requests mod_md sends to https before anything of ours is asked; verify
            can tell by it that such a redirect is a limit and no fault.
        filtered: Apache, names of virtual hosts whose answers mod_security2 judges; `*` for all of them.
        filtered_strictly: Apache, whether rules are loaded by which it refuses a 503.
        encoded_slashes: Apache, names of virtual hosts that take `%2F` in a path; every other one answers it with 404
            before any rule is asked (the quick handler of Lua comes first there, too).
        told: Apache, whether the server told its configuration; else the facts are those of its texts.
        conditional: Apache, modules for whose presence some section of the owner's waits (`<IfModule>`): loading
            one would wake that section.
    """

    provider: Provider
    version: str
    dropin_dir: str | None
    modules: frozenset[str]
    test_ok: bool
    test_output: str
    running: bool
    map_hash_max_size: int | None = None
    map_hash_bucket_size: int | None = None
    timer_resolution_ms: int | None = None
    flag_lag_s: int = 0
    use_canonical_name: bool = False
    quick_handler_cache: bool = False
    trace: bool = False
    server_rules: bool = False
    variant: Variant = field(kw_only=True)
    has_lua: bool = False
    own: frozenset[str] = frozenset()
    inherited: frozenset[str] = frozenset()
    loadable: Mapping[str, str] = field(default_factory=dict, hash=False)
    conditional: frozenset[str] = frozenset()
    substitutes: frozenset[str] = frozenset()
    recached: frozenset[str] = frozenset()
    retyped: frozenset[str] = frozenset()
    stores_no_store: frozenset[str] = frozenset()
    has_own_lua: bool = False
    headers_first: bool = False
    own_rules_first: frozenset[str] = frozenset()
    https_first: frozenset[str] = frozenset()
    filtered: frozenset[str] = frozenset()
    filtered_strictly: bool = False
    encoded_slashes: frozenset[str] = frozenset()
    told: bool = True

    @property
    def barred(self) -> frozenset[str]:
        """Apache, names of virtual hosts whose pages carry no banner; `*` for all of them."""
        return self.substitutes | self.recached | self.retyped | self.stores_no_store


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


@dataclass(frozen=True)
class Fleet:
    """All hosts, sorted by name.

    Attributes:
        hosts: those that are asked for.
        elsewhere: names that other hosts served when they were last surveyed.
    """

    hosts: tuple[Host, ...]
    elsewhere: frozenset[str] = frozenset()
