# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease matches every second of the window and no other number."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from piquet.servers.lease import number_pattern, window_pattern


@given(first=st.integers(0, 10**11), width=st.integers(0, 10**10), asked=st.integers(0, 2 * 10**11))
@example(first=999_999_990, width=20, asked=1_000_000_000)
@example(first=9_999_999_999, width=1, asked=10_000_000_000)
@example(first=0, width=0, asked=0)
def test_pattern_matches_exactly_the_interval(first: int, width: int, asked: int) -> None:
    """A number matches if and only if it lies between the ends, ends and their neighbours always asked."""
    last = first + width
    pattern = re.compile(number_pattern(first, last))
    for number in {asked, first, last, last + 1, abs(first - 1), first + width // 2}:
        assert (first <= number <= last) == bool(pattern.fullmatch(str(number)))


@pytest.mark.parametrize("digits", range(1, 5))
def test_every_number_of_small_ranges(digits: int) -> None:
    """Exhaustive around a growing number of digits."""
    border = 10**digits
    for first in range(max(0, border - 12), border):
        pattern = re.compile(number_pattern(first, first + 25))
        found = {n for n in range(border * 2 + 40) if pattern.fullmatch(str(n))}
        expected = set(range(first, first + 26))
        assert expected == found


def test_window_is_half_open() -> None:
    """Start is inside, end is not, whatever zone the instants are written in."""
    start = datetime(2026, 12, 17, tzinfo=timezone(timedelta(hours=1)))
    pattern = re.compile(window_pattern(start, start + timedelta(days=1)))
    epoch = int(datetime(2026, 12, 16, 23, tzinfo=UTC).timestamp())
    inside = [bool(pattern.fullmatch(str(epoch + offset))) for offset in (-1, 0, 86_399, 86_400)]
    assert [False, True, True, False] == inside


@pytest.mark.parametrize("end", [datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC)])
def test_empty_window_is_refused(end: datetime) -> None:
    """A lease that never holds is a mistake of the caller."""
    with pytest.raises(ValueError, match="no numbers"):
        window_pattern(datetime(2026, 1, 1, tzinfo=UTC), end)


def test_instants_need_zone_and_whole_seconds() -> None:
    """A naive instant would mean the controller's own zone."""
    good = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        window_pattern(good.replace(tzinfo=None), good + timedelta(hours=1))
    with pytest.raises(ValueError, match="whole second"):
        window_pattern(good, good + timedelta(seconds=1, microseconds=1))
