# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical `decision.json`: what people vote on, and nothing of hosts, servers or configuration.

A vote on Thursday still holds when a site was added on Friday. Formatting, comments, file names and the order of keys
change nothing; what a visitor gets in any window does, to the last byte of a picture. No file, no network, no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from piquet.campaign.model import Campaign, Phase
from piquet.decision.doors import decided_doors
from piquet.decision.site_rule import site_rule
from piquet.pages.rendered import campaign_files, fragments
from piquet.pages.source import PageSource
from piquet.protocol.canonical import canonical
from piquet.protocol.decision import DECISION_VERSION, INSTANT_FORM


def decision_document(campaign: Campaign, pages: Iterable[PageSource]) -> bytes:
    """The document that `piquet.protocol.decision.read_decision` reads.

    The mandate is no part of it: votes are counted, and signatures made, when the digest is known.

    Args:
        campaign: what is asked for.
        pages: the organisers' texts, one per phase and language.

    Raises:
        BundleError: a page or banner cannot be made.
    """
    sources = tuple(pages)
    digests = _digests(campaign_files(campaign, sources)) | _banner_digests(campaign, sources)
    return canonical(
        {
            "piquet_decision": DECISION_VERSION,
            "campaign": campaign.name,
            "revision": campaign.revision,
            "timezone": campaign.timezone,
            "languages": list(campaign.languages),
            "phases": [_phase(phase, digests) for phase in campaign.phases],
            "sites": site_rule(campaign),
            "doors": decided_doors(campaign.doors),
            "limits": {
                "max_block_s": int(campaign.limits.max_block.total_seconds()),
                "max_share_percent": campaign.limits.max_share_percent,
            },
        }
    )


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _banner_digests(campaign: Campaign, sources: tuple[PageSource, ...]) -> dict[str, str]:
    """Banners stand in the servers' configuration; here each has the name of a file."""
    return _digests(
        {
            f"{word}/{number}/{language}": text.encode()
            for word, is_open in (("banner", False), ("message", True))
            for (number, language), text in fragments(campaign, sources, is_open=is_open).items()
        }
    )


def _phase(phase: Phase, digests: Mapping[str, str]) -> dict[str, Any]:
    own = {name: digest for name, digest in digests.items() if name.split("/")[1] == str(phase.number)}
    return {
        "number": phase.number,
        "mode": phase.mode,
        "start": f"{phase.start_at:{INSTANT_FORM}}",
        "end": f"{phase.end_at:{INSTANT_FORM}}",
        "paths": sorted(set(phase.paths)),
        "bodies": {name: digest for name, digest in own.items() if not name.startswith("asset/")},
        "assets": {name: digest for name, digest in own.items() if name.startswith("asset/")},
    }
