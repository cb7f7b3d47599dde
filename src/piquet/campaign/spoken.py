# SPDX-License-Identifier: GPL-3.0-or-later
"""The windows of a campaign as people say them. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from piquet.campaign.model import Campaign
from piquet.campaign.windows import duration_text
from piquet.protocol.spoken import spoken_distance, spoken_instant


def window_lines(campaign: Campaign, at: datetime) -> Iterator[str]:
    """Three lines a phase: mode and length, start, end.

    Args:
        campaign: whose phases.
        at: aware; now.
    """
    for phase in campaign.phases:
        yield f"  phase {phase.number} {phase.mode}, {duration_text(phase.end_at - phase.start_at)} long"
        for word, instant in (("from", phase.start_at), ("to", phase.end_at)):
            said = spoken_instant(instant, campaign.timezone)
            yield f"    {word:4} {said}, {spoken_distance(instant - at)}"
