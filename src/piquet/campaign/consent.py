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
from piquet.campaign.model import ConsentAnswer
from piquet.campaign.names import Refusal, site_pattern
from piquet.errors import Problem

MAX_WRONG_ROWS = 200
"""After so many a file is no list of ours, and what follows in it is not looked at."""
MAX_LINES = 100_000
"""More than there are sites in any fleet of ours, and some seconds of work."""
MAX_HEADER_CHARACTERS = 10_000
ANSWERS = ("in", "out", "message")


@dataclass
class ConsentList:
    """What a list says.

    Attributes:
        answers: pattern → answer.
        places: pattern → line and column of its first row, 1-based.
        problems: everything that is wrong with the text.
    """

    answers: dict[str, ConsentAnswer] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_consent(text: str, file: str) -> ConsentList:
    """Read the list."""
    read = ConsentList()
    lines = text.split("\n")
    try:
        for line, site, answer in _rows(text):
            if len(read.problems) == MAX_WRONG_ROWS or line > MAX_LINES:
                message, expected = (
                    "this list is too long, or wrong in too many rows",
                    f"at most {MAX_LINES} lines",
                )
                read.problems.append(Problem(file, line, 0, message, expected))
                break
            column = lines[line - 1].find(site.strip()) + 1
            _read_row(read, file, (line, column), site, answer)
    except (Refusal, csv.Error) as err:
        expected = err.expected if isinstance(err, Refusal) else "RFC 4180"
        read.problems.append(Problem(file, 1, 0, f"this is not a consent list: {err}", expected))
    if not read.answers and not read.problems:
        expected = "a line `site,answer` and one line per site"
        read.problems.append(Problem(file, 0, 0, "this list is empty", expected))
    return read


def with_answer(text: str, site: str, answer: ConsentAnswer) -> str:
    """A list with the answer of one site changed or added; everything else in it stays as it is.

    Args:
        text: a list that can be read.
        site: name, as in the list in small letters.
        answer: its answer.
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    delimiter = ";" if ";" in lines[0] else ","
    header = [cell.strip().lower() for cell in next(csv.reader([lines[0]], delimiter=delimiter))]
    place = read_consent(text, "").places.get(site)
    row = next(csv.reader([lines[place[0] - 1]], delimiter=delimiter)) if place else []
    cells = [*row, *[""] * (len(header) - len(row))]
    cells[header.index("site")], cells[header.index("answer")] = site, answer
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, lineterminator="").writerow(cells)
    if place:
        lines[place[0] - 1] = made.getvalue()
    else:
        lines.append(made.getvalue())
    return ending.join(lines) + ending


def _read_row(read: ConsentList, file: str, place: tuple[int, int], site: str, answer: str) -> None:
    line = place[0]
    try:
        pattern, value = site_pattern(site.strip()), _answer(answer.strip())
    except Refusal as err:
        got = shown(answer if "answer" in err.message else site)
        read.problems.append(Problem(file, line, 0, err.message, err.expected, got, err.hint))
        return
    if read.answers.setdefault(pattern, value) != value:
        message, hint = f"{pattern} has two different answers", "the first one stands in line"
        read.problems.append(Problem(file, line, 0, message, hint=f"{hint} {read.places[pattern][0]}"))
    read.places.setdefault(pattern, place)


def _rows(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, site and answer of each row."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    if len(first) > MAX_HEADER_CHARACTERS:
        raise Refusal("the first line names too many columns", "site,answer")
    reader = csv.reader(
        io.StringIO(text.lstrip("\ufeff")), delimiter=";" if ";" in first else ",", strict=True
    )
    header = [cell.strip().lower() for cell in next(reader, [])]
    if "site" not in header or "answer" not in header:
        raise Refusal("the first line names no columns", "site,answer")
    site, answer = header.index("site"), header.index("answer")
    for row in reader:
        if row and any(row) and not row[0].startswith("#"):
            cells = [*row[: len(header)], *[""] * (len(header) - len(row))]
            yield reader.line_num, cells[site], cells[answer]


def _answer(text: str) -> ConsentAnswer:
    if text.lower() not in ANSWERS:
        raise Refusal("this answer is not known", ", ".join(ANSWERS))
    return cast("ConsentAnswer", text.lower())
