# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that others wrote, made fit for a terminal: no character of it is obeyed, and none is hidden."""

from __future__ import annotations

from typing import Any

_LAYOUT = frozenset("\n\t")


def printable(text: str) -> str:
    r"""The same text with every control, format and lone surrogate character written out, e.g. `\x1b`.

    Line feeds and tabs stay: for texts that we have put together ourselves, of parts that are `continued`.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _LAYOUT else ascii(c)[1:-1] for c in text)


def in_one_line(text: str) -> str:
    r"""The same text as a part of one line: line feeds and tabs are written out too, as `\n` and `\t`."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def continued(text: str) -> str:
    """A text of others within a message of ours: every line but its first is marked, so that none passes for ours."""
    return printable(text).rstrip("\n").replace("\n", "\n  | ")


def printable_line(text: str) -> str:
    """The first line of a text, so that it cannot pass for a further row of a table."""
    return printable(text.strip().partition("\n")[0])


def printable_document(value: Any) -> Any:
    """A JSON value whose texts, keys included, are all printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [printable_document(item) for item in value]
    if isinstance(value, dict):
        return {printable(key): printable_document(item) for key, item in value.items()}
    return value
