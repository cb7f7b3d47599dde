# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the sheet in six languages; for any other, English ones. A constant of the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from piquet import resources
from piquet.pages.words import FALLBACK


def sheet_words(language: str) -> tuple[str, Mapping[str, str]]:
    """The language that there are words in for this one, and the words by key."""
    base = language.partition("-")[0]
    found = base if base in _all_sheet_words() else FALLBACK
    return found, _all_sheet_words()[found]


@cache
def _all_sheet_words() -> Mapping[str, Mapping[str, str]]:
    text = (resources.templates() / "decision" / "words.json").read_text(encoding="utf-8")
    words: dict[str, dict[str, str]] = json.loads(text)
    return words
