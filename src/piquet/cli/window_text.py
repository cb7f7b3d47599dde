# SPDX-License-Identifier: GPL-3.0-or-later
"""The windows of a campaign, to be read aloud: local time and UTC in one line each."""

from __future__ import annotations

from collections.abc import Iterator

from piquet.campaign.model import Campaign
from piquet.campaign.windows import duration_text, local_text


def window_lines(campaign: Campaign) -> Iterator[str]:
    """Three lines a phase: mode and length, start, end."""
    for phase in campaign.phases:
        yield f"  phase {phase.number} {phase.mode}, {duration_text(phase.end_at - phase.start_at)} long"
        for word, at in (("from", phase.start_at), ("to", phase.end_at)):
            yield f"    {word:4} {local_text(at, campaign.timezone)} = {at:%Y-%m-%d %H:%M:%S} UTC"
