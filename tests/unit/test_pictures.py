# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a page: found where the text has them, and judged by their bytes."""

from __future__ import annotations

import pytest

from piquet.pages.pictures import (
    MAX_ALL_BYTES,
    MAX_PICTURE_BYTES,
    Reference,
    picture_problem,
    reference_problem,
    references,
    sum_problem,
)
from piquet.pages.source import PageKind, PageSource

from .picture_files import SMALL


def source(text: str, kind: PageKind = "markdown") -> PageSource:
    """A page of that text."""
    return PageSource(1, "en", "en.page", kind, text)


def test_pictures_are_found_where_they_stand() -> None:
    """In paragraphs, lists, tables and by reference; two of a name each at its own place; none that is only code."""
    text = (
        "# On strike ![a](a.png)\n\n- x ![b](b%20c.jpg) and ![c](<b c.jpg>)\n\n| t |\n|---|\n| ![d](d.gif) |\n\n"
        "`![e](e.png)` ![f][f]\n\n```\n![g](g.png)\n```\n\n[f]: f.webp\n"
    )
    expected = [
        Reference("a.png", "a", 1, 18),
        Reference("b c.jpg", "b", 3, 10),
        Reference("b c.jpg", "c", 3, 31),
        Reference("d.gif", "d", 7, 8),
        Reference("f.webp", "f", 9, 1),
    ]
    assert expected == list(references(source(text)))


def test_pictures_of_html_are_found() -> None:
    """At their tags, entities read."""
    text = '<h1>a</h1>\n<p>b <IMG alt="A &amp; B" SRC="a%20b.png"><img></p>'
    expected = [Reference("a b.png", "A & B", 2, 6), Reference("", "", 2, 43)]
    assert expected == list(references(source(text, "html")))


@pytest.mark.parametrize("suffix", SMALL)
def test_the_bytes_must_be_what_the_name_says(suffix: str) -> None:
    """Its own kind is accepted, each other is not, an empty file neither."""
    found = Reference(f"x.{suffix.upper()}", "x", 1, 1)
    for other, content in SMALL.items():
        is_same = {suffix, other} in ({suffix}, {"jpg", "jpeg"})
        assert (picture_problem(source(""), found, content, len(content)) is None) == is_same
    assert picture_problem(source(""), found, b"", 0)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "a",
            "a.svg",
            "a.html",
            "a.png.exe",
            "/a.png",
            "../a.png",
            "b/../a.png",
            ".a.png",
            "b//a.png",
            "a\\b.png",
        ),
        *(
            "https://example.net/a.png",
            "HTTP://example.net/a.png",
            "//example.net/a.png",
            "data:image/png;base64,AA",
        ),
    ],
)
def test_addresses_that_are_not_accepted(name: str) -> None:
    """Only a picture in the page's own folder, or below it."""
    assert reference_problem(source(""), Reference(name, "x", 1, 1))


def test_a_picture_below_the_page_is_accepted() -> None:
    """In a folder of its own, with any letters."""
    assert reference_problem(source(""), Reference("bilder/Große Straße.JPG", "x", 1, 1)) is None


def test_sizes() -> None:
    """One of 2 MiB is the largest; all together have 8 MiB at most."""
    found, png = Reference("a.png", "a", 1, 1), SMALL["png"]
    assert picture_problem(source(""), found, png, MAX_PICTURE_BYTES) is None
    assert picture_problem(source(""), found, png, MAX_PICTURE_BYTES + 1)
    assert sum_problem(source(""), found, MAX_ALL_BYTES) is None
    assert sum_problem(source(""), found, MAX_ALL_BYTES + 1)
