# SPDX-License-Identifier: GPL-3.0-or-later
"""What acts by itself on a page is told with its place; what only looks like it is left alone."""

from __future__ import annotations

import pytest

from piquet.pages.page_text import page_problems
from piquet.pages.source import PageKind, PageSource


def found(kind: PageKind, text: str) -> list[tuple[int, int, str]]:
    """Line, column and text of each problem."""
    source = PageSource(1, "en", "en.page", kind, text)
    return [(problem.line, problem.column, problem.got) for problem in page_problems(source)]


@pytest.mark.parametrize(
    "text",
    [
        "# On strike\n\nWrite to <https://example.org/> or <mailto:a@example.org>, or [here](https://example.org).\n",
        "`<script>` and\n\n```\n<script>alert(1)</script>\n[a](javascript:b)\n```\n",
        "1 < 2 and 3 > 2 & so on; the data: 29 for, javascript: none\n",
        "[data: all of it](https://example.org/data:1)\n",
    ],
)
def test_harmless_markdown_is_left_alone(text: str) -> None:
    """Addresses, code that is only shown, and words."""
    assert [] == found("markdown", text)


def test_harmless_html_is_left_alone() -> None:
    """Text, links, tables, and attributes that merely begin like others."""
    text = '<h1>On strike</h1><p lang="en">1 &lt; 2</p><a href="https://example.org/?on=1">why</a><table></table>'
    assert [] == found("html", text)


def test_every_place_is_told() -> None:
    """Elements, attributes and links, whatever their capitals and entities."""
    text = '<p>\n<SCRIPT>x</SCRIPT><a HREF="java&#115;cript:x" onClick=y>z</a>\n <svg/>'
    assert found("html", text) == [
        (2, 1, "'<script>'"),
        (2, 19, "'javascript:x'"),
        (2, 19, "'onclick=y'"),
        (3, 2, "'<svg>'"),
    ]


def test_a_link_of_markdown_is_found_at_its_target() -> None:
    """The column is where the address begins."""
    assert found("markdown", "a\n\n[b](  JavaScript:c)\n") == [(3, 7, "'JavaScript:c'")]
