# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a page: which ones its text has, and what is wrong with one. Text and bytes in, values out; no file.

Source: W3C PNG section 5.2, JFIF, GIF89a, RFC 9649 (WebP), AV1 image file format section 6 (first bytes of each).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from piquet.campaign.document import shown
from piquet.errors import Problem
from piquet.pages.picture_sizes import MAX_MOVING_PIXELS, MAX_PIXELS, picture_size
from piquet.pages.source import PageSource

MAX_PICTURE_BYTES = 2 * 1024 * 1024
MAX_ALL_BYTES = 8 * 1024 * 1024
PICTURE_EXPECTED = "a PNG, JPEG, GIF, WebP or AVIF file beside the text, such as photo.jpg"
_MAGIC = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "avif": re.compile(rb".{4}ftyp(?:avi[fs]|.{4,60}avif)", re.DOTALL),
}
EXPECTED_SIZE = f"at most {MAX_PIXELS} pixels, and {MAX_MOVING_PIXELS} in all frames of a moving one"
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")


@dataclass(frozen=True)
class Reference:
    """A picture as a text names it.

    Attributes:
        name: its address, decoded.
        alt: what it shows, in words.
        line: 1-based.
        column: 1-based.
    """

    name: str
    alt: str
    line: int
    column: int


def references(source: PageSource) -> Iterator[Reference]:
    """Every picture of a page, in the order of the text."""
    return _of_html(source.text) if source.kind == "html" else _of_markdown(source.text)


def reference_problem(source: PageSource, found: Reference) -> Problem | None:
    """What is wrong with a picture's address or description, if anything is."""
    parts = found.name.split("/")
    if _ELSEWHERE.match(found.name):
        hint = "copy the picture beside the text: a strike page loads nothing from anybody else"
        return _problem(source, found, "this picture comes from elsewhere", PICTURE_EXPECTED, hint)
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts) or "\\" in found.name:
        return _problem(source, found, "this picture is not beside the text", PICTURE_EXPECTED, "")
    if _kind(found.name) not in _MAGIC:
        hint = "an SVG is a document that can act; export it as PNG" if found.name.endswith(".svg") else ""
        return _problem(source, found, "this kind of picture is not accepted", PICTURE_EXPECTED, hint)
    if not found.alt.strip():
        way = 'alt="…"' if source.kind == "html" else f"![…]({found.name})"
        hint = f"write {way}: people who cannot see it, and pages without pictures, need the words"
        return _problem(source, found, "this picture has no description", "what it shows, in words", hint)
    return None


def picture_problem(
    source: PageSource, found: Reference, content: bytes | None, size_bytes: int
) -> Problem | None:
    """What is wrong with a picture's file, if anything is.

    Args:
        source: the text that names it.
        found: its place there.
        content: its bytes, None if there is no such file.
        size_bytes: of the file.
    """
    if content is None:
        return _problem(
            source,
            found,
            "there is no such picture",
            PICTURE_EXPECTED,
            f"copy {found.name} beside {source.file}",
        )
    if size_bytes > MAX_PICTURE_BYTES:
        expected, hint = (
            f"at most {MAX_PICTURE_BYTES} bytes",
            "scale it down: 1600 pixels are enough for any screen",
        )
        return _problem(source, found, f"this picture is too big: {size_bytes} bytes", expected, hint)
    if not _MAGIC[_kind(found.name)].match(content):
        return _problem(
            source, found, "this file is not the kind of picture that its name says", PICTURE_EXPECTED, ""
        )
    if reason := size_reason(_kind(found.name), content):
        return _problem(
            source, found, reason, EXPECTED_SIZE, "scale it down: 1600 pixels are enough for any screen"
        )
    return None


def size_reason(kind: str, content: bytes) -> str:
    """What is wrong with the size that a picture says it has, "" if nothing is."""
    size = picture_size(kind, content)
    if size is None:
        return "this file does not say how large the picture is"
    if size.is_bounded:
        return ""
    frames = f", {size.frames} frames" if size.frames > 1 else ""
    return f"this picture says that it is {size.width} × {size.height} pixels{frames}"


def sum_problem(source: PageSource, found: Reference, size_bytes: int) -> Problem | None:
    """Whether all pictures of a phase together, this one included, are too big."""
    if size_bytes <= MAX_ALL_BYTES:
        return None
    expected, hint = (
        f"at most {MAX_ALL_BYTES} bytes",
        "leave some out: every host of the fleet gets all of them",
    )
    return _problem(
        source, found, f"with this picture, those of the phase have {size_bytes} bytes", expected, hint
    )


def _problem(source: PageSource, found: Reference, message: str, expected: str, hint: str) -> Problem:
    return Problem(source.file, found.line, found.column, message, expected, shown(found.name), hint)


def _kind(name: str) -> str:
    suffix = name.rpartition(".")[2].lower()
    return "jpg" if suffix == "jpeg" else suffix


def _of_markdown(text: str) -> Iterator[Reference]:
    if "![" not in text:  # no picture is written without it, and most of the work is parsing
        return
    lines = text.splitlines()
    for block in MarkdownIt("commonmark", {"html": False}).enable("table").parse(text):
        first, last = block.map or [0, len(lines)]
        at = (first, 0)
        for image in _images(block):
            name = unquote(str(image.attrs.get("src", "")))
            at = _find(lines, at, last, (str(image.attrs.get("src", "")), name))
            yield Reference(name, image.content, at[0] + 1, at[1] + 1)
            at = (at[0], at[1] + 1)


def _images(block: Token) -> Iterator[Token]:
    for token in block.children or ():
        if token.type == "image":
            yield token


def _find(lines: list[str], start: tuple[int, int], last: int, words: tuple[str, ...]) -> tuple[int, int]:
    """Line and column, 0-based, where one of the words comes next; the start if none does."""
    for number in range(start[0], min(last, len(lines))):
        begin = start[1] if number == start[0] else 0
        if columns := [at for word in words if word and (at := lines[number].find(word, begin)) >= 0]:
            return number, min(columns)
    return start


def _of_html(text: str) -> Iterator[Reference]:
    parser = _Parser()
    parser.feed(text)
    parser.close()
    return iter(parser.found)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Reference] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            line, column = self.getpos()
            values = {name: value or "" for name, value in attrs}
            self.found.append(
                Reference(unquote(values.get("src", "")), values.get("alt", ""), line, column + 1)
            )
