# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of what was tried is made of a run's figures, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import figures, reliability


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of its own."""
    monkeypatch.setattr(figures, "FOLDER", tmp_path / "figures")
    monkeypatch.setattr(reliability, "DOCUMENT", tmp_path / "reliability.md")
    return tmp_path


def fill(leave_out: str = "") -> None:
    """One row for every table."""
    rows: dict[str, figures.Row] = {
        "faults": {"fault": "a | b", "server": "nginx", "sites": 6, "site_seconds_outside": 0.5},
        "load": {"server": "nginx", "moment": "start", "requests": 1234, "failed": 2, "reloads": 0},
        "skew": {"server": "nginx", "first_strike_after_start_ms": -3.4},
        "machine": {"rule": "steps in all", "times": 10_000},
        "corpus": {"server": "nginx", "kind": "static", "requests": 70, "wrong_staged": 1, "wrong_active": 2},
        "modes": {
            "server": "nginx",
            "kinds": "all 3",
            "requests": 8,
            "wrong": 1,
            "one_banner": 4,
            "without": 2,
        },
        "main_files": {"server": "nginx", "file": "own-maps", "requests": 9, "wrong_staged": 0},
        "random_apache": {
            "seed": 7,
            "configurations": 500,
            "sites": 900,
            "answers_staged": 9000,
            "differences": 0,
        },
        "random_nginx": {
            "seed": 7,
            "examples": 15,
            "sites": 45,
            "accepted": 40,
            "requests": 1200,
            "differences": 0,
        },
        "packaged": {"server": "nginx", "package": "x", "requests": 7, "wrong_staged": 0},
        "parity": {"test": "t", "what": "files", "pairs": 12},
        "bad-input": {"case": "tabs", "reasons": 3},
        "long-only": {"test": "t", "promise": "p"},
        "tests": {"part": "all", "passed": 5, "failed": 1},
    }
    for table, row in rows.items():
        if table != leave_out:
            figures.note(table, **row)


def test_every_table_is_shown_with_its_total(kept: Path) -> None:
    """What went wrong is in the totals too, and no text of a row breaks its table."""
    fill()
    assert reliability.main(["--write"]) == 0
    text = (kept / "reliability.md").read_text("utf-8")
    for total in (
        "1 faults, 1 times, 0.5 site-seconds on strike outside the window",
        "1,234 requests; failed where nothing was reloaded: 2 at start, 0 at end, 0 at rollback",
        "largest distance from the agreed instant: 3 ms",
        "10,000 steps",
        "1 kinds, 70 requests, 3 wrong answers",
        "8 requests, 1 wrong answers; 4 pages with exactly one banner, 2 without though they could have one",
        "500 configurations, 900 sites, 9,000 staged answers, 0 differences",
        "15 configurations, 45 sites, 1,200 requests, 0 differences",
        "12 comparisons, none different",
        "1 cases, 3 reasons told",
        "5 passed, 1 failed",
    ):
        assert total in text
    assert r"| a \| b | nginx | 6 | 0.5 |" in text


def test_an_ordinary_run_has_what_it_keeps(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the tables of the full matrix, and not without any other."""
    fill(leave_out="packaged")
    assert reliability.main([]) == 0
    assert "packages" not in capsys.readouterr().out


@pytest.mark.parametrize("missing", [section.table for section in reliability.SECTIONS])
def test_half_a_run_makes_no_document(kept: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A table without rows is told, and nothing is written."""
    fill(leave_out=missing)
    assert reliability.main(["--write"]) == 1
    assert missing in capsys.readouterr().err
    assert not (kept / "reliability.md").exists()
