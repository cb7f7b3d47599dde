# SPDX-License-Identifier: GPL-3.0-or-later
"""The style sheet of a banner changes nothing in the page around it."""

from __future__ import annotations

import pytest

from piquet import resources
from piquet.pages.banner_sheets import ELEMENT, reach_problems


def said(sheet: str) -> list[str]:
    """Place and what was found, for each problem; `§` stands for the banner's element."""
    problems = reach_problems("banner.css", sheet.replace("§", ELEMENT))
    return [f"{p.line}:{p.column} {p.got}".replace(ELEMENT, "§") for p in problems]


@pytest.mark.parametrize(
    ("sheet", "got"),
    [
        ("body { display: none }", "body"),
        ("* { color: red }", "*"),
        ("aside { color: red }", "aside"),
        ("aside[data-piquet] { color: red }", "aside[data-piquet]"),
        (".piquet-banner { color: red }", ".piquet-banner"),
        ("aside.piquet-banner { color: red }", "aside.piquet-banner"),
        ("aside.PIQUET-banner[data-piquet] { color: red }", "aside.PIQUET-banner[data-piquet]"),
        (
            "aside.piquet-banner[data-piquet] + p { color: red }",
            "aside.piquet-banner[data-piquet] + p",
        ),
        ("aside.piquet-banner.piquet-banner { color: red }", "aside.piquet-banner.piquet-banner"),
        ("§, p { color: red }", "§, p"),
        ("§ ~ * { display: none }", "§ ~ *"),
        ("§ + main { display: none }", "§ + main"),
        ("§ ~ § + p { color: red }", "§ ~ aside[data-piquet].p… (71 characters)"),
        ("§\\~x p { color: red }", "§\\\\~x p"),
        ("§[x]:hover~p { color: red }", "§[x]:hover~p"),
        ("§/**/~/**/* { color: red }", "§~*"),
        ("§ || p { color: red }", "§ || p"),
        ("§-x { color: red }", "§-x"),
        ("§x { color: red }", "§x"),
        (", § { color: red }", ", §"),
        (
            "aside\\[data-piquet\\]\\.piquet-banner { color: red }",
            "aside\\\\[data-piquet\\\\]\\\\.piquet-banner",
        ),
        (":is(body, §) { color: red }", ":is(body, §)"),
        ("body:has(§) { color: red }", "body:has(§)"),
        ("@media print { § { color: red } main { display: none } }", "main"),
        ("@media all { @supports (a: b) { p { color: red } } }", "p"),
        ("§ { body:not(&) { display: none } }", "§"),
        ("§ { @media print { & { color: red } } }", "§"),
        ("@keyframes fade { from { opacity: 0 } }", "@keyframes fade"),
        ("@-WEBKIT-keyframes fade { from { opacity: 0 } }", "@-WEBKIT-keyframes fade"),
        ("@font-face { font-family: Arial; src: url(hand.woff2) }", "@font-face Arial"),
        ("@font-face { font-family: piquet-x; font-family: Arial }", "@font-face "),
        ("@font-face { src: url(hand.woff2) }", "@font-face "),
        ("@layer base, theme;", "@layer"),
        ("@layer base { § { color: red } }", "@layer"),
        ("@property --x { syntax: '*'; inherits: false }", "@property"),
        ("@page { margin: 0 }", "@page"),
        ("@view-transition { navigation: auto }", "@view-transition"),
        ("@scope (body) { :scope { color: red } }", "@scope"),
        ("@nonsense { p { color: red } }", "@nonsense"),
    ],
)
def test_what_reaches_beyond_is_told(sheet: str, got: str) -> None:
    """Elements of the page, what stands beside the banner, and names that hold for all of the page."""
    assert [line.partition(" ")[2].strip("'\"") for line in said(sheet)] == [got]


@pytest.mark.parametrize(
    "sheet",
    [
        *(file.read_text("utf-8") for file in sorted((resources.templates() / "page").rglob("banner.css"))),
        "aside.piquet-banner[data-piquet] p { color: red } ASIDE[DATA-PIQUET].piquet-banner ~ § { color: red }",
        "§ { color: red }\n§ a:hover, § > .piquet-text:not(p + p) :is(a, b)::before { color: red }",
        "§ p + p, § .piquet-text > p ~ p, §>p+p { color: red }",
        "§[data-style='bar'].piquet-moved { color: red } /* body {} */",
        "§ ~ §, §/**/~/**/§ { display: none }",
        "@media print { @supports (a: b) { § { color: red } } }",
        "@keyframes piquet-rise { from { opacity: 0 } to { opacity: 1 } }",
        "@font-face { font-family: 'piquet-hand'; src: url(hand.woff2) } @charset 'utf-8';",
    ],
)
def test_what_keeps_to_the_banner_is_left_in_peace(sheet: str) -> None:
    """Our own sheets, and everything inside of the element."""
    assert [] == said(sheet)


def test_depth_stops_nobody() -> None:
    """A rule is found below any number of conditions."""
    assert said("@media all {" * 3000 + "p { color: red }") == ["1:36001 'p'"]


def test_all_is_told_at_its_place() -> None:
    """Line and column of each rule."""
    assert ["2:1 'p'", "3:14 'main'"] == said(
        "§ { color: red }\np { color: red }\n@media all { main { color: red } }"
    )
