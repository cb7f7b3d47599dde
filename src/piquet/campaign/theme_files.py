# SPDX-License-Identifier: GPL-3.0-or-later
"""What may lie in the folder of a theme, and what is wrong with it. Names and bytes in, problems out; no file.

A theme has `page.html.j2`, `strike.css`, `banner.css` and `words.yml`, each if it wants it otherwise than the default
theme, and the fonts and pictures that its style sheets name. Read-me and licence files stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from piquet.campaign.document import read_document, shown
from piquet.errors import Problem

TEXTS = ("page.html.j2", "strike.css", "banner.css", "words.yml")
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_FILES = 40
_ASSET = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\.(?:woff2|png|jpe?g|gif|webp|avif)")
_PAPERS = re.compile(r"(?i)(readme|licen[cs]e|copying|notice|ofl|authors)\b.*|.*\.(md|txt)")
_COMMENT = re.compile(r"""/\*.*?(?:\*/|\Z)|"[^"\n]*"|'[^'\n]*'""", re.DOTALL)
"""And strings, in which nothing is a comment."""
_LOADS = re.compile(
    r"@import\b[^;]*|(?:image-set|image|cross-fade|src|element)\([^;}]*|(?:https?:)?//[^;}]*|\\[^\n]{0,8}"
    r"|url\(\s*(?P<quote>[\"']?)(?P<target>[^\"')]*)(?P=quote)\s*\)",
    re.IGNORECASE,
)
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


def style_problems(file: str, text: str, names: Collection[str]) -> Iterator[Problem]:
    """Everything that a style sheet loads and that does not lie beside it."""
    bare = _COMMENT.sub(
        lambda match: match[0] if match[0][0] in "\"'" else re.sub(r"[^\n]", " ", match[0]), text
    )
    for match in _LOADS.finditer(bare):
        if match["target"] is None or match["target"] not in names:
            line, column = (
                bare.count("\n", 0, match.start()) + 1,
                match.start() - bare.rfind("\n", 0, match.start()),
            )
            message, hint = (
                "this style sheet loads what is not in the theme",
                "copy it into the theme's folder",
            )
            yield Problem(file, line, column, message, "url(NAME) of a file beside it", shown(match[0]), hint)


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
