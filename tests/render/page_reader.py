# SPDX-License-Identifier: GPL-3.0-or-later
"""A page as a browser reads it."""

from __future__ import annotations

import html.parser

HOSTILE = (
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[x](javascript:alert(1))",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="data:text/html,x">x</a>',
    "<iframe src=//evil.example></iframe>",
    '<p style="position:fixed" onclick="x()">x</p>',
    '<meta http-equiv="refresh" content="0;url=//evil.example">',
    "<svg><script>x</script></svg>",
    "<form action=//evil.example><input></form>",
    "</main></body><script>x</script>",
    "{{ campaign }} {% raw %} ${x}",
    '"><script>x</script>',
)


class Seen(html.parser.HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
