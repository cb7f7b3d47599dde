# SPDX-License-Identifier: GPL-3.0-or-later
"""How many sites there are, by the one definition that plan, stage, status and verify share. No file, no clock."""

from __future__ import annotations

from collections.abc import Iterable


def count_sites(names: Iterable[str]) -> int:
    """A site is a host name or a wildcard name: one, on however many hosts, servers, virtual hosts and doors it is."""
    return len(set(names))


def sites_on_hosts(places: Iterable[tuple[str, str]]) -> str:
    """`640 sites on 3 hosts`, from pairs of host and site."""
    known = set(places)
    sites, hosts = count_sites(site for _, site in known), len({host for host, _ in known})
    return f"{counted(sites, 'site')} on {counted(hosts, 'host')}"


def counted(number: int, noun: str) -> str:
    """`1 site`, `2 sites`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
