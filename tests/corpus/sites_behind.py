# SPDX-License-Identifier: GPL-3.0-or-later
"""A site whose pages come from another server behind it."""

from __future__ import annotations

from .kinds import Ask, Kind, Provider, host_name


def site(name: str, text: str, provider: Provider) -> Kind:
    """One virtual host as a kind."""
    host = host_name(name)
    needs = ("headers", "proxy", "proxy_http") if provider == "apache" else ()
    return Kind(provider, name, text, name, (host,), (Ask("http", host),), needs, None, "")
