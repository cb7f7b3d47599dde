# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaigns, surveys and fleets that unit tests start from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from piquet.campaign.model import Campaign
from piquet.campaign.parse import parse_campaign
from piquet.fleet.model import Fleet
from piquet.fleet.read import read_fleet
from piquet.servers.registry import SERVERS

AT = datetime(2026, 12, 16, 12, 0, tzinfo=UTC)
"""The instant that tests judge from: half a day before the example's window."""

CAMPAIGN = (
    "campaign: greve-2026-12-17",
    "timezone: Europe/Paris",
    "languages: [fr, en]",
    "contact: https://example.org/greve",
    "phases: [{mode: block, start: 2026-12-17T00:00, duration: 24h, page: pages/greve}]",
    'sites: {include: ["*"]}',
)


def campaign(consent: str | None = None, **parts: str) -> Campaign:
    """The example campaign with some of its top-level keys replaced."""
    return parse_campaign(campaign_text(**parts), "campaign.yml", consent)


def campaign_text(**parts: str) -> str:
    """The example campaign's text with some of its top-level keys replaced by one-line values."""
    kept = [entry for entry in CAMPAIGN if entry.partition(":")[0] not in parts]
    return "\n".join([*kept, *(f"{key}: {value}" for key, value in parts.items()), ""])


def block(
    line: int, *names: str, hooked: str | None = "ours", port: int = 80, tls: bool = False
) -> dict[str, Any]:
    """A server block as a survey describes it."""
    listen = {"address": "0.0.0.0", "port": port, "tls": tls, "default": False}
    place = {"file": "/etc/nginx/sites-enabled/all", "line": line, "offset": line * 100}
    return {**place, "names": list(names), "listens": [listen], "hooked": hooked}


def nginx(*blocks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A survey's nginx without anything wrong."""
    http = {"map_hash_max_size": None, "map_hash_bucket_size": None, "flag_lag_s": 0}
    return {
        "version": "1.22.1", "modules": ["http_geo", "http_map", "http_rewrite"], "running": True,
        "test": {"ok": True, "output": "ok"}, "conf": "/etc/nginx/nginx.conf", "dropin_dir": "/etc/nginx/conf.d",
        "http": http, "files": {}, "blocks": list(blocks),
    } | changes  # fmt: skip


def apache(*vhosts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A survey's Apache without anything wrong."""
    return {
        "version": "2.4.71", "running": True, "test": {"ok": True, "output": "Syntax OK"},
        "dropin_dir": "/etc/apache2/conf-enabled", "modules": ["alias_module", "headers_module"],
        "use_canonical_name": False, "quick_handler_cache": False, "trace": False, "vhosts": list(vhosts),
    } | changes  # fmt: skip


def survey(**changes: Any) -> dict[str, Any]:
    """A survey made an hour before `AT`, of a host without web servers."""
    at = (AT - timedelta(hours=1)).timestamp()
    return {
        "piquet_survey": 1,
        "at": at,
        "skew_s": 0.1,
        "findings": [],
        "nginx": None,
        "apache": None,
    } | changes


def fleet(surveys: Mapping[str, Mapping[str, Any] | None], **variables: Any) -> Fleet:
    """A fleet of these hosts; a host whose survey is None has none."""
    known = {host: document for host, document in surveys.items() if document is not None}
    return read_fleet({host: variables for host in surveys}, known, SERVERS)
