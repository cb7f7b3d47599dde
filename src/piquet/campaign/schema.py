# SPDX-License-Identifier: GPL-3.0-or-later
"""The published JSON Schema of the campaign file, and its verdicts as problems with a place.

The schema is a constant of the package, read once; apart from that there is no file, no network, no clock.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError

from piquet.campaign.document import Document, Path, shown
from piquet.errors import Problem


@cache
def campaign_schema() -> dict[str, Any]:
    """The JSON Schema of the campaign file, for editors and for us."""
    return cast("dict[str, Any]", json.loads(files(__package__).joinpath("schema.json").read_text("utf-8")))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(campaign_schema())


def schema_problems(document: Document) -> Iterator[tuple[Path, Problem]]:
    """Everything that the schema has against the document: where, and what."""
    for error in _validator().iter_errors(document.data):
        path: Path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            yield from _unknown_keys(document, path, error)
        elif error.validator == "required":
            yield from _missing_keys(document, path, error)
        else:
            yield path, _wrong_value(document, path, error)


def _unknown_keys(document: Document, path: Path, error: ValidationError) -> Iterator[tuple[Path, Problem]]:
    known = sorted(_schema(error)["properties"])
    for key in sorted(set(cast("dict[str, Any]", error.instance)) - set(known)):
        close = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {close[0]}?" if close else ""
        if key == "<<":
            hint = "merge keys are not accepted: write the keys themselves"
        here = (*path, key)
        yield (
            here,
            document.problem(
                here, f"there is no key {shown(key)} here", expected=", ".join(known), hint=hint, at_key=True
            ),
        )


def _missing_keys(document: Document, path: Path, error: ValidationError) -> Iterator[tuple[Path, Problem]]:
    # jsonschema yields one error per missing key and names the key only in its message
    key = error.message.split("'")[1]
    hint = ""
    owner = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "the campaign"
    if len(path) == 2 and path[0] == "phases":
        mode = error.instance.get("mode") if isinstance(error.instance, dict) else None
        article = "an" if mode == "occupy" else "a"
        owner = f"{article} {mode} phase" if mode in ("block", "occupy", "banner") else "a phase"
        if mode in ("occupy", "banner"):
            hint = f"take this phase out: this version of piquet cannot show {article} {mode} phase yet"
    expected = campaign_schema()["properties"].get(key, {}).get("description", "") if not path else ""
    yield (*path, key), document.problem(path, f"{owner} needs the key {key!r}", expected=expected, hint=hint)


def _wrong_value(document: Document, path: Path, error: ValidationError) -> Problem:
    schema = _schema(error)
    if error.validator == "propertyNames" or (error.parent and error.parent.validator == "propertyNames"):
        return document.problem(path, "this key is not accepted", expected=schema.get("description", ""))
    messages = {
        "type": f"this is {_kind(error.instance)}",
        "uniqueItems": "the same value stands here twice",
        "minItems": "this list is too short",
        "maxItems": "this list is too long",
    }
    message = messages.get(str(error.validator), "this value is not accepted")
    hint = "put it in quotes" if _lacks_quotes(schema, error.instance) else ""
    got = "" if isinstance(error.instance, dict | list | None) else shown(error.instance)
    return document.problem(path, message, expected=schema.get("description", ""), got=got, hint=hint)


def _schema(error: ValidationError) -> dict[str, Any]:
    """The part of the schema that was not met."""
    return cast("dict[str, Any]", error.schema)


def _lacks_quotes(schema: dict[str, Any], value: object) -> bool:
    """Whether a number would be accepted as text."""
    return isinstance(value, int | float) and Draft202012Validator(schema).is_valid(str(value))


def _kind(value: object) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "empty"}
    return kinds.get(type(value), "a number")
