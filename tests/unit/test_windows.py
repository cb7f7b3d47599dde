# SPDX-License-Identifier: GPL-3.0-or-later
"""Local times become the instants that clocks on the wall mean, or are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from piquet.campaign.model import Phase
from piquet.campaign.names import Refusal
from piquet.campaign.windows import duration, instant, overlaps, zone

ZONES = (
    "Europe/Paris",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
)
LOCAL_TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)).map(
    lambda at: at.replace(microsecond=0)
)
PARIS = ZoneInfo("Europe/Paris")


def clock_readings(local: datetime, tz: ZoneInfo) -> list[datetime]:
    """Every instant at which clocks of a zone show `local`, found by trying all offsets that there are."""
    steps = (timedelta(minutes=15 * step) for step in range(-64, 65))
    instants = {local.replace(tzinfo=UTC) - step for step in steps}
    return sorted(at for at in instants if at.astimezone(tz).replace(tzinfo=None) == local)


@example(local=datetime(2026, 3, 29, 2, 0), name="Europe/Paris")
@example(local=datetime(2026, 3, 29, 2, 59, 59), name="Europe/Paris")
@example(local=datetime(2026, 3, 29, 3, 0), name="Europe/Paris")
@example(local=datetime(2026, 10, 25, 1, 59, 59), name="Europe/Paris")
@example(local=datetime(2026, 10, 25, 2, 0), name="Europe/Paris")
@example(local=datetime(2026, 10, 25, 2, 59, 59), name="Europe/Paris")
@example(local=datetime(2026, 10, 25, 3, 0), name="Europe/Paris")
@example(local=datetime(2026, 4, 5, 1, 45), name="Australia/Lord_Howe")
@given(local=LOCAL_TIMES, name=st.sampled_from(ZONES))
def test_a_local_time_is_its_one_instant_or_refused(local: datetime, name: str) -> None:
    """Clocks show it once: that instant. Never, or twice: refused with a way out."""
    tz = zone(name)
    expected = clock_readings(local, tz)
    try:
        actual = [instant(local.isoformat(), tz)]
    except Refusal as err:
        assert len(expected) != 1
        assert ("twice" in err.message) == (len(expected) == 2)
        assert err.hint
    else:
        assert expected == actual


@given(local=LOCAL_TIMES, name=st.sampled_from(ZONES), hours=st.integers(1, 1000))
def test_a_duration_is_elapsed_time(local: datetime, name: str, hours: int) -> None:
    """An hour is 3600 seconds, whatever clocks do meanwhile."""
    assert duration(f"{hours}h").total_seconds() == hours * 3600


def test_a_day_over_a_change_of_clocks_ends_at_another_hour() -> None:
    """24h from midnight ends at 01:00 where clocks were put forward, at 23:00 where they were put back."""
    spring, autumn = (
        instant(text, PARIS) + duration("24h") for text in ("2026-03-29T00:00", "2026-10-25T00:00")
    )
    actual = [f"{at.astimezone(PARIS):%H}" for at in (spring, autumn)]
    assert actual == ["01", "23"]


@pytest.mark.parametrize(("text", "seconds"), [("1d", 86400), ("24h", 86400), ("90m", 5400), ("45s", 45)])
def test_durations(text: str, seconds: int) -> None:
    """A number and a unit."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "0h", "01h", "h", "24", "24 h", "24H", "-1h", "1.5h", "1h30m", "24h\n", "٣h"]
)
def test_what_is_no_duration(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(Refusal):
        duration(text)


@pytest.mark.parametrize(
    "name", ["", "Paris", "europe/paris", "../Paris", "/etc/localtime", "Europe", "Europe/Paris\n"]
)
def test_what_is_no_zone(name: str) -> None:
    """Only exact IANA names are; nothing is opened by path."""
    with pytest.raises(Refusal):
        zone(name)


def test_phases_that_touch_do_not_overlap() -> None:
    """`[start, end)`: the end is not part of the window."""
    times = [datetime(2026, 12, 17, hour, tzinfo=UTC) for hour in (0, 8, 16)]
    touching = [Phase(2, "block", times[1], times[2]), Phase(1, "block", times[0], times[1])]
    second_more = Phase(1, "block", times[0], times[1] + timedelta(seconds=1))
    assert not list(overlaps(touching))
    found = list(overlaps([touching[0], second_more]))
    assert found == [(second_more, touching[0])]
