# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a banner stands in a page, and which answers carry one: the rule that every provider is held against.

The banner goes in front of the page's own `<body`: the parser opens the body for it and adds the attributes of the
tag that follows, so that no tag has to be parsed to its end. Bytes in, bytes out; no file, no network, no clock.

Source: HTML Standard, 13.2.6.4.6 "after head" and 13.2.6.4.7 "in body", start tag "body".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

ANCHOR = "<body"
BANNER_MARK = "data-piquet"
"""Attribute of the banner's element, with the sign of its phase as value: how one banner is told from another."""

_SKIPPED = rb"<!--.*?(?:-->|\Z)|<(script|style|title|textarea|template|noscript)\b.*?(?:</\1\s*>|\Z)"
VEIL = ('<rp class="piquet-veil"><rp class="piquet-veil">', "</rp></rp>")
"""What stands around it: elements that are not shown unless a style sheet says so, and ours alone does.

The outer one is a child of the page's body, for which pages have rules; nobody has one for a child of that.
"""
_ELEMENT = re.compile(
    b'(?s)(?:%b)?<aside data-piquet="([^"]*)".*?</aside>(?:%b)?' % tuple(part.encode() for part in VEIL)
)
"""A banner as it stands in a page: one element with its veil, which holds no other of its kind."""
_HEAD_END, _BODY = b"</head>", ANCHOR.encode()
_TOKENS = re.compile(rb"(?is)(?:%b)|(?P<anchor><body(?=[\s/>]))" % _SKIPPED)


def can_carry(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is a successful HTML page whose bytes can be read as they are.

    Args:
        status: of the site's own answer.
        headers: lower-case names.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = headers.get("content-encoding", "identity").strip().lower()
    return status == 200 and kind == "text/html" and coding == "identity"


def taken_out(page: bytes) -> tuple[tuple[str, ...], bytes]:
    """The marks of the banners in a page, in their order, and the page without them."""
    marks = tuple(mark.decode("latin-1") for mark in _ELEMENT.findall(page))
    return marks, _ELEMENT.sub(b"", page) if marks else page


def spellings(page: bytes) -> Iterator[bytes]:
    """A page without its banners as it may have been, had nginx not written the tags beside one in small letters.

    `sub_filter` finds a text in any spelling and writes its own.
    """
    if not (found := _ELEMENT.search(page)):
        return
    before, behind = page[: found.start()], _ELEMENT.sub(b"", page[found.end() :])
    if behind.startswith(_BODY):
        large = _BODY.upper() + behind[len(_BODY) :]
        yield before + large
        if before.endswith(_HEAD_END):
            upper = before[: -len(_HEAD_END)] + _HEAD_END.upper()
            yield upper + large
            yield upper + behind


def has_place(page: bytes) -> bool:
    """Whether there is a body tag to put a banner in front of."""
    return any(found["anchor"] for found in _TOKENS.finditer(page))


def insert_banner(page: bytes, fragment: bytes) -> bytes:
    """The page with the banner in front of its first body tag outside of comments and scripts, if it has one."""
    for found in _TOKENS.finditer(page):
        if found["anchor"]:
            return page[: found.start()] + fragment + page[found.start() :]
    return page
