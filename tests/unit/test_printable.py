# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that others wrote moves a cursor, sets a title or reads backwards on the operator's terminal."""

from __future__ import annotations

import pytest

from piquet.errors import FleetError, Problem
from piquet.findings import as_text
from piquet.printable import printable, printable_document, printable_line
from piquet.protocol.findings import Finding

TRICKS = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\r\x00\ud800"
SHOWN = r"\x1b]0;title\x07\x1b[2J\x9b31m\u202e\r\x00\ud800"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("grève «24 h»", "grève «24 h»"), ("two\n\tlines", "two\n\tlines"), (TRICKS, SHOWN)],
)
def test_only_what_a_terminal_would_obey_is_written_out(text: str, expected: str) -> None:
    """Letters of any language, line feeds and tabs stay."""
    assert expected == printable(text)


def test_documents_are_printable_in_every_part() -> None:
    """Keys too; other values are left alone."""
    assert {SHOWN: [SHOWN, 1, None, {"a": True}]} == printable_document(
        {TRICKS: [TRICKS, 1, None, {"a": True}]}
    )


def test_a_line_is_one_line() -> None:
    """What looks like a further row of a table is left out."""
    assert printable_line("stopped\nweb2  ok  armed") == "stopped"


def test_findings_and_errors_are_printable() -> None:
    """Whatever brought the text here."""
    finding = as_text(Finding("error", "c", TRICKS, TRICKS, TRICKS, TRICKS, TRICKS))
    error = str(FleetError(TRICKS, [Problem(TRICKS, 1, 1, TRICKS, TRICKS, TRICKS, TRICKS)]))
    assert finding.count(SHOWN) == 5 and error.count(SHOWN) == 6
    assert not [c for c in finding + error if not c.isprintable() and c != "\n"]
