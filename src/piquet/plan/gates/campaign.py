# SPDX-License-Identifier: GPL-3.0-or-later
"""What the campaign alone tells: its windows, seen from one instant. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from piquet.campaign.model import Campaign, Phase
from piquet.campaign.windows import duration_text, local_text, overlaps
from piquet.protocol.findings import Finding

FAR = timedelta(days=60)
"""A start so far ahead is more often a slip of the pen than a plan."""
_IS_MEANT = "if that is the day that was agreed, go on"


def campaign_findings(campaign: Campaign, at: datetime) -> Iterator[Finding]:
    """What the campaign alone tells, seen from the instant `at`."""
    last_end = max(phase.end_at for phase in campaign.phases)
    for phase in campaign.phases:
        subject = f"phase {phase.number}"
        yield from _window_findings(campaign, phase, subject, at, last_end)
    for first, second in overlaps(campaign.phases):
        message = f"it begins before phase {first.number} has ended"
        yield Finding("error", "phases-overlap", f"phase {second.number}", message)


def _window_findings(
    campaign: Campaign, phase: Phase, subject: str, at: datetime, last_end: datetime
) -> Iterator[Finding]:
    start, end = (local_text(when, campaign.timezone) for when in (phase.start_at, phase.end_at))
    now = local_text(at, campaign.timezone)
    if phase.end_at <= at:
        if last_end <= at:
            hint = "give it new dates, and let people agree to them again"
            yield Finding(
                "error", "window-past", subject, "its window is over", f"an end after {now}", end, hint
            )
        else:
            message, hint = (
                "it is over and shows nothing any more",
                "where that is not meant, give it new dates",
            )
            yield Finding("warning", "window-past", subject, message, got=end, hint=hint)
    elif phase.start_at <= at:
        message = f"its window began at {start}: once armed, it shows at once"
        hint = "if the campaign has not changed since it was staged, arm alone is enough"
        yield Finding("warning", "window-begun", subject, message, f"a start after {now}", start, hint)
    else:
        yield from _far(campaign, phase, subject, at)
    length, limit = phase.end_at - phase.start_at, campaign.limits.max_block
    if phase.mode == "block" and length > limit:
        hint = "shorten the window, or raise limits.max_block if that was agreed"
        expected, got = f"at most {duration_text(limit)}", duration_text(length)
        yield Finding("error", "window-too-long", subject, "it blocks too long", expected, got, hint)


def _far(campaign: Campaign, phase: Phase, subject: str, at: datetime) -> Iterator[Finding]:
    """A start in another year, or in months: 2027 for 2026 is right in every other respect."""
    zone = ZoneInfo(campaign.timezone)
    ahead, start = phase.start_at - at, local_text(phase.start_at, campaign.timezone)
    year = at.astimezone(zone).year
    if phase.start_at.astimezone(zone).year != year:
        message = f"it begins in another year, {ahead.days} days from now"
        yield Finding("warning", "window-far", subject, message, f"a start in {year}", start, _IS_MEANT)
    elif ahead > FAR:
        message = f"it begins {ahead.days} days from now"
        yield Finding("warning", "window-far", subject, message, f"within {FAR.days} days", start, _IS_MEANT)
