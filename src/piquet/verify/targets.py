# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fleet and a plan to the doors to knock on: each site at each address and port that serves it.

Names are never looked up: a target connects to the address in the inventory, or to the address that the
site itself listens on. No file, no network, no clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from piquet.fleet.model import Fleet, Host, Listen, Site
from piquet.plan import Plan, match_site
from piquet.verify.observation import UNKNOWN_SITE, Target, Unreachable

UNKNOWN_NAME = "piquet-unknown-name.invalid"
_ANY_V4 = frozenset({"0.0.0.0"})  # noqa: S104 - compared with, never bound to
_ANY_V6 = frozenset({"::"})
_ANY = frozenset({"", "*", "_default_"})


def targets_of(fleet: Fleet, plan: Plan) -> tuple[tuple[Target, ...], tuple[Unreachable, ...]]:
    """Every site of the fleet at every door, selected or not, and what cannot be asked from here.

    Each door is also asked once for a name that nobody serves: the strike must never answer for it.
    Targets take turns among the hosts, so that no host gets all the load at once.
    """
    phases = {(h.host, e.provider, e.name): e.phases for h in plan.hosts for e in h.entries}
    unreachable: list[Unreachable] = []
    per_host: list[list[Target]] = []
    for host in fleet.hosts:
        found: dict[Target, None] = {}
        for site in host.sites:
            selected = phases.get((host.name, site.provider, site.name), ())
            for item in _of_site(host, site, selected):
                if isinstance(item, Unreachable):
                    unreachable.append(item)
                else:
                    found[item] = None
        per_host.append([*found, *_unknown_names(found)])
    return tuple(_take_turns(per_host)), tuple(dict.fromkeys(unreachable))


def concrete_name(site: str, known: Iterable[str]) -> str | None:
    """A host name that falls to `site` among the names a host serves, None if there is none.

    An exact site is its own name; below a wildcard one is made up that no other known name takes.
    """
    known = tuple(known)
    if not site.startswith("*."):
        return site if _is_host_name(site) else None
    for number in range(1, 100):
        name = f"piquet-probe{'' if number == 1 else number}.{site[2:]}"
        if match_site(name, known) == site:
            return name
    return None


def _of_site(host: Host, site: Site, phases: tuple[int, ...]) -> Iterator[Target | Unreachable]:
    name = concrete_name(site.name, [other.name for other in host.sites])
    if name is None:
        yield Unreachable(host.name, site.name, "", "no host name to ask for")
        return
    doors = {(where, listen.port) for listen in site.listens if (where := _address(host, listen)[0])}
    for listen in sorted(site.listens, key=lambda one: (one.port, one.tls, one.address)):
        where, reason = _address(host, listen)
        if where:
            yield Target(host.name, where, listen.port, listen.tls, site.name, name, phases)
        elif not (listen.address in _ANY_V6 and any(port == listen.port for _, port in doors)):
            yield Unreachable(host.name, site.name, f"{listen.address}:{listen.port}", reason)


def _address(host: Host, listen: Listen) -> tuple[str, str]:
    """Where to connect for a `listen`, or "" and the reason why it cannot be done from here."""
    own = _ip(host.address)
    bare = listen.address.strip("[]")
    if bare.startswith("unix:"):
        return "", "a unix socket, not reachable from outside"
    if bare in _ANY or (own is None and bare in _ANY_V4 | _ANY_V6):
        return host.address, ""
    if bare in _ANY_V4 | _ANY_V6:
        version = 4 if bare in _ANY_V4 else 6
        fits = own is not None and own.version == version
        return (host.address, "") if fits else ("", f"IPv{version} only, the inventory has no such address")
    there = _ip(bare)
    if there is None:
        return "", "neither an address nor a wildcard"
    if there.is_loopback and not (own is not None and own.is_loopback):
        return "", "a loopback address, not reachable from outside"
    return bare, ""


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_host_name(name: str) -> bool:
    """Tell what can stand in a Host header: no regular expression, catch-all or pattern."""
    return bool(name) and name != "_" and not set(name) & set("~*^$()[]{}\\/ ")


def _unknown_names(targets: Iterable[Target]) -> list[Target]:
    doors = dict.fromkeys((t.host, t.address, t.port, t.tls) for t in targets)
    return [Target(*door, site=UNKNOWN_SITE, name=UNKNOWN_NAME) for door in doors]


def _take_turns(lists: Iterable[list[Target]]) -> Iterator[Target]:
    numbered = [(place, order, t) for order, ts in enumerate(lists) for place, t in enumerate(ts)]
    return (target for _, _, target in sorted(numbered, key=lambda item: item[:2]))
