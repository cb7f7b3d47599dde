# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a page or banner as its author wrote it, and what lies beside it, before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PageKind = Literal["markdown", "html"]
SUFFIXES: dict[str, PageKind] = {".md": "markdown", ".html": "html"}
MAX_PAGE_BYTES = 256 * 1024
"""Of a text in ready HTML."""
MAX_MARKDOWN_BYTES = 64 * 1024
"""Of one in Markdown: some ten thousand words, and still little work where each character opens something."""


@dataclass(frozen=True)
class Pick:
    """One thing of the site's own that the strikers point to from an occupied page.

    Attributes:
        link: a path on the site, or an https address.
        title: in the page's language, plain text.
        summary: in the page's language, plain text, or "".
    """

    link: str
    title: str
    summary: str = ""


@dataclass(frozen=True)
class PageSource:
    """One page or banner of one phase in one language.

    Attributes:
        phase: number of the phase.
        language: as in the campaign's list.
        file: path relative to the campaign file, for messages.
        kind: what `text` is.
        text: decoded from UTF-8.
        pictures: file name as the text has it, decoded → the picture's bytes.
        picks: the selection of an occupied page, in its order.
    """

    phase: int
    language: str
    file: str
    kind: PageKind
    text: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    picks: tuple[Pick, ...] = ()
