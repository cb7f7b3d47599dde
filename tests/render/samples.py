# SPDX-License-Identifier: GPL-3.0-or-later
"""A campaign and a host to render, with what a case wants different."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from piquet.bundle import pages_folder
from piquet.campaign.model import Campaign, Doors, Limits, Phase, Selection
from piquet.fleet.model import Provider, Scheduler, ServerFacts
from piquet.pages.source import PageSource
from piquet.plan import Entry, HostPlan, Plan
from piquet.protocol.entries import entry_key
from tests.server_facts import made_facts

START = datetime(2026, 12, 17, tzinfo=UTC)
PHASE = Phase(1, "block", START, START + timedelta(days=1), page="pages/greve")
SECRET = "0123456789abcdef0123456789abcdef"
KEY = "fedcba9876543210fedcba9876543210"
WWW = pages_folder(KEY, "greve")
CAMPAIGN = Campaign(
    name="greve",
    timezone="Europe/Paris",
    languages=("fr", "en"),
    contact="https://example.org/greve",
    phases=(PHASE,),
    sites=Selection(("*",), (), {}),
    doors=Doors(("/api/",), ("192.0.2.0/24",), bypass=True),
    limits=Limits(timedelta(days=1), 100),
)
MODULES = frozenset({"http_map", "http_rewrite", "http_geo", "http_limit_req", "http_auth_basic"})


def facts(provider: Provider = "nginx", **more: Any) -> ServerFacts:
    """What a survey said of the server."""
    return replace(made_facts(provider, MODULES), **more)


def host(
    *names: str,
    known: tuple[str, ...] = (),
    server: ServerFacts | None = None,
    scheduler: Scheduler = "systemd",
) -> HostPlan:
    """A host where these names are selected."""
    server = server or facts()
    entries = tuple(Entry(name, entry_key(name), (1,), server.provider, None) for name in sorted(names))
    return HostPlan("web1", "192.0.2.1", (server,), entries, tuple(sorted({*names, *known})), scheduler)


def plan(*hosts: HostPlan, campaign: Campaign = CAMPAIGN) -> Plan:
    """A plan over these hosts."""
    return Plan(campaign, hosts, ())


def pages(text: str = "# Grève\n", kind: Any = "markdown") -> list[PageSource]:
    """The same text in both languages."""
    return [PageSource(1, name, f"pages/greve/{name}.md", kind, text) for name in CAMPAIGN.languages]
