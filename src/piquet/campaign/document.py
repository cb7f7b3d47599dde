# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML text → plain data, with the place of every key and value.

The tree is built from parser events, so that an alias is never followed, a second key never wins and the
depth is bounded. A document that cannot be read as a tree has problems and no data. No file, no clock.

Source: YAML 1.2.2, section 10.3.2 (core schema), without timestamps: dates stay strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from piquet.errors import Problem

Path = tuple[str | int, ...]
DOCUMENT_MAX_DEPTH = 12
DOCUMENT_MAX_CHARACTERS = 256 * 1024
MAX_VALUES = 25_000
"""Keys are not counted. The longest list of a campaign has 20,000 patterns (`schema.json`)."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,2})?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass
class Document:
    """The data of one file and where each part of it stands.

    Attributes:
        file: name as the user gave it.
        data: mappings, lists, strings, numbers, booleans, None.
        places: (line, column) of each value, 1-based.
        key_places: (line, column) of each mapping key, by the path of its value.
        problems: found while reading.
    """

    file: str
    data: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    key_places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self,
        path: Path,
        message: str,
        *,
        expected: str = "",
        got: str = "",
        hint: str = "",
        at_key: bool = False,
    ) -> Problem:
        """A problem at `path`, or at the nearest part above it that is in the file."""
        place = self.key_places.get(path) if at_key else None
        while place is None and path:
            place = self.places.get(path)
            path = path[:-1]
        line, column = place or self.places.get((), (0, 0))
        return Problem(self.file, line, column, message, expected, got, hint)


class _UnreadableError(Exception):
    """The rest of the file cannot be made sense of."""


def read_document(text: str, file: str) -> Document:
    """Read one YAML document; whatever is wrong with it is in its `problems`."""
    document = Document(file)
    if len(text) > DOCUMENT_MAX_CHARACTERS:
        limit = f"at most {DOCUMENT_MAX_CHARACTERS} characters"
        document.problems.append(Problem(file, 0, 0, "the file is too long", limit, f"{len(text)}"))
        return document
    try:
        document.data = _Builder(document, text).build()
    except _UnreadableError:
        document.data = None
    except MarkedYAMLError as err:
        document.problems.append(_syntax_problem(file, err))
    except ReaderError as err:
        document.problems.append(_character_problem(file, text, err.position))
    except (YAMLError, ValueError, RecursionError) as err:
        document.problems.append(Problem(file, 0, 0, f"this is not YAML: {err}"))
    return document


class _Builder:
    """Consumes the events of one text; keeps nothing else."""

    def __init__(self, document: Document, text: str) -> None:
        yaml = YAML(typ="safe", pure=True)
        self._document = document
        self._count = 0
        self._events: Iterator[Event] = iter(yaml.parse(text))

    def build(self) -> Any:
        """The data of the only document; None for an empty file."""
        data, seen = None, 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                seen += 1
                self._check_start(event, seen)
                data = self._value(next(self._events), ())
        return data

    def _check_start(self, event: DocumentStartEvent, seen: int) -> None:
        if seen > 1:
            self._stop(event, "a second document starts here", "one document per file", "---")
        if event.version or event.tags:
            self._stop(event, "directives are not accepted", "no line that starts with %", "")

    def _value(self, event: Event, path: Path) -> Any:
        self._document.places[path] = _place(event)
        self._count += 1
        if self._count > MAX_VALUES:
            self._stop(event, "this file holds too much", f"at most {MAX_VALUES} values", "")
        if len(path) > DOCUMENT_MAX_DEPTH:
            self._stop(event, "nested too deeply", f"at most {DOCUMENT_MAX_DEPTH} levels", "")
        anchor = getattr(event, "anchor", None)
        if anchor:
            name = ("*" if isinstance(event, AliasEvent) else "&") + str(anchor)
            self._note(path, "anchors and aliases are not accepted", "the value itself", shown(name))
        if tag := getattr(event, "tag", None):
            self._note(path, "tags are not accepted", "a plain value", shown(str(tag)))
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, path) if isinstance(event, ScalarEvent) else None

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event)
            here = (*path, key)
            if key in found:
                first = self._document.key_places[here][0]
                line, column = _place(event)
                self._document.problems.append(
                    Problem(self._document.file, line, column, f"the key {shown(key)} is there twice",
                            hint=f"it stands in line {first} already; keep one of them")
                )  # fmt: skip
                self._value(next(self._events), (*path, f"{key} again"))
                continue
            self._document.key_places[here] = _place(event)
            found[key] = self._value(next(self._events), here)
        return found

    def _key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent) or event.anchor or event.tag:
            self._stop(event, "this cannot be a key", "a plain word", "")
        if not event.value.isprintable():
            self._stop(event, "control characters are not accepted", "a plain word", shown(event.value))
        return str(event.value)

    def _sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            found.append(self._value(event, (*path, len(found))))
        return found

    def _scalar(self, event: ScalarEvent, path: Path) -> Any:
        if not event.value.isprintable():
            self._note(path, "control characters are not accepted", "one line", shown(event.value))
        return event.value if event.style else _resolved_scalar(event.value)

    def _note(self, path: Path, message: str, expected: str, got: str) -> None:
        self._document.problems.append(self._document.problem(path, message, expected=expected, got=got))

    def _stop(self, event: Event, message: str, expected: str, got: str) -> NoReturn:
        line, column = _place(event)
        self._document.problems.append(Problem(self._document.file, line, column, message, expected, got))
        raise _UnreadableError


def shown(value: object) -> str:
    """A value for a message: quoted, control and non-ASCII characters escaped, at most 60 characters."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:56]}… ({len(str(value))} characters)"


def _resolved_scalar(text: str) -> Any:
    """Resolve an unquoted scalar by the core schema."""
    if text in _WORDS or (text.lower() in _WORDS and text in (text.capitalize(), text.upper())):
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _place(event: Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax_problem(file: str, err: MarkedYAMLError) -> Problem:
    mark = err.problem_mark or err.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    hint = "look at this line and at the one above it"
    if "'\\t'" in str(err.problem):
        hint = "indent with spaces; YAML does not accept tabs there"
    elif "mapping values" in str(err.problem):
        hint = "a value that holds `: ` must be quoted"
    reason = ", ".join(str(part) for part in (err.context, err.problem) if part)
    return Problem(file, line, column, f"this is not YAML: {reason}", hint=hint)


def _character_problem(file: str, text: str, position: int) -> Problem:
    before = text[:position]
    line, column = before.count("\n") + 1, position - before.rfind("\n")
    got = f"U+{ord(text[position]):04X}" if position < len(text) else ""
    return Problem(file, line, column, "this character is not accepted", "printable text", got)
