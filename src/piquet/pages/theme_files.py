# SPDX-License-Identifier: GPL-3.0-or-later
"""What may lie in the folder of a theme, and what is wrong with it. Names and bytes in, problems out; no file.

A theme has `page.html.j2`, `strike.css`, `banner.css` and `words.yml`, each if it wants it otherwise than the default
theme, and the fonts and pictures that its style sheets name. Read-me and licence files stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from piquet.campaign.document import read_document, shown
from piquet.errors import Problem
from piquet.pages.picture_sizes import MAX_FONT_BYTES, font_bytes
from piquet.pages.pictures import EXPECTED_SIZE, size_reason

TEXTS = ("page.html.j2", "strike.css", "banner.css", "words.yml")
ICON = "icon.png"
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_FILES = 40
_ASSET = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\.(?:woff2|png|jpe?g|gif|webp|avif)")
_PAPERS = re.compile(r"(?i)(readme|licen[cs]e|copying|notice|ofl|authors)\b.*|.*\.(md|txt)")
_EXPECTED = (
    "page.html.j2, strike.css, banner.css, words.yml, fonts (.woff2) and pictures, named in a-z, 0-9 and ._-"
)


def is_left_out(name: str) -> bool:
    """Whether a file of the folder is for its readers only, and goes nowhere."""
    return name.startswith(".") or bool(_PAPERS.fullmatch(name))


def name_problem(folder: str, name: str) -> Problem | None:
    """Whether a file does not belong into a theme."""
    if name in TEXTS or _ASSET.fullmatch(name):
        return None
    hint = "a theme holds no scripts" if name.endswith(".js") else "rename it, or take it out"
    return Problem(f"{folder}/{name}", 0, 0, "this file has no part in a theme", _EXPECTED, shown(name), hint)


def theme_file_problem(file: str, content: bytes) -> Problem | None:
    """Whether a font or picture asks for more than a visitor's device has."""
    kind = file.rpartition(".")[2].replace("jpeg", "jpg")
    if kind == "woff2":
        length = font_bytes(content)
        expected, got = f"at most {MAX_FONT_BYTES} bytes when it is unpacked", f"{length} bytes"
        message = "this font is too big"
        return Problem(file, 0, 0, message, expected, got) if length > MAX_FONT_BYTES else None
    reason = size_reason(kind, content)
    hint = "save it anew with a program for pictures; 1600 pixels are enough for any screen"
    return Problem(file, 0, 0, reason, EXPECTED_SIZE, hint=hint) if reason else None


def read_words(file: str, text: str) -> tuple[Mapping[str, Mapping[str, str]], list[Problem]]:
    """The words of a theme: language → key → text. Which keys there are is known to who says them."""
    document = read_document(text, file)
    problems, found = list(document.problems), {}
    if not problems and not isinstance(document.data, dict):
        problems.append(Problem(file, 1, 0, "these are no words", "language: {key: text}"))
    for tag, texts in document.data.items() if not problems else ():
        if not isinstance(texts, dict):
            problems.append(document.problem((tag,), "these are no words", expected="a mapping of key: text"))
            continue
        for key, value in texts.items():
            if not isinstance(value, str):
                problems.append(
                    document.problem((tag, key), "this is not a text", expected="a text", got=shown(value))
                )
        found[tag] = texts
    return found, problems
