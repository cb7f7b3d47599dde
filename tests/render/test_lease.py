# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease matches every second of the window and no other number."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from piquet.protocol.lease import number_pattern, windows_in
from piquet.servers.lease import window_pattern


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


@given(st.integers(100_000_000, 99_999_999_999), st.integers(0, 10_000_000))
def test_a_lease_is_read_back_as_it_was_written(first: int, length: int) -> None:
    """Hosts hold what stands in the configuration against what was decided, to the second."""
    pattern = number_pattern(first, first + length)
    assert [span for _, span in windows_in(f"=~ m#^t={pattern}[0-9]{{6}}$#")] == [(first, first + length)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("(?:1797465600|1797465602)", [None]),
        ("(?:17974[0-4][0-9]{2}[1-3][0-9]{2})", []),
        ("(?:1|2|3)", []),
        ("(?:179746560[0-9])(?:179746561[0-9])", [(1797465600, 1797465609), (1797465610, 1797465619)]),
    ],
)
def test_a_lease_of_somebody_else_is_no_window(pattern: str, expected: list[object]) -> None:
    """Gaps are told; a pattern of another shape must not pass for a shorter window."""
    found = [span for _, span in windows_in(pattern)]
    assert expected == found
