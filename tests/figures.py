# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that tests find: noted beside the checkout while they run, kept in `docs/reliability.jsonl` afterwards.

Each row knows its test, the commit and the Debian release whose servers it ran with. The full matrix takes hours and
its parts run by themselves, so a row is replaced by a newer one of its own test and of nothing else, and what is kept
says of every row which commit it is of. `tests/reliability.py` makes documents of it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from testbed.image import own_suite

ROOT = Path(__file__).resolve().parents[1]
NOTED = ROOT / ".cache" / "figures.jsonl"
KEPT = ROOT / "docs" / "reliability.jsonl"

Row = dict[str, str | int | float]
"""Column → what stands there; a table's rows have the same columns in the same order."""

_asked = {"suite": ""}


@dataclass(frozen=True)
class Figure:
    """One row of a table, and where it comes from.

    Attributes:
        table: its name.
        test: the test's id below `tests/`; of a whole run its arguments.
        suite: the Debian release.
        commit: abbreviated; with a `+` where files had been changed since.
        row: what was found.
    """

    table: str
    test: str
    suite: str
    commit: str
    row: Row


def choose_suite(suite: str) -> None:
    """From now on figures are of that Debian release; "" for this machine's own."""
    _asked["suite"] = suite


def note(table: str, *, of: str = "", **row: str | int | float) -> None:
    """Note one row of a table. Processes of one run write side by side: a row is one write.

    Args:
        table: its name.
        of: what it is of, where that is not the test that runs now.
        row: what was found.
    """
    test = of or os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0].removeprefix("tests/")
    figure = Figure(table, test, _asked["suite"] or own_suite(), _commit(), row)
    NOTED.parent.mkdir(parents=True, exist_ok=True)
    with NOTED.open("a", encoding="utf-8") as file:
        file.write(_line(figure))


def noted() -> list[Figure]:
    """All since the file was last deleted."""
    return _read(NOTED)


def kept() -> list[Figure]:
    """Those of the repository."""
    return _read(KEPT)


def merged(old: Iterable[Figure], new: Sequence[Figure], tests: Sequence[str]) -> list[Figure]:
    """What is to be kept: a test's newest rows, and nothing of tests that are no more.

    Args:
        old: what is kept now.
        new: what was noted since.
        tests: the ids of all tests; a figure without a test of its own is never of one that is no more.
    """
    ran = {(figure.suite, figure.test): figure.commit for figure in new}
    newest = [figure for figure in new if ran[figure.suite, figure.test] == figure.commit]
    left = [figure for figure in old if (figure.suite, figure.test) not in ran]
    found = {_line(figure): figure for figure in (*left, *newest)}
    known = set(tests)
    return [
        found[line] for line in sorted(found) if "::" not in found[line].test or found[line].test in known
    ]


def keep(figures: Iterable[Figure]) -> None:
    """Put them into the repository."""
    KEPT.write_text("".join(map(_line, figures)), "utf-8")


def _line(figure: Figure) -> str:
    return json.dumps(asdict(figure), ensure_ascii=False) + "\n"


def _read(path: Path) -> list[Figure]:
    if not path.exists():
        return []
    return [Figure(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


@cache
def _commit() -> str:
    """Of the checkout that runs."""
    words = {"rev-parse": ("--short=9", "HEAD"), "status": ("--porcelain", "--untracked-files=no")}
    said = [
        subprocess.run(
            ["git", verb, *more], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        for verb, more in words.items()
    ]
    return said[0] + ("+" if said[1] else "")
