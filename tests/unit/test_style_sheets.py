# SPDX-License-Identifier: GPL-3.0-or-later
"""What style sheets of a theme load, however it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piquet import resources
from piquet.pages.style_sheets import SHEET_MAX_CHARACTERS, SHEET_MAX_DEPTH, bounds_problem, style_problems

NAMES = frozenset({"hand.woff2", "paper.png", "hand 2.woff2"})
SHEETS = [
    tuple(line.split(" :: ", 1))
    for line in (Path(__file__).parent / "sheets.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


def said(text: str) -> list[str]:
    """What is said of a sheet: place and message."""
    return [f"{p.line}:{p.column} {p.message}" for p in style_problems("strike.css", text, NAMES)]


@pytest.mark.parametrize(("part", "sheet"), SHEETS, ids=[sheet for _, sheet in SHEETS])
def test_nothing_is_loaded_from_elsewhere(part: str, sheet: str) -> None:
    """Whatever the way of writing; told with its place."""
    place, _, words = part.partition(" ")
    assert [
        line for line in said(sheet.replace("\\n", "\n")) if line.startswith(f"{place} ") and words in line
    ]


@pytest.mark.parametrize(
    "sheet",
    [
        *(file.read_text("utf-8") for file in sorted((resources.templates() / "page").rglob("*.css"))),
        '@charset "utf-8";\n@font-face { src: local("Hand"), url(hand.woff2) format("woff2") }',
        "a { b: url(./paper.png) url('./hand 2.woff2') image-set('./paper.png' 1x) }",
        "a { b: u\\72l(hand.woff2) url( 'paper.png' ) url(\"hand 2.woff2\") }",
        'a { b: image-set("paper.png" type("image/png") 1x, url(paper.png) 2x, linear-gradient(red, var(--x)) 3x) }',
        'a::before { content: "url(x) //example.org @import" attr(title) } /* url(x) @import "x" */',
        "@media print { a { b: var(--x, 1px) } } @supports (b: c) { @layer x { a { b: c } } }",
        "a[href^='https://'] { quotes: '«' '»' } <!-- -->",
        ".curl { --url: 1px; b: --url(1) } .x\\(y { c: d }",
    ],
)
def test_ordinary_sheets_are_left_in_peace(sheet: str) -> None:
    """Our own ones, files beside it, and what only looks like an address."""
    assert [] == said(sheet)


def test_everything_is_told_at_once() -> None:
    """In the order of the lines, each at its column."""
    sheet = '@import "x";\na { b: url(x) url(paper.png) url(y);\n  c: image-set("z" 1x) }'
    assert ["1:1", "2:8", "2:30", "3:16"] == [line.split()[0] for line in said(sheet)]


def test_depth_stops_nobody() -> None:
    """A sheet of nothing but brackets is looked at to its bottom."""
    assert said("(" * 5000 + "url(x)") and not said("(" * 5000 + ")" * 5000)


@pytest.mark.parametrize(
    ("most", "more", "expected"),
    [
        ("a" * SHEET_MAX_CHARACTERS, "a", "too long"),
        *((kind * SHEET_MAX_DEPTH, f"{kind}a", "nested too deeply") for kind in ("(", "[", "{", "calc(")),
    ],
    ids=["length", "(", "[", "{", "calc("],
)
def test_a_sheet_is_neither_longer_nor_deeper_than_any(most: str, more: str, expected: str) -> None:
    """What readers that call themselves would be lost in is refused before any reads it."""
    assert bounds_problem("strike.css", most) is None
    problem = bounds_problem("strike.css", most + more)
    assert problem is not None and expected in problem.message


@given(st.text("urlURL", min_size=3, max_size=3), st.lists(st.sampled_from("eEsS "), min_size=3, max_size=3))
def test_no_spelling_of_the_name_hides_it(name: str, ways: list[str]) -> None:
    """Each letter as it is or escaped, short or long, small or large. Source: CSS Syntax Level 3, 4.3.7."""
    spelt = "".join(_spelt(char, way) for char, way in zip(name, ways, strict=True))
    is_url = re.fullmatch("(?i)url", name) is not None
    assert is_url == any("not in the theme" in line for line in said(f"a{{b:{spelt}(//evil.example/x)}}"))


def _spelt(char: str, way: str) -> str:
    return {"e": f"\\{ord(char):x} ", "E": f"\\{ord(char):06x}", "s": f"\\{ord(char):X}\t", "S": char}.get(
        way, char
    )
