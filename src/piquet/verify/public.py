# SPDX-License-Identifier: GPL-3.0-or-later
"""From sites to the doors that DNS leads visitors to, where these are not the doors of the hosts themselves.

Here names of sites are looked up, which nothing else does: names that a survey of a host told, so that whoever has
that host chooses where we connect to. Only sites that take part are asked, only at the ports of visitors, and never
at an address that is no visitor's way (loopback, link-local). No file, no network, no clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from piquet.verify.observation import PUBLIC, UNKNOWN_SITE, Target, Unreachable

VISITORS_PORTS = ((80, False), (443, True))
"""Port and whether it speaks TLS. Source: RFC 9110 sections 4.2.1 and 4.2.2."""
MOST_ADDRESSES = 4
"""Of one name; what stands in front has more of them now and then, and they answer alike."""


@dataclass(frozen=True)
class Lookup:
    """What DNS says of a name.

    Attributes:
        addresses: IP addresses, in the order given.
        alias: the name that has them, "" if it is the name itself.
        error: why there are none, "" if there are.
    """

    addresses: tuple[str, ...] = ()
    alias: str = ""
    error: str = ""


@dataclass(frozen=True)
class PublicDoors:
    """Where visitors are led.

    Attributes:
        targets: doors that are no host's own.
        straight: names that lead to their own hosts only: asked there already, so not a second time.
        not_asked: names, or addresses of them, that cannot be asked, with the reason.
        aliases: name → what DNS calls it in the end, where that is another name.
    """

    targets: tuple[Target, ...] = ()
    straight: tuple[str, ...] = ()
    not_asked: tuple[Unreachable, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)


def public_names(targets: Iterable[Target]) -> tuple[str, ...]:
    """The names to look up: of each site that takes part the one that is asked for."""
    return tuple(sorted({t.name for t in targets if t.phases and t.site != UNKNOWN_SITE}))


def public_doors(
    targets: Sequence[Target],
    lookups: Mapping[str, Lookup],
    resolved: Mapping[str, Collection[str]],
    ways: Collection[str],
    ports: Sequence[tuple[int, bool]] = VISITORS_PORTS,
) -> PublicDoors:
    """Compare where DNS leads with the doors that are asked anyway.

    Args:
        targets: the doors of the hosts themselves.
        lookups: what DNS says of each of `public_names`.
        resolved: the inventory's names for hosts → the addresses that they have.
        ways: addresses of `lookups` that this machine has a way to.
        ports: of visitors.
    """
    by_host = _doors_by_host(targets, resolved)
    is_here = any(_is_loopback(address) for doors in by_host.values() for address, _ in doors)
    of_name: dict[str, list[Target]] = {}
    for target in targets:
        of_name.setdefault(target.name, []).append(target)
    asked: list[Target] = []
    straight: list[str] = []
    not_asked: list[Unreachable] = []
    for name, found in lookups.items():
        own = {door for target in of_name[name] for door in by_host[target.host]}
        places = [
            (address, port, tls)
            for address in found.addresses[:MOST_ADDRESSES]
            for port, tls in ports
            if (address, port) not in own
        ]
        lost = list(_unfit_targets(name, found, dict.fromkeys(place[0] for place in places), ways, is_here))
        out = {one.place for one in lost}
        asked += [_public_target(of_name[name], *place) for place in places if place[0] not in out]
        not_asked += lost
        straight += [] if places or lost else [name]
    aliases = {name: found.alias for name, found in lookups.items() if found.alias}
    return PublicDoors(tuple(asked), tuple(straight), tuple(not_asked), aliases)


def _public_target(own: Sequence[Target], address: str, port: int, tls: bool) -> Target:
    phases = tuple(sorted({number for target in own for number in target.phases}))
    return Target(PUBLIC, address, port, tls, own[0].site, own[0].name, phases, may_redirect=not tls)


def _unfit_targets(
    name: str, found: Lookup, addresses: Iterable[str], ways: Collection[str], is_here: bool
) -> Iterator[Unreachable]:
    """What cannot be asked of a name, `addresses` being those of it that are no host's own."""
    if found.error:
        yield Unreachable(PUBLIC, name, "", found.error)
    for address in addresses:
        there = ipaddress.ip_address(address)
        is_loopback = _is_loopback(address) and not is_here
        if is_loopback or there.is_link_local or there.is_multicast or there.is_unspecified:
            yield Unreachable(PUBLIC, name, address, "no address that visitors could reach")
        elif address not in ways:
            yield Unreachable(PUBLIC, name, address, "this machine has no way there")
    if more := found.addresses[MOST_ADDRESSES:]:
        yield Unreachable(PUBLIC, name, ", ".join(more), f"only {MOST_ADDRESSES} of its addresses are asked")


def _doors_by_host(
    targets: Iterable[Target], resolved: Mapping[str, Collection[str]]
) -> Mapping[str, frozenset[tuple[str, int]]]:
    """Host → address and port of every door that is asked there; its default server answers for names without one."""
    found: dict[str, set[tuple[str, int]]] = {}
    for target in targets:
        ips = (target.address, *resolved.get(target.address, ()))
        found.setdefault(target.host, set()).update((ip, target.port) for ip in ips)
    return {host: frozenset(doors) for host, doors in found.items()}


def _is_loopback(address: str) -> bool:
    """Whether it is one; a name of the inventory that has no address is none."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
