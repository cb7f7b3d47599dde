# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and sites as a survey has them."""

from __future__ import annotations

from datetime import UTC, datetime

from piquet.fleet.model import Host, Listen, Site


def site(name: str, *listens: Listen) -> Site:
    """A hooked nginx site."""
    return Site(name, "nginx", listens, hooked=True, is_default=False)


def host(*sites: Site, address: str = "192.0.2.1", name: str = "web1") -> Host:
    """A surveyed host."""
    at = datetime(2026, 12, 1, tzinfo=UTC)
    return Host(name, address, sites, (), at, 0.0, (), tuple(sorted(one.name for one in sites)))
