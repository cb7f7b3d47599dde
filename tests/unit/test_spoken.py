# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants as people say them, and what is due now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from piquet.controller.now import now_text
from piquet.protocol.spoken import spoken_distance, spoken_instant

START = datetime(2026, 12, 16, 23, tzinfo=UTC)
BLOCK_FROM = "Thu 17 Dec 2026 00:00:00 Europe/Paris (16 Dec 23:00:00 UTC)"
BLOCK_TO = "Thu 17 Dec 2026 01:00:00 Europe/Paris (00:00:00 UTC)"
OCCUPY_FROM = "Thu 17 Dec 2026 03:00:00 Europe/Paris (02:00:00 UTC)"
OCCUPY_TO = "Thu 17 Dec 2026 04:00:00 Europe/Paris (03:00:00 UTC)"


@pytest.mark.parametrize(
    ("at", "timezone", "said"),
    [
        (START, "Europe/Paris", BLOCK_FROM),
        (START + timedelta(hours=1), "Europe/Paris", BLOCK_TO),
        (START, "UTC", "Wed 16 Dec 2026 23:00:00 UTC"),
        (START, "America/Sao_Paulo", "Wed 16 Dec 2026 20:00:00 America/Sao_Paulo (23:00:00 UTC)"),
    ],
)
def test_an_instant_has_weekday_zone_and_utc(at: datetime, timezone: str, said: str) -> None:
    """The day in UTC stands there only where it is another."""
    assert spoken_instant(at, timezone) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"), (-0.9, "now"), (59.9, "in 59 s"), (72, "in 1 min 12 s"), (3600, "in 1 h 0 min"),
        (10620, "in 2 h 57 min"),
        (172_799, "in 47 h 59 min"), (172_800, "in 2 days"), (1_400_000, "in 16 days"), (-5, "5 s ago"),
        (-172_801, "2 days ago"),
    ],
)  # fmt: skip
def test_a_distance_is_as_exact_as_it_is_near(seconds: float, said: str) -> None:
    """Days from two on, then hours and minutes, then minutes and seconds."""
    assert spoken_distance(timedelta(seconds=seconds)) == said


def status(state: str = "armed", campaign: str = "greve", **more: Any) -> dict[str, Any]:
    """What a host says that has a block of an hour, and an occupied page two hours later."""
    begin = int(START.timestamp())
    phases = [
        {"number": 1, "mode": "block", "start": begin, "end": begin + 3600},
        {"number": 2, "mode": "occupy", "start": begin + 10800, "end": begin + 14400},
    ]
    return {"state": state, "campaign": campaign, "timezone": "Europe/Paris", "phases": phases, **more}


@pytest.mark.parametrize(
    ("statuses", "after_s", "said"),
    [
        ([], 0, "NOW: nothing is staged on any host that answered"),
        ([{"state": "absent", "phases": []}], 0, "NOW: nothing is staged on any host that answered"),
        ([status()], -60, f"NOW: armed, no window is open; next: block, from {BLOCK_FROM}, in 1 min 0 s"),
        ([status()], 0,
         f"NOW: block, until {BLOCK_TO}, in 1 h 0 min; next: occupy, from {OCCUPY_FROM}, in 3 h 0 min"),
        ([status(), status("stopped")], 3599,
         f"NOW: block on 1 of 2 hosts, until {BLOCK_TO}, in 1 s; next: occupy, from {OCCUPY_FROM}, in 2 h 0 min"),
        ([status()], 3600, f"NOW: armed, no window is open; next: occupy, from {OCCUPY_FROM}, in 2 h 0 min"),
        ([status()], 10800, f"NOW: occupy, until {OCCUPY_TO}, in 1 h 0 min"),
        ([status()], 14400, f"NOW: every window is over, since {OCCUPY_TO}, now"),
        ([status("staged")], -9,
         f"NOW: no host that answered is armed, so nothing begins by itself there; "
         f"planned: block, from {BLOCK_FROM}, in 9 s"),
        ([status("stopped")], 9,
         f"NOW: no host that answered is armed, so nothing begins by itself there; "
         f"planned: block, since {BLOCK_FROM}, 9 s ago"),
        ([status(), status(campaign="autre")], 10800,
         f"NOW (autre): occupy, until {OCCUPY_TO}, in 1 h 0 min\nNOW (greve): occupy, until {OCCUPY_TO}, in 1 h 0 min"),
        ([status(phases=[{"mode": "block"}])], 0,
         "NOW: unknown on 1 host, whose windows could not be read"),
        ([status(timezone="../../etc/passwd")], 0,
         "NOW: unknown on 1 host, whose windows could not be read"),
        *(([status(timezone=zone)], 0,
           "NOW: unknown on 1 host, whose windows could not be read")
          for zone in ("Europe", "x" * 5000, "a\0b", "Europe/Paris\n", "..")),
        ([status(timezone="Asia/Tokyo", phases=[{"mode": "block", "start": 1, "end": 253_402_300_799}])], 0,
         "NOW: unknown on 1 host, whose windows could not be read"),
        ([status(), status(timezone="Europe")], 10800,
         f"NOW: occupy, until {OCCUPY_TO}, in 1 h 0 min\nNOW: unknown on 1 host, whose windows could not be read"),
        ([status(timezone=None)], 10800,
         "NOW: occupy, until Thu 17 Dec 2026 03:00:00 UTC, in 1 h 0 min"),
    ],
)  # fmt: skip
def test_what_is_due_is_said_first(statuses: list[dict[str, Any]], after_s: int, said: str) -> None:
    """Before, inside, between and after windows, armed or not; from hosts that lie as well."""
    assert now_text(statuses, START + timedelta(seconds=after_s)) == said
