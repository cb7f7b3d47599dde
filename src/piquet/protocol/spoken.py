# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants as people say them: weekday, date, local time, its zone, UTC, and how far away.

The same on every road, in every verb and at the machine. No file, no network, no clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG = timedelta(days=2)
"""From here on days are counted."""


def spoken_instant(at: datetime, zone: str) -> str:
    """An instant: `Thu 17 Dec 2026 00:00:00 Europe/Paris (16 Dec 23:00:00 UTC)`, the day in UTC only if it is another.

    Args:
        at: aware.
        zone: IANA name.

    Raises:
        ImportError, KeyError, ValueError, OSError: this machine knows no such zone.
        OverflowError: the year has no local time.
    """
    local, utc = local_time(at, zone), at.astimezone(timezone.utc)
    said = f"{_DAYS[local.weekday()]} {_day(local)} {local.year} {local:%H:%M:%S} {zone}"
    if zone == "UTC":
        return said
    day = "" if utc.date() == local.date() else f"{_day(utc)} "
    return f"{said} ({day}{utc:%H:%M:%S} UTC)"


def spoken_moment(at: datetime, zone: str) -> str:
    """The same in a table whose head says the zone: `Thu 17 Dec 00:00:00`."""
    local = local_time(at, zone)
    return f"{_DAYS[local.weekday()]} {_day(local)} {local:%H:%M:%S}"


def local_time(at: datetime, zone: str) -> datetime:
    """The instant on the clocks of a zone; UTC needs no data of zones."""
    if zone == "UTC":
        return at.astimezone(timezone.utc)
    from zoneinfo import ZoneInfo  # Python 3.9

    return at.astimezone(ZoneInfo(zone))


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


def _day(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]}"
