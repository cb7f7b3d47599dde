# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of what was tried is made of the tests' figures, each of its own commit, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import figures, reliability
from tests.host import platforms_document

OLD, NEW = "t.py::old", "t.py::new"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of its own."""
    monkeypatch.setattr(figures, "NOTED", tmp_path / "noted")
    monkeypatch.setattr(figures, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(reliability, "DOCUMENT", tmp_path / "reliability.md")
    monkeypatch.setattr(platforms_document, "PATH", tmp_path / "platforms.md")
    ids = {(): [OLD, NEW, "t.py::never"], ("-m", "long"): [OLD, "t.py::never"]}
    monkeypatch.setattr(reliability, "collected", lambda *arguments: ids[arguments])
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
        "long": {"outcome": "passed"},
        "programs": {"nginx": "1.2.3", "lua_of_mod_lua": "5.4"},
        "tests": {"part": "all", "passed": 5, "failed": 1},
    }
    for table, row in rows.items():
        if table != leave_out:
            figures.note(table, of=OLD, **row)


def test_every_table_is_shown_with_its_total(kept: Path) -> None:
    """What went wrong is in the totals too, and no text of a row breaks its table."""
    fill()
    assert reliability.main(["--keep"]) == 0
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
        "1 tests passed, 0 failed",
        "| t.py | 1 |",
    ):
        assert total in text
    assert r"| a \| b | nginx | 6 | 0.5 |" in text


def test_an_ordinary_run_has_what_it_notes(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the tables of the full matrix."""
    fill(leave_out="packaged")
    assert reliability.main([]) == 0
    assert "packages" not in capsys.readouterr().out


@pytest.mark.parametrize("missing", [one.table for one in reliability.SECTIONS if not one.is_long])
def test_half_a_run_is_told(kept: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A table without rows fails the run."""
    fill(leave_out=missing)
    assert reliability.main([]) == 1
    assert f"no figures of: {missing}\n" == capsys.readouterr().err


def corpus_row(test: str, commit: str, requests: int, suite: str = "bookworm") -> figures.Figure:
    """What a test of kinds notes."""
    return figures.Figure("corpus", test, suite, commit, {"kind": "static", "requests": requests})


def test_a_newer_row_takes_the_place_of_its_own_test_alone() -> None:
    """Of another test, or of the same on another release, the older one stays; of a test that is gone, none."""
    old = [corpus_row(OLD, "a", 1), corpus_row(OLD, "a", 2, "trixie"), corpus_row("t.py::gone", "a", 3)]
    new = [
        corpus_row(NEW, "b", 4),
        corpus_row(OLD, "a+", 5),
        corpus_row(OLD, "b", 6),
        corpus_row("all", "b", 7),
    ]
    left = figures.merged(old, new, [OLD, NEW])
    assert {2, 4, 6, 7} == {figure.row["requests"] for figure in left}


def test_what_never_ran_is_named(kept: Path) -> None:
    """A part of the matrix that nobody has run is no part that passed."""
    fill()
    reliability.main(["--keep"])
    text = (kept / "reliability.md").read_text("utf-8")
    assert "`t.py::never`" in text and f"`{OLD}`" not in text


def test_another_release_has_a_row_of_its_own(kept: Path) -> None:
    """Its run asks less and says so by dashes; none of its figures is counted with those of the whole matrix."""
    fill()
    figures.choose_suite("forky")
    figures.note("corpus", of=NEW, kind="a", requests=7, wrong_staged=0)
    figures.note("corpus", of=NEW, kind="b", requests=9, wrong_staged=1)
    figures.note("suite", of="e2e/test_ansible.py", passed=7, failed=0)
    figures.note("suite", of="corpus/test_corpus.py", passed=5, failed=1)
    figures.choose_suite("")
    assert reliability.main(["--keep", "--suite"]) == 0
    (row,) = [
        line for line in (kept / "platforms.md").read_text("utf-8").splitlines() if line.startswith("| forky")
    ]
    assert row.startswith("| forky | – | – | – | – | – | 1 of 2 | – | – | – | 5, 1 failed | ")
    assert "1 kinds, 70 requests" in (kept / "reliability.md").read_text("utf-8")
