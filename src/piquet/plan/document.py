# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as one canonical JSON text, and its digest: what is reviewed, signed, sent and compared.

It holds the campaign's meaning and the digest of every host's manifest, and through those every byte that a
host gets. Findings are not part of it: they change with the hour. No file, no network, no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from piquet.campaign.model import Campaign, Phase
from piquet.errors import PlanError
from piquet.plan.model import HostPlan, Plan
from piquet.protocol.canonical import canonical


def plan_document(plan: Plan, manifests: Mapping[str, str], decision: str) -> bytes:
    """The canonical document: sorted keys, no spaces, UTF-8, one newline at the end.

    Args:
        plan: what was decided.
        manifests: host → sha256 (hex) of its manifest, for every host with entries.
        decision: digest of what people vote on, which this plan carries out.

    Raises:
        PlanError: if the two do not speak of the same hosts.
    """
    active = {host.host: host for host in plan.hosts if host.entries}
    if active.keys() != manifests.keys():
        apart = ", ".join(sorted(active.keys() ^ manifests.keys()))
        raise PlanError(f"plan and manifests differ in these hosts: {apart}")
    hosts = {name: _host(host, manifests[name]) for name, host in active.items()}
    value = {"piquet_plan": 1, "decision": decision, **_meaning(plan.campaign), "hosts": hosts}
    return canonical(value)


def plan_digest(document: bytes) -> str:
    """sha256 of the document, 64 hex digits."""
    return hashlib.sha256(document).hexdigest()


def _meaning(campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign": campaign.name,
        "timezone": campaign.timezone,
        "languages": campaign.languages,
        "contact": campaign.contact,
        "phases": [_phase(phase) for phase in campaign.phases],
        "doors": asdict(campaign.doors),
        "limits": {
            "max_block_s": int(campaign.limits.max_block.total_seconds()),
            "max_share_percent": campaign.limits.max_share_percent,
        },
        "mandate": asdict(campaign.mandate) if campaign.mandate else None,
    }


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "number": phase.number,
        "mode": phase.mode,
        "start": int(phase.start_at.timestamp()),
        "end": int(phase.end_at.timestamp()),
        "paths": phase.paths,
        "style": phase.style,
    }


def _host(host: HostPlan, manifest: str) -> dict[str, Any]:
    entries = [
        {"name": entry.name, "key": entry.key, "phases": entry.phases, "provider": entry.provider}
        for entry in host.entries
    ]
    health = {"health_paths": host.health_paths} if host.health_paths else {}
    return {"manifest": manifest, "scheduler": host.scheduler, "entries": entries, **health}
