# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease as it stands in a server's configuration: whole numbers from … to … as a regular expression over digits.

`piquet.servers.lease` writes it, and hosts read it back to hold it against what was decided. No file, no clock.
"""

from __future__ import annotations

import re
from typing import Iterator, List, Optional, Tuple

Span = Tuple[int, int]
"""First and last number."""
_ATOM = re.compile(r"([0-9])|\[([0-9])-([0-9])\](?:\{([0-9]+)\})?")
_PATTERN = re.compile(r"\(\?:((?:[0-9]|\[[0-9]-[0-9]\](?:\{[0-9]+\})?|\|)+)\)")
_DIGITS = 9
"""Fewer digits are no second of any year that matters."""


def number_pattern(first: int, last: int) -> str:
    """`(?:a|b|…)` matching exactly the decimal numbers from `first` to `last`, both included.

    Raises:
        ValueError: `first` is negative or behind `last`.
    """
    if first < 0 or first > last:
        raise ValueError(f"no numbers from {first} to {last}")
    parts = [part for low, high in _by_length(first, last) for part in _same_length(low, high)]
    return "(?:" + "|".join(parts) + ")"


def _by_length(first: int, last: int) -> Iterator[Tuple[str, str]]:
    """Split where the number of digits grows, so that each pair has equally many."""
    while len(str(first)) < len(str(last)):
        border = 10 ** len(str(first))
        yield str(first), str(border - 1)
        first = border
    yield str(first), str(last)


def _same_length(low: str, high: str) -> List[str]:
    if low == high:
        return [low]
    shared = next(i for i, (a, b) in enumerate(zip(low, high)) if a != b)
    prefix, rest = low[:shared], len(low) - shared - 1
    if rest == 0:
        return [prefix + _digits(int(low[-1]), int(high[-1]))]
    parts: List[str] = []
    first, last = int(low[shared]), int(high[shared])
    if low[shared + 1 :] != "0" * rest:
        parts += _same_length(low, prefix + str(first) + "9" * rest)
        first += 1
    tail: List[str] = []
    if high[shared + 1 :] != "9" * rest:
        tail = _same_length(prefix + str(last) + "0" * rest, high)
        last -= 1
    if first <= last:
        parts.append(prefix + _digits(first, last) + "[0-9]" + (f"{{{rest}}}" if rest > 1 else ""))
    return parts + tail


def _digits(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def windows_in(text: str) -> Iterator[Tuple[int, Optional[Span]]]:
    """Every lease that stands in a text: where it ends, and its first and last second; None for one that has gaps.

    What has fewer digits than a second of our time is no lease.
    """
    for found in _PATTERN.finditer(text):
        spans = [_span(part) for part in found[1].split("|")]
        if all(span is not None and len(str(span[1])) >= _DIGITS for span in spans):
            yield found.end(), _joined_span([span for span in spans if span])


def _span(part: str) -> Optional[Span]:
    """The numbers that one branch matches, if they have no gap: a free digit comes behind all fixed ones."""
    first = last = ""
    is_free = False
    at = 0
    for atom in _ATOM.finditer(part):
        if atom.start() != at:
            return None
        at = atom.end()
        low, high = (atom[1], atom[1]) if atom[1] else (atom[2], atom[3])
        if is_free and (low, high) != ("0", "9"):
            return None
        is_free = is_free or low != high
        times = int(atom[4] or 1)
        if times > 20 or (times > 1 and (low, high) != ("0", "9")):
            return None
        first, last = first + low * times, last + high * times
    return (int(first), int(last)) if part and at == len(part) else None


def _joined_span(spans: List[Span]) -> Optional[Span]:
    ordered = sorted(spans)
    for before, after in zip(ordered, ordered[1:]):
        if after[0] != before[1] + 1:
            return None
    return ordered[0][0], ordered[-1][1]
