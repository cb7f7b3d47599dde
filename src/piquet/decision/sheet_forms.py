# SPDX-License-Identifier: GPL-3.0-or-later
"""The sheets as text and as HTML: one value, two forms. No file, no network, no clock."""

from __future__ import annotations

import re
from collections.abc import Iterable

from piquet.decision.sheet import Sheet
from piquet.printable import continued, in_one_line
from piquet.servers.environment import render

_NO_BREAK = re.compile("[\u00a0\u202f]")
"""Spaces that typography keeps together; a terminal breaks no line at them."""


def sheets_text(sheets: Iterable[Sheet]) -> str:
    """All sheets, one below the other."""
    return "\n\n\n".join(map(_text, sheets)) + "\n"


def sheets_html(sheets: Iterable[Sheet]) -> str:
    """One document that opens without a network and prints a language to a page."""
    found = list(sheets)
    return render("decision/sheet.html.j2", sheets=found)


def _text(sheet: Sheet) -> str:
    title = f"{in_one_line(sheet.title)} – {sheet.revision}"
    parts = ["\n".join([part.heading, *map(_line, part.lines)]) for part in sheet.parts]
    half = len(sheet.digest) // 2
    digest = "\n".join(f"  {' '.join(groups)}" for groups in (sheet.digest[:half], sheet.digest[half:]))
    return "\n\n".join([f"{title}\n{'=' * len(title)}", *parts]) + f"\n{digest}"


def _line(text: str) -> str:
    return f"  {continued(_NO_BREAK.sub(' ', text))}"
