# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what hosts and inventories say has the agreed form. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

TypedT = TypeVar("TypedT")


class FormError(Exception):
    """A host's data is not in the agreed form.

    Attributes:
        message: what is wrong; the host is named by whoever tells it.
        expected: what would be right, or "".
        got: what was there, or "".
        hint: what to do, or "".
    """

    def __init__(self, message: str, expected: str = "", got: str = "", hint: str = "") -> None:
        """Say what is wrong."""
        super().__init__(message)
        self.message, self.expected, self.got, self.hint = message, expected, got, hint


def typed(value: Any, kind: type[TypedT]) -> TypedT:
    """The value, if it is of that type; true and false are no numbers.

    Raises:
        TypeError: it is of another.
    """
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{kind.__name__} expected, got {value!r}")
    return value


def optional(value: Any, kind: type[TypedT]) -> TypedT | None:
    """None, or the value if it is of that type.

    Raises:
        TypeError: it is of another.
    """
    return None if value is None else typed(value, kind)


def words(part: Mapping[str, Any], key: str) -> frozenset[str]:
    """A list of texts, empty where there is none.

    Raises:
        TypeError: it holds something else.
    """
    return frozenset(typed(word, str) for word in part.get(key) or ())
