# SPDX-License-Identifier: GPL-3.0-or-later
"""What every reader of a checked document needs: values by their path, and a place for each complaint.

A part that the schema refused is not judged a second time. No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from piquet.campaign.document import Document, Path, shown
from piquet.campaign.names import Refusal
from piquet.campaign.schema import schema_problems
from piquet.errors import Problem

ReadT = TypeVar("ReadT")


class Reader:
    """Turns the data of one document into values and collects what it cannot turn.

    Attributes:
        document: that is read.
        problems: what the schema and the reader have against it.
    """

    def __init__(self, document: Document, schema: Mapping[str, Any]) -> None:
        """Judge the form at once."""
        found = list(schema_problems(document, schema))
        self.document = document
        self.problems: list[Problem] = [problem for _, problem in found]
        self.refused = {path for path, _ in found}

    def sound(self, path: Path) -> bool:
        """Whether there is a value at `path` that the schema has nothing against, itself included."""
        value: Any = self.document.data
        for depth, part in enumerate(path):
            if path[: depth + 1] in self.refused or not isinstance(value, dict | list):
                return False
            if isinstance(value, dict) and part not in value:
                return False
            value = value[part]  # type: ignore[index]
        return path not in self.refused and () not in self.refused

    def get(self, path: Path, default: Any = None) -> Any:
        """The value at `path`, or `default`."""
        if not self.sound(path):
            return default
        value = self.document.data
        for part in path:
            value = value[part]
        return value

    def word(self, path: Path, check: Callable[..., ReadT], *more: Any) -> ReadT | None:
        """Check one word; None if it is missing or was refused."""
        text = self.get(path)
        if not isinstance(text, str):
            return None
        try:
            return check(text, *more)
        except Refusal as err:
            self.note(path, err.message, err.expected, shown(text), err.hint)
            return None

    def words(self, path: Path, check: Callable[[str], str]) -> tuple[str, ...]:
        """Check each word of a list; those refused are left out."""
        found = [self.word((*path, index), check) for index in range(len(self.get(path, ())))]
        return tuple(word for word in found if word is not None)

    def note(self, path: Path, message: str, expected: str = "", got: str = "", hint: str = "") -> None:
        """Complain about the value at `path`."""
        self.problems.append(self.document.problem(path, message, expected=expected, got=got, hint=hint))
