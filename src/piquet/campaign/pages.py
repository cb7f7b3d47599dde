# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a strike page as its author wrote it, before anything is rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PageKind = Literal["markdown", "html"]
SUFFIXES: dict[str, PageKind] = {".md": "markdown", ".html": "html"}
MAX_PAGE_BYTES = 256 * 1024


@dataclass(frozen=True)
class PageSource:
    """One page of one phase in one language.

    Attributes:
        phase: number of the phase.
        language: as in the campaign's list.
        file: path relative to the campaign file, for messages.
        kind: what `text` is.
        text: decoded from UTF-8.
    """

    phase: int
    language: str
    file: str
    kind: PageKind
    text: str
