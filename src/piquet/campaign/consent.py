# SPDX-License-Identifier: GPL-3.0-or-later
"""The consent list: a CSV text → which sites agreed to what.

Columns `site` and `answer` (`in`, `out`, `message`), separated by comma or semicolon; further columns and
lines starting with `#` are ignored. A site is a pattern as in the campaign file. No file, no clock.

Source: RFC 4180.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from piquet.campaign.document import shown
from piquet.campaign.model import Answer
from piquet.campaign.names import Refusal, site_pattern
from piquet.errors import Problem

ANSWERS = ("in", "out", "message")


@dataclass
class ConsentList:
    """What a list says.

    Attributes:
        answers: pattern → answer.
        places: pattern → line and column of its first row, 1-based.
        problems: everything that is wrong with the text.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_consent(text: str, file: str) -> ConsentList:
    """Read the list."""
    read = ConsentList()
    found, problems, lines = read.answers, read.problems, text.split("\n")
    try:
        for line, site, answer in _rows(text):
            try:
                pattern, value = site_pattern(site.strip()), _answer(answer.strip())
            except Refusal as err:
                got = shown(answer if "answer" in err.message else site)
                problems.append(Problem(file, line, 0, err.message, err.expected, got, err.hint))
                continue
            if found.setdefault(pattern, value) != value:
                message = f"{pattern} has two different answers"
                problems.append(
                    Problem(
                        file, line, 0, message, hint=f"the first one stands in line {read.places[pattern][0]}"
                    )
                )
            read.places.setdefault(pattern, (line, lines[line - 1].find(site.strip()) + 1))
    except (Refusal, csv.Error) as err:
        expected = err.expected if isinstance(err, Refusal) else "RFC 4180"
        problems.append(Problem(file, 1, 0, f"this is not a consent list: {err}", expected))
    if not found and not problems:
        problems.append(
            Problem(file, 0, 0, "this list is empty", "a line `site,answer` and one line per site")
        )
    return read


def _rows(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, site and answer of each row."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text.lstrip("\ufeff")), delimiter=";" if ";" in first else ",", strict=True
    )
    header = [cell.strip().lower() for cell in next(reader, [])]
    if "site" not in header or "answer" not in header:
        raise Refusal("the first line names no columns", "site,answer")
    site, answer = header.index("site"), header.index("answer")
    for row in reader:
        if row and any(row) and not row[0].startswith("#"):
            cells = [*row, *[""] * len(header)]
            yield reader.line_num, cells[site], cells[answer]


def _answer(text: str) -> Answer:
    if text.lower() not in ANSWERS:
        raise Refusal("this answer is not known", ", ".join(ANSWERS))
    return cast("Answer", text.lower())
