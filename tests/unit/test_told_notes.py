# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes of a plan are told once, and again when there is another one."""

from __future__ import annotations

from pathlib import Path

from piquet.fleet.workdir import Workdir


def test_the_same_notes_of_the_same_plan_are_told_once(tmp_path: Path) -> None:
    """Another note, or another plan, is news; what cannot be written is told in some form all the same."""
    work = Workdir(tmp_path)
    told = [
        work.is_told(digest, notes)
        for digest, notes in (("a", "x"), ("a", "x"), ("a", "x\ny"), ("b", "x\ny"))
    ]
    assert told == [False, True, False, False]
    assert not work.is_told("c", "\ud800")


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """Arming from it goes on, and says the notes once more."""
    (tmp_path / "told").write_text("a file in the way", "utf-8")
    work = Workdir(tmp_path)
    assert [work.is_told("a", "x") for _ in range(2)] == [False, False]
