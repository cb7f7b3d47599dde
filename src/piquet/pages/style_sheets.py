# SPDX-License-Identifier: GPL-3.0-or-later
"""What the style sheet of a theme loads, and whether that lies beside it. Text in, problems out; no file.

It is read by tokens, wherever they stand: a value that no property knows today may be loaded tomorrow, or by way of a
variable. Strings are addresses where a function takes them for such, and text everywhere else.

Source: CSS Syntax Level 3, 4 "Tokenization"; CSS Values Level 4, 4.5 "Resource locators"; CSS Images Level 4; Filter
Effects 1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import tinycss2

from piquet.campaign.document import shown
from piquet.errors import Problem

SHEET_MAX_CHARACTERS = 128 * 1024
"""Of a style sheet: twenty times ours; a page with more would be long to load."""
SHEET_MAX_DEPTH = 32
"""How deep brackets of any kind may lie in each other; ours reach four, and readers of them call themselves."""
_LOADING = frozenset(
    {"url", "src", "image", "image-set", "-webkit-image-set", "cross-fade", "-webkit-cross-fade", "filter"}
)
"""Functions that take strings for addresses."""

_INSIDE = _LOADING | {
    *("type", "linear-gradient", "radial-gradient", "conic-gradient"),
    *("repeating-linear-gradient", "repeating-radial-gradient", "repeating-conic-gradient"),
    *("rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch", "color", "color-mix", "calc"),
}
"""What may stand in these. Others, such as `var`, bring an address from elsewhere in the sheet or page."""

_Found = tuple[int, int, str, str]


def bounds_problem(file: str, text: str) -> Problem | None:
    """Whether a style sheet is longer or nested deeper than any is; nobody looks into one that is."""
    if len(text) > SHEET_MAX_CHARACTERS:
        expected, got = f"at most {SHEET_MAX_CHARACTERS} characters", f"{len(text)}"
        return Problem(
            file, 0, 0, "this style sheet is too long", expected, got, "leave out what no page uses"
        )
    pending = [(tinycss2.parse_component_value_list(text), 0)]
    while pending:
        tokens, depth = pending.pop()
        for token in tokens:
            inner = getattr(token, "content", None) or getattr(token, "arguments", None)
            if isinstance(inner, list):
                pending.append((inner, depth + 1))
                if depth == SHEET_MAX_DEPTH:
                    place, expected = (
                        (token.source_line, token.source_column),
                        f"at most {SHEET_MAX_DEPTH} levels",
                    )
                    message, hint = "this style sheet is nested too deeply", "close what was opened"
                    return Problem(file, *place, message, expected, hint=hint)
    return None


def style_problems(file: str, text: str, names: Collection[str]) -> Iterator[Problem]:
    """Everything that a style sheet loads and that does not lie beside it, and what is no style sheet.

    Args:
        file: its name, for messages.
        text: decoded.
        names: of the fonts and pictures beside it.
    """
    walk = _Walk(names)
    walk.go(tinycss2.parse_component_value_list(text))
    for line, column, what, got in sorted(walk.found):
        message, expected, hint = _SAID[what]
        yield Problem(file, line, column, message, expected, shown(got), hint)


_SAID = {
    "loads": (
        "this style sheet loads what is not in the theme",
        "url(NAME) of a file beside it",
        "copy it into the theme's folder",
    ),
    "hides": (
        "this style sheet does not say what it loads",
        "url(NAME) of a file beside it",
        "write the name where it is loaded",
    ),
    "charset": ("this style sheet says that it is not UTF-8", '@charset "utf-8";', "take it out"),
    "broken": ("this style sheet cannot be read from here on", "a style sheet", "close what was opened"),
}


class _Walk:
    """Goes through tokens and what they hold, and notes places."""

    def __init__(self, names: Collection[str]) -> None:
        self.found: list[_Found] = []
        self._names = names
        self._pending: list[tuple[list[Any], str]] = []

    def go(self, tokens: list[Any]) -> None:
        """Look at tokens and at those inside of them, however deep they lie."""
        self._pending = [(tokens, "")]
        while self._pending:
            inner, function = self._pending.pop()
            told = None
            for at, token in enumerate(inner):
                if token.type == "at-keyword":
                    told = self._token_after(token, inner[at + 1 : at + 3])
                elif token is not told:
                    self._token(token, function)

    def _token(self, token: Any, function: str) -> None:
        """One token, inside of a function that loads, or of "" where nothing is loaded."""
        match token.type:
            case "url":
                self._address(token, tinycss2.serialize([token]))
            case "string" if function not in ("", "type"):
                self._address(token, f"{function}({tinycss2.serialize([token])})")
            case "error":
                self._note(token, "hides" if token.kind.endswith("url") else "broken", token.message)
            case "function":
                self._function(token, function)
            case "() block" | "[] block" | "{} block":
                self._pending.append((token.content, function))

    def _function(self, token: Any, outer: str) -> None:
        name = token.lower_name
        if outer and name not in _INSIDE:
            self._note(token, "hides", f"{outer}({name}(…))")
        self._pending.append((token.arguments, name if name in (*_LOADING, "type") else ""))

    def _token_after(self, token: Any, following: list[Any]) -> Any:
        """What comes after it, if that is told with it."""
        written = next((other for other in following if other.type != "whitespace"), None)
        got = f"@{token.lower_value} {tinycss2.serialize([written] if written else [])}"
        if token.lower_value == "charset" and got.lower() != '@charset "utf-8"':
            self._note(token, "charset", got)
        if token.lower_value == "import":
            self._note(token, "loads", got)
            return written
        return None

    def _address(self, token: Any, got: str) -> None:
        if token.value.removeprefix("./") not in self._names:
            self._note(token, "loads", got)

    def _note(self, token: Any, what: str, got: str) -> None:
        self.found.append((token.source_line, token.source_column, what, got))
