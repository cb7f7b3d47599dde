# SPDX-License-Identifier: GPL-3.0-or-later
"""What no page of ours may hold, whoever wrote its text and its theme: the last look before it is sent anywhere.

Source: Content Security Policy Level 3 (what `default-src 'self'` forbids).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from piquet.answers import ASSET_PREFIX

_NEVER = frozenset(
    {"style", "iframe", "frame", "object", "embed", "applet", "form", "base", "svg", "math", "video", "audio"}
)
_LOADING = {"img": "src", "link": "href", "source": "src", "input": "src"}
_OWN = re.compile(re.escape(ASSET_PREFIX) + r"[A-Za-z0-9][A-Za-z0-9._-]*|/\.well-known/piquet\.json")
_LINK = re.compile(r"(?:https?:|mailto:|tel:|[/?#.]|[A-Za-z0-9_-]+(?:[/?#.]|$))", re.IGNORECASE)
_DATA = "application/ld+json"


def faults(html: str) -> Iterator[str]:
    """Everything in a page that acts by itself or comes from elsewhere, as short sentences."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    yield from parser.found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _NEVER or (tag == "script" and (values.get("type") != _DATA or "src" in values)):
            self.found.append(f"it holds <{tag}>")
        if tag == "meta" and "http-equiv" in values:
            self.found.append("it holds a meta element that acts as a header")
        for name in values:
            if name.startswith("on") or name in ("style", "srcset", "ping", "background", "formaction"):
                self.found.append(f"it holds the attribute {name}")
        if (name := _LOADING.get(tag, "")) and not _OWN.fullmatch(values.get(name, "")):
            self.found.append(
                f"its <{tag}> loads {values.get(name, '')!r}, which is not below {ASSET_PREFIX}"
            )
        if tag == "a" and not _LINK.match(values.get("href", "#").strip()):
            self.found.append(f"it holds a link to {values['href']!r}")
