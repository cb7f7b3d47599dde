# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: a window `[start, end)` of UTC epoch seconds as a regular expression over decimal digits.

It is compiled into the server's own configuration, so that a picket ends by itself: no job, no reload,
no network and nobody awake is needed. Pure arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime


def window_pattern(start_at: datetime, end_at: datetime) -> str:
    """Alternation that matches the digits of every second in `[start_at, end_at)`, and no other number.

    Args:
        start_at: first second inside, timezone-aware.
        end_at: first second outside, timezone-aware.

    Raises:
        ValueError: the window is empty, or an instant has no time zone or a fraction of a second.
    """
    return number_pattern(_epoch(start_at), _epoch(end_at) - 1)


def number_pattern(first: int, last: int) -> str:
    """`(?:a|b|…)` matching exactly the decimal numbers from `first` to `last`, both included.

    Raises:
        ValueError: `first` is negative or behind `last`.
    """
    if first < 0 or first > last:
        raise ValueError(f"no numbers from {first} to {last}")
    parts = [part for low, high in _by_length(first, last) for part in _same_length(low, high)]
    return "(?:" + "|".join(parts) + ")"


def _epoch(instant: datetime) -> int:
    if instant.tzinfo is None or instant.microsecond:
        raise ValueError(f"not a whole second with a time zone: {instant!r}")
    return int(instant.timestamp())


def _by_length(first: int, last: int) -> Iterator[tuple[str, str]]:
    """Split where the number of digits grows, so that each pair has equally many."""
    while len(str(first)) < len(str(last)):
        border = 10 ** len(str(first))
        yield str(first), str(border - 1)
        first = border
    yield str(first), str(last)


def _same_length(low: str, high: str) -> list[str]:
    if low == high:
        return [low]
    shared = next(i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a != b)
    prefix, rest = low[:shared], len(low) - shared - 1
    if rest == 0:
        return [prefix + _digits(int(low[-1]), int(high[-1]))]
    parts: list[str] = []
    first, last = int(low[shared]), int(high[shared])
    if low[shared + 1 :] != "0" * rest:
        parts += _same_length(low, prefix + str(first) + "9" * rest)
        first += 1
    tail: list[str] = []
    if high[shared + 1 :] != "9" * rest:
        tail = _same_length(prefix + str(last) + "0" * rest, high)
        last -= 1
    if first <= last:
        parts.append(prefix + _digits(first, last) + "[0-9]" + (f"{{{rest}}}" if rest > 1 else ""))
    return parts + tail


def _digits(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"
