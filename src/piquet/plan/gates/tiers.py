# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of one host that stand behind each other: what the one behind cannot know. No file, no network, no clock."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from piquet.campaign.model import Campaign
from piquet.fleet.model import Host, Pass, Provider, Site
from piquet.plan.gates.words import some
from piquet.plan.model import HostPlan
from piquet.protocol.entries import match_site
from piquet.protocol.findings import Finding

_EVERY = frozenset({"0.0.0.0", "*", "", "_default_", "::"})  # noqa: S104 - compared with, never bound to


class Tier(NamedTuple):
    """A site, the one that its requests go on to, and by which way."""

    front: Site
    behind: Site
    way: Pass

    def __str__(self) -> str:
        """For a finding."""
        return f"{self.behind.name} ({self.front.provider} passes on to {self.behind.provider} on port {self.way.port})"


def tier_findings(campaign: Campaign, host: Host, host_plan: HostPlan) -> Iterator[Finding]:
    """Doors by address that the server behind cannot open, and caches between that keep what ends."""
    shown = {(entry.provider, entry.name) for entry in host_plan.entries}
    found = [tier for tier in tiers(host) if _is_shown(tier.behind, shown)]
    blind = [tier for tier in found if not _believes(tier.behind, tier.way)]
    if campaign.doors.networks and blind:
        message = (
            "behind a server of this host stands another that sees its address in the place of the visitor's:"
        )
        message += " the networks of `open` would find these sites on strike"
        hint = "have their owner set up mod_remoteip or set_real_ip_from behind, or leave the networks or them out"
        names, got = tuple(sorted({tier.behind.name for tier in blind})), some(sorted({*map(str, blind)}))
        yield Finding("error", "two-tiers-network-door", host.name, message, got=got, hint=hint, sites=names)
    if kept := sorted({str(tier) for tier in found if tier.way.cached}):
        message = (
            "a cache between two servers of this host overlooks what answers say of caches, and may keep ours"
        )
        hint = (
            "have its owner take Cache-Control and Vary out of proxy_ignore_headers, or empty it at the end"
        )
        yield Finding("warning", "two-tiers-cache", host.name, message, got=some(kept), hint=hint)


def tiers(host: Host) -> Iterator[Tier]:
    """Every site that stands behind another one of the host."""
    for front in host.sites:
        for way in front.passes:
            for provider in sorted({site.provider for site in host.sites}):
                behind = _site_at(host, provider, way, way.host or front.name)
                if behind:
                    yield Tier(front, behind, way)


def _site_at(host: Host, provider: Provider, way: Pass, name: str) -> Site | None:
    """The site of a provider that answers for a name at an address and port."""
    there = {s.name: s for s in host.sites if s.provider == provider and _listens(s, way)}
    found = name if name in there else match_site(name, there.keys())
    return there[found] if found else None


def _listens(site: Site, way: Pass) -> bool:
    return any(
        listen.port == way.port and (listen.address in _EVERY or listen.address == way.address)
        for listen in site.listens
    )


def _is_shown(site: Site, shown: set[tuple[Provider, str]]) -> bool:
    return any(p == site.provider and (n == site.name or match_site(n, {site.name})) for p, n in shown)


def _believes(site: Site, way: Pass) -> bool:
    """Whether the one behind takes the word of who asks it from this machine; it is asked from where it answers."""
    with suppress(ValueError):
        asked = ipaddress.ip_address(way.address)
        networks = [one.network for one in site.believed if one.port == way.port]
        return any(asked in _network(network) for network in networks)
    return any(one.port == way.port for one in site.believed)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A network; none that holds anything where the text is a name."""
    with suppress(ValueError):
        return ipaddress.ip_network(text, strict=False)
    return ipaddress.ip_network("192.0.2.255/32")
