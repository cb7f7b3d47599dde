# SPDX-License-Identifier: GPL-3.0-or-later
"""Local times of one zone → instants in UTC, and back.

A local time that the zone skips or has twice is refused: nobody should learn at night which of the two was
meant. A `duration` is elapsed time, so 24h over a change of clocks ends at another hour. No clock is read.

Source: RFC 9557 section 4 (local times that do not exist or are ambiguous); PEP 495 (fold).
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from piquet.campaign.model import Phase
from piquet.campaign.names import Refusal

_LOCAL = re.compile(r"(20[0-9]{2})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_ZONED = re.compile(r".*T.*(?:Z|z|[+-][0-9]{2}:?[0-9]{2})")
_DURATION = re.compile(r"([1-9][0-9]{0,6})([dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
LOCAL_FORM = "a local time such as 2026-12-17T00:00 or 2026-12-17T00:00:30"


def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name.

    Raises:
        Refusal: if there is none.
    """
    known = zoneinfo.available_timezones()
    if name in known:
        return ZoneInfo(name)
    close = difflib.get_close_matches(name, known, 1, 0.6) or [
        other for other in sorted(known) if other.lower().endswith(f"/{name.lower()}")
    ]
    hint = f"did you mean {close[0]}?" if close else ""
    raise Refusal("there is no such time zone", "an IANA name, such as Europe/Paris", hint)


def instant(text: str, tz: ZoneInfo) -> datetime:
    """The instant at which clocks in `tz` show `text`, in UTC.

    Raises:
        Refusal: if it is not a local time, or the zone skips it or has it twice.
    """
    local = _local_instant(text)
    early, late = (local.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early == late:
        return early
    if early.astimezone(tz).replace(tzinfo=None) != local:
        raise Refusal(
            f"this time does not exist in {tz.key}: clocks are put forward",
            "a time that clocks show",
            f"write {_instant_text(late, tz)} or {_instant_text(early, tz)}",
        )
    raise Refusal(
        f"this time happens twice in {tz.key}: clocks are put back",
        "a time that clocks show once",
        f"it is {early:%H:%M:%S} UTC or {late:%H:%M:%S} UTC; write a time before or after that hour, "
        "or for an end a duration (elapsed time)",
    )


def duration(text: str) -> timedelta:
    """Elapsed time: a whole number and one of d (24 hours), h, m, s.

    Raises:
        Refusal: if it is anything else, or nothing at all.
    """
    match = _DURATION.fullmatch(text)
    if not match:
        raise Refusal("this is not a duration", "a whole number above 0 and d, h, m or s, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def duration_text(length: timedelta) -> str:
    """Elapsed time as campaigns write it, such as `24h` or `1h 30m`; whole seconds."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = (f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if count)
    return " ".join(parts) or "0s"


def overlaps(phases: Iterable[Phase]) -> Iterator[tuple[Phase, Phase]]:
    """Pairs of phases that have an instant in common; the one that starts later comes second."""
    ordered = sorted(phases, key=lambda phase: (phase.start_at, phase.number))
    for first, second in combinations(ordered, 2):
        if second.start_at < first.end_at:
            yield first, second


def local_text(at: datetime, timezone: str) -> str:
    """An instant for people: local date and time with the offset, such as `2026-12-17 00:00:00 +0100`."""
    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S %z")


def _local_instant(text: str) -> datetime:
    match = _LOCAL.fullmatch(text)
    if not match:
        hint = "the zone stands once, in `timezone`; for UTC write `timezone: UTC`"
        raise Refusal("this is not a local time", LOCAL_FORM, hint if _ZONED.fullmatch(text) else "")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        if (hour, minute, second) == (24, 0, 0):
            next_day = datetime(year, month, day) + timedelta(days=1)
            raise Refusal("a day ends at 00:00 of the next", LOCAL_FORM, f"write {next_day:%Y-%m-%dT%H:%M}")
        return datetime(year, month, day, hour, minute, second)
    except ValueError as err:
        if 1 <= year and 1 <= month <= 12 and day > (days := monthrange(year, month)[1]):
            raise Refusal(f"there is no such day: that month has {days}", LOCAL_FORM) from err
        raise Refusal(f"there is no such time: {err}", LOCAL_FORM) from err


def _instant_text(at: datetime, tz: ZoneInfo) -> str:
    local = at.astimezone(tz)
    return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"
