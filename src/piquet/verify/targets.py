# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fleet and a plan to the doors to knock on: each site at each address and port that serves it.

Names are never looked up: a target connects to the address in the inventory, or to the address that the
site itself listens on. No file, no network, no clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from piquet.fleet.model import Fleet, Host, Listen, Site
from piquet.plan import HostPlan, Plan, match_site
from piquet.verify.observation import UNKNOWN_SITE, Target, Unreachable

UNKNOWN_NAME = "piquet-unknown-name.invalid"
_ANY_V4 = frozenset({"0.0.0.0"})  # noqa: S104 - compared with, never bound to
_ANY_V6 = frozenset({"::"})
_ANY = frozenset({"", "*", "_default_"})


def targets_of(fleet: Fleet, plan: Plan) -> tuple[tuple[Target, ...], tuple[Unreachable, ...]]:
    """Every name with a treatment of its own at every door, selected or not, and what cannot be asked from here.

    Each door is also asked once for a name that nobody serves: the strike must never answer for it.
    Targets take turns among the hosts, so that no host gets all the load at once.
    """
    unreachable: dict[Unreachable, None] = {}
    per_host: list[list[Target]] = []
    for host, host_plan in zip(fleet.hosts, plan.hosts, strict=True):
        found: dict[Target, None] = {}
        for item in _of_host(host, host_plan):
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


def _of_host(host: Host, plan: HostPlan) -> Iterator[Target | Unreachable]:
    """Its sites, and the names below a wildcard site that the campaign treats by themselves."""
    phases = {(entry.provider, entry.name): entry.phases for entry in plan.entries}
    known = frozenset(plan.known)
    for provider in sorted({site.provider for site in host.sites}):
        own = {site.name: site for site in host.sites if site.provider == provider}
        for name in sorted(own.keys() | (known - set(host.served))):
            above = match_site(name, own.keys())
            if above:
                yield from _of_site(
                    host, replace(own[above], name=name), known, phases.get((provider, name), ())
                )


def _of_site(
    host: Host, site: Site, known: Collection[str], phases: tuple[int, ...]
) -> Iterator[Target | Unreachable]:
    name = concrete_name(site.name, known)
    if name is None:
        yield Unreachable(host.name, site.name, "", "no host name to ask for")
        return
    doors = {(where, listen.port) for listen in site.listens if (where := _address(host, listen)[0])}
    for listen in sorted(site.listens, key=lambda one: (one.port, one.tls, one.address)):
        where, reason = _address(host, listen)
        if where:
            yield Target(host.name, where, listen.port, listen.tls, site.name, name, phases)
        elif not (listen.address.strip("[]") in _ANY_V6 and any(port == listen.port for _, port in doors)):
            yield Unreachable(host.name, site.name, _place(listen), reason)


def _place(listen: Listen) -> str:
    return f"{listen.address}:{listen.port}" if listen.port else listen.address


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
