# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants and windows as people say them: weekday, date, local time, its zone, UTC, and how far away.

The same on every road and in every verb. No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from piquet.campaign.model import Campaign
from piquet.campaign.windows import duration_text

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG = timedelta(days=2)
"""From here on days are counted."""


def spoken_instant(at: datetime, timezone: str) -> str:
    """An instant: `Thu 17 Dec 2026 00:00:00 Europe/Paris (16 Dec 23:00:00 UTC)`, the day in UTC only if it is another.

    Args:
        at: aware.
        timezone: IANA name.
    """
    local, utc = at.astimezone(ZoneInfo(timezone)), at.astimezone(UTC)
    said = f"{_DAYS[local.weekday()]} {_day(local)} {local.year} {local:%H:%M:%S} {timezone}"
    if timezone == "UTC":
        return said
    day = "" if utc.date() == local.date() else f"{_day(utc)} "
    return f"{said} ({day}{utc:%H:%M:%S} UTC)"


def spoken_distance(ahead: timedelta) -> str:
    """How far away an instant is: `in 16 days`, `in 2 h 57 min`, `in 1 min 12 s`, `in 9 s`, `9 s ago`, `now`."""
    seconds = abs(int(ahead.total_seconds()))
    minutes, rest_s = divmod(seconds, 60)
    hours, rest_min = divmod(minutes, 60)
    if abs(ahead) >= _LONG:
        said = f"{abs(ahead).days} days"
    elif hours:
        said = f"{hours} h {rest_min} min"
    else:
        said = f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"
    if not seconds:
        return "now"
    return f"{said} ago" if ahead < timedelta(0) else f"in {said}"


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


def _day(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]}"
