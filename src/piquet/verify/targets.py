# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fleet and a plan to the doors to knock on: each site at each address and port that serves it.

Sites' names are never looked up: a target connects to an address that the inventory names for its host, or that the
inventory's own name for it has. A survey only says which of them, and the ports: it is written by a host that may be
somebody else's by now, and nobody is connected to because it says so. No file, no network, no clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from piquet.fleet.model import Fleet, Host, Listen, Site
from piquet.plan import HostPlan, Plan
from piquet.protocol.entries import match_site
from piquet.verify.observation import UNKNOWN_SITE, Target, Unreachable

UNKNOWN_NAME = "piquet-unknown-name.invalid"
_ANY_V4 = frozenset({"0.0.0.0"})  # noqa: S104 - compared with, never bound to
_ANY_V6 = frozenset({"::"})
_ANY = frozenset({"", "*", "_default_"})


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Reach:
    """Where one host may be asked.

    Attributes:
        address: the inventory's, an IP address or a name.
        own: its IP addresses: that one, those that the name has, those that the inventory names besides.
        from_inside: asked by a process of its own, which may go wherever its servers listen.
    """

    address: str
    own: tuple[Address, ...]
    from_inside: bool = False

    @property
    def is_here(self) -> bool:
        """Whether the host is the machine that asks, or asks itself."""
        return self.from_inside or any(one.is_loopback for one in self.own)

    def of_family(self, version: int) -> str:
        """What to connect to for all addresses of a family, "" if the host has none; the inventory's address first."""
        if _ip(self.address) is None and (not self.own or any(one.version == version for one in self.own)):
            return self.address
        return next((str(one) for one in self.own if one.version == version), "")

    def is_own(self, address: Address) -> bool:
        """Whether this is an address of the host."""
        return self.from_inside or address in self.own or (address.is_loopback and self.is_here)


def targets_of(
    fleet: Fleet,
    plan: Plan,
    resolved: Mapping[str, Collection[str]] | None = None,
    *,
    from_inside: bool = False,
) -> tuple[tuple[Target, ...], tuple[Unreachable, ...]]:
    """Every name with a treatment of its own at every door, selected or not, and what cannot be asked from here.

    Each door is also asked once for a name that nobody serves: the strike must never answer for it.
    Targets take turns among the hosts, so that no host gets all the load at once.

    Args:
        fleet: hosts and what they serve.
        plan: who shows what.
        resolved: the inventory's names for hosts → the addresses that they have.
        from_inside: the asking process is on the host itself.
    """
    unreachable: dict[Unreachable, None] = {}
    per_host: list[list[Target]] = []
    for host, host_plan in zip(fleet.hosts, plan.hosts, strict=True):
        found: dict[Target, None] = {}
        reach = reach_of(host, (resolved or {}).get(host.address, ()), from_inside)
        for item in _of_host(host, host_plan, reach):
            if isinstance(item, Unreachable):
                unreachable[item] = None
            else:
                found[item] = None
        per_host.append([*found, *_unknown_names(found)])
    return tuple(_take_turns(per_host)), tuple(unreachable)


def concrete_name(site: str, known: Collection[str]) -> str | None:
    """Find a host name that falls to `site` among the names a host knows, None if there is none.

    An exact site is its own name; below a wildcard one is made up that no other known name takes.
    """
    if not site.startswith("*."):
        return site if _is_host_name(site) else None
    names = (f"piquet-probe{number or ''}{site[1:]}" for number in range(100))
    return next((name for name in names if match_site(name, known) == site), None)


def reach_of(host: Host, resolved: Collection[str] = (), from_inside: bool = False) -> Reach:
    """Where a host may be asked, by the inventory's word."""
    known = (_ip(text) for text in (host.address, *sorted(resolved), *host.addresses))
    return Reach(host.address, tuple(dict.fromkeys(one for one in known if one)), from_inside)


def _of_host(host: Host, plan: HostPlan, reach: Reach) -> Iterator[Target | Unreachable]:
    """Its sites, and the names below a wildcard site that the campaign treats by themselves."""
    phases = {(entry.provider, entry.name): entry.phases for entry in plan.entries}
    known = frozenset(plan.known)
    for provider in sorted({site.provider for site in host.sites}):
        own = {site.name: site for site in host.sites if site.provider == provider}
        for name in sorted(own.keys() | (known - set(host.served))):
            above = match_site(name, own.keys())
            if above:
                site = replace(own[above], name=name)
                yield from _of_site(host, site, known, phases.get((provider, name), ()), reach)


def _of_site(
    host: Host, site: Site, known: Collection[str], phases: tuple[int, ...], reach: Reach
) -> Iterator[Target | Unreachable]:
    name = concrete_name(site.name, known)
    if name is None:
        yield Unreachable(host.name, site.name, "", "no host name to ask for")
        return
    if site.over_http3 and not site.listens:
        yield Unreachable(host.name, site.name, "", "it answers over HTTP/3 only, which is not asked")
    doors = {listen.port for listen in site.listens if _address(reach, listen)[0]}
    for listen in sorted(site.listens, key=lambda one: (one.port, one.tls, one.address)):
        where, reason = _address(reach, listen)
        if where:
            door = (host.name, where, listen.port, listen.tls)
            redirects = not listen.tls and site.name in _https_first(host, site)
            proxied = listen.proxy_protocol
            over_http3 = site.over_http3
            yield Target(*door, site.name, name, phases, proxied, redirects, host.health_paths, over_http3)
        elif not (listen.address.strip("[]") in _ANY_V4 | _ANY_V6 and listen.port in doors):
            yield Unreachable(host.name, site.name, _place(listen), reason)


def _https_first(host: Host, site: Site) -> frozenset[str]:
    """Names whose plain requests its server sends to https before anything of ours."""
    found = (server.https_first for server in host.servers if server.provider == site.provider)
    return frozenset(name for names in found for name in names)


def _place(listen: Listen) -> str:
    return f"{listen.address}:{listen.port}" if listen.port else listen.address


def _address(reach: Reach, listen: Listen) -> tuple[str, str]:
    """Where to connect for a `listen`, or "" and the reason why it is not done."""
    bare = listen.address.strip("[]")
    if bare.startswith("unix:"):
        return "", "a unix socket, not reachable from outside"
    if bare in _ANY:
        return reach.address, ""
    if bare in _ANY_V4 | _ANY_V6:
        version = 4 if bare in _ANY_V4 else 6
        where = reach.of_family(version)
        return where, "" if where else f"IPv{version} only, the inventory has no such address"
    there = _ip(bare)
    if there is None:
        return "", "neither an address nor a wildcard"
    if reach.is_own(there):
        return bare, ""
    if there.is_loopback:
        return "", "a loopback address, not reachable from outside"
    return "", "no address of this host by the inventory (`piquet_addresses` can name it)"


def _ip(text: str) -> Address | None:
    """An address, one of IPv4 that is written as IPv6 as what it is; None for anything else."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_host_name(name: str) -> bool:
    """Tell what can stand in a Host header: no regular expression, catch-all or pattern."""
    return bool(name) and name != "_" and not set(name) & set("~*^$()[]{}\\/ ")


def _unknown_names(targets: Iterable[Target]) -> list[Target]:
    nobody = (replace(t, site=UNKNOWN_SITE, name=UNKNOWN_NAME, phases=()) for t in targets)
    return list(dict.fromkeys(nobody))


def _take_turns(lists: Iterable[list[Target]]) -> Iterator[Target]:
    numbered = [(place, order, t) for order, ts in enumerate(lists) for place, t in enumerate(ts)]
    return (target for _, _, target in sorted(numbered, key=lambda item: item[:2]))
