# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures that a run of the tests finds: kept beside the checkout while it runs, made into one document at its end.

A table is a file of JSON lines in `.cache/figures`; `script/test` empties the folder before it starts. Processes of one
run write side by side: a row is one write. `tests/reliability.py` reads them again.
"""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "figures"

Row = dict[str, str | int | float]
"""Column → what stands there; a table's rows have the same columns in the same order."""


def note(table: str, **row: str | int | float) -> None:
    """Keep one row of a table."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{table}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read(table: str) -> list[Row]:
    """All rows of a table, in the order in which they came; none if nobody noted any."""
    path = FOLDER / f"{table}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
