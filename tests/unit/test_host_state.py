# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host is in, in a few words, and which sites are apart."""

from __future__ import annotations

from typing import Any

import pytest

from piquet.controller.host_state import sites_text, state_text

DAY_S = 86_400
PHASES = [
    {"number": 1, "mode": "banner", "start": 0, "end": DAY_S},
    {"number": 2, "mode": "block", "start": DAY_S, "end": 2 * DAY_S},
]


def entry(name: str, *phases: int, **more: Any) -> dict[str, Any]:
    """One selected site whose flag is up."""
    return {"key": name, "phases": list(phases or (1, 2)), "flag": True, "stopped": False, **more}


def stopped(name: str, by: str = "hand", at: float = DAY_S + 60) -> dict[str, Any]:
    """One that was stopped alone."""
    return entry(name, flag=False, stopped=True, stopped_at=at, stopped_by=by)


def status(*entries: dict[str, Any], now: float = DAY_S + 3600, **more: Any) -> dict[str, Any]:
    """Of an armed host."""
    told = {
        "state": "armed",
        "now": now,
        "timezone": "Europe/Paris",
        "phases": PHASES,
        "entries": list(entries),
    }
    return {**told, **more}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (status(entry("a.x"), entry("b.x")), "armed: block on 2 sites"),
        (status(entry("a.x"), entry("m.x", 1), now=60), "armed: banner on 2 sites"),
        (
            status(entry("a.x"), entry("m.x", 1, flag=False)),
            "armed: block on 1 site, 1 whose phases are over",
        ),
        (status(entry("a.x"), entry("b.x", 2), now=60), "armed: banner on 1 site, 1 not in this phase"),
        (status(entry("a.x"), stopped("b.x")), "armed: block on 1 site, 1 stopped"),
        (status(entry("a.x"), entry("b.x", flag=False)), "armed: block on 1 site, 1 WITHOUT A FLAG"),
        (status(entry("a.x"), now=-60), "armed: 1 site"),
        (status(), "armed: no site"),
        ({"state": "staged"}, "staged, not armed"),
        ({"state": "absent"}, "nothing staged"),
        ({}, "unknown"),
        (
            {
                "state": "stopped",
                "timezone": "Europe/Paris",
                "ended": {"reason": "stopped by hand", "at": 60},
            },
            "stopped by hand Thu 1 Jan 01:01:00",
        ),
        ({"state": "stopped", "ended": {"reason": "rollback", "at": 60}}, "rolled back Thu 1 Jan 00:01:00"),
        ({"state": "stopped", "ended": {"reason": "not intact", "at": None}}, "released (not intact)"),
        ({"state": "ended", "ended": {"reason": "ended", "at": 0}}, "ended Thu 1 Jan 00:00:00"),
        ({"state": "stopped"}, "stopped"),
    ],
)
def test_a_host_in_a_few_words(told: dict[str, Any], expected: str) -> None:
    """What is due on how many sites; what is not shown is told apart; who is not armed, since when and why."""
    assert state_text(told) == expected


@pytest.mark.parametrize(
    "damage",
    [
        {"phases": "x"}, {"phases": [{}]}, {"entries": [1]}, {"now": "soon"}, {"entries": [{"phases": [9]}]},
        {"state": "stopped", "ended": {"reason": "rollback", "at": "x"}},
        {"state": "stopped", "ended": {"reason": "rollback", "at": 1e300}},
        {"state": "stopped", "timezone": "../../etc", "ended": {"reason": "rollback", "at": 1}},
        {"state": "stopped", "ended": [1]},
    ],
)  # fmt: skip
def test_a_damaged_document_spoils_its_own_row_alone(damage: dict[str, Any]) -> None:
    """Its state is still told, and the other hosts' sites are."""
    broken = {**status(entry("a.x")), **damage}
    assert state_text(broken) == broken["state"] or state_text(broken).startswith("armed")
    assert "b.x" in sites_text([("bad", broken), ("good", status(entry("a.x"), stopped("b.x")))])


def test_sites_that_were_stopped_alone_are_named_with_how_and_when() -> None:
    """One line a site, with all its hosts; a wildcard by its name, and not by the name of its flag."""
    both = status(entry("a.x"), stopped("_.blogs.x", "name"), stopped("c.x", "hook"))
    assert sites_text([("web1", both), ("web2", both)]) == (
        "stopped alone, and so until somebody arms again:\n"
        "  *.blogs.x: by its name (stop), Fri 2 Jan 01:01, on web1, web2\n"
        "  c.x: its hook line was taken out, Fri 2 Jan 01:01, on web1, web2"
    )


def test_sites_that_are_never_blocked_are_named_where_others_are() -> None:
    """A site with a banner alone, beside one that is blocked; not in a campaign of banners."""
    assert sites_text([("w", status(entry("a.x"), entry("m.x", 1)))]) == "message only, never blocked: m.x"
    assert sites_text([("w", status(entry("m.x", 1)))]) == ""
    assert sites_text([("w", status(entry("m.x", 1))), ("v", status(entry("m.x", 2)))]) == ""


def test_thousands_are_counted_and_not_printed() -> None:
    """A screen of them at most."""
    many = [stopped(f"s{number:04}.x") for number in range(3000)]
    lines = sites_text([("w", status(entry("a.x"), *many))]).splitlines()
    assert len(lines) == 22 and lines[-1] == "  and 2980 more (--json has them all)"
