# SPDX-License-Identifier: GPL-3.0-or-later
"""What in a page would not reach a visitor: scripts and everything else that acts by itself.

Rendering takes it out whatever this finds; here its author is told, at its place, before anybody counts on it.
Text in, problems out: no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import islice

from piquet.campaign.document import shown
from piquet.errors import Problem
from piquet.pages.pictures import references
from piquet.pages.source import PageSource

MAX_MESSAGE_CHARACTERS = 1500
MAX_MESSAGE_BYTES = 4500
"""What is left of the banner's line in a configuration besides its frame, links and paragraphs (`render.banner`)."""
PAGE_EXPECTED = "text, headings, lists, tables, pictures, and links to http, https, mailto or tel"
_ACTIVE = frozenset(
    {
        "script",
        "style",
        "iframe",
        "frame",
        "object",
        "embed",
        "applet",
        "form",
        "input",
        "button",
        "link",
        "meta",
    }
    | {"base", "svg", "math", "video", "audio"}
)
_SCHEME = re.compile(r"\s*(javascript|vbscript|data|file)\s*:", re.IGNORECASE)
_LINK = re.compile(r"\]\(\s*<?\s*(?P<target>(?:javascript|vbscript|data|file):[^)\s]*)", re.IGNORECASE)
_ENDLESS = re.compile(r"<[A-Za-z/!?][^>]{4096}")
_DECLARATION = re.compile(r"<!(?!--|doctype\b)[^<>\s]{0,20}", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z]")
MAX_TAGS = 10_000
"""Of a page in ready HTML: one for each word of a long one. Cleaning costs their square where all are open."""
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[^\n]*$|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def page_problems(source: PageSource) -> Iterator[Problem]:
    """Everything active in a page; in Markdown, code that is only shown is left alone."""
    text = source.text
    if source.kind == "markdown":
        text = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
        for match in _LINK.finditer(text):
            yield _problem(source, text, match.start("target"), "this link acts in the page", match["target"])
    if unreadable := unreadable_problem(source, text):
        yield unreadable
        return
    parser = _Parser()
    parser.feed(text)
    parser.close()
    for line, column, message, got in parser.found:
        yield Problem(source.file, line, column, message, PAGE_EXPECTED, shown(got), _hint(source))


def unreadable_problem(source: PageSource, text: str) -> Problem | None:
    """What no parser of HTML should be given: it would look for an end again and again, or go deeper and deeper."""
    if endless := _ENDLESS.search(text):
        return _problem(source, text, endless.start(), "this tag has no end", endless[0][:20])
    if (begun := text.rfind("<!--")) > text.rfind("-->"):
        return _problem(source, text, begun, "this comment has no end", "<!--")
    if declared := _DECLARATION.search(text):
        return _problem(source, text, declared.start(), "this declaration has no part in a page", declared[0])
    if len(tags := list(islice(_TAG.finditer(text), MAX_TAGS + 1))) > MAX_TAGS:
        message = f"this page has more than {MAX_TAGS} tags"
        return _problem(source, text, tags[-1].start(), message, tags[-1][0])
    return None


def message_problems(source: PageSource) -> Iterator[Problem]:
    """What a banner cannot carry, besides what no page can."""
    if len(source.text) > MAX_MESSAGE_CHARACTERS or _written_out(source.text) > MAX_MESSAGE_BYTES:
        message = "this message is too long for a banner"
        expected = (
            f"at most {MAX_MESSAGE_CHARACTERS} characters, and {MAX_MESSAGE_BYTES} bytes where é counts as 6"
        )
        hint = "say the most important thing, and give the rest a page: `more: https://…`"
        got = f"{len(source.text)} characters, {_written_out(source.text)} bytes"
        yield Problem(source.file, 0, 0, message, expected, got, hint)
    for found in references(source):
        message, hint = (
            "a banner carries no pictures",
            "take it out, or put it on the page that `more:` leads to",
        )
        yield Problem(
            source.file, found.line, found.column, message, "text and links", shown(found.name), hint
        )


def _written_out(text: str) -> int:
    """Bytes of a text in a server's configuration, where only ASCII stands for itself."""
    return sum(1 if char.isascii() else len(f"&#{ord(char)};") for char in text)


def _problem(source: PageSource, text: str, at: int, message: str, got: str) -> Problem:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return Problem(source.file, line, column, message, PAGE_EXPECTED, shown(got), _hint(source))


def _hint(source: PageSource) -> str:
    shows = "would be shown as text" if source.kind == "markdown" else "would be taken out"
    return f"take it out: nothing that acts by itself stands on a strike page, it {shows}"


class _Parser(HTMLParser):
    """Notes tags and attributes that act, with their places."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, int, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self._note("this element acts in the page", f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on"):
                self._note("this attribute is a script", f"{name}={value or ''}")
            elif name in ("href", "src", "action", "formaction") and _SCHEME.match(value or ""):
                self._note("this link acts in the page", value or "")

    def _note(self, message: str, got: str) -> None:
        line, column = self.getpos()
        self.found.append((line, column + 1, message, got))
