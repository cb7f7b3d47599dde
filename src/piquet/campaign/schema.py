# SPDX-License-Identifier: GPL-3.0-or-later
"""The published JSON Schemas of the campaign file and of a selection, and their verdicts as problems with a place.

The schemas are constants of the package, read once; apart from that there is no file, no network, no clock.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError

from piquet.campaign.document import Document, Path, shown
from piquet.errors import Problem


@cache
def campaign_schema() -> dict[str, Any]:
    """The JSON Schema of the campaign file, for editors and for us."""
    return _read("schema.json")


@cache
def selection_schema() -> dict[str, Any]:
    """The JSON Schema of `selection.yml`, which lies in the folder of an occupied page."""
    return _read("selection.json")


def schema_problems(document: Document, schema: Mapping[str, Any]) -> Iterator[tuple[Path, Problem]]:
    """Everything that a schema has against the document: where, and what."""
    for error in Draft202012Validator(schema).iter_errors(document.data):
        path: Path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            yield from _unknown_keys(document, path, error)
        elif error.validator == "required":
            yield from _missing_keys(document, path, error)
        else:
            yield path, _wrong_value(document, path, error)


def _read(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(files(__package__).joinpath(name).read_text("utf-8")))


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
    known = _schema(error).get("properties") or campaign_schema()["$defs"]["phase"]["properties"]
    unknown = set(cast("dict[str, Any]", error.instance)) - set(known)
    if difflib.get_close_matches(key, sorted(unknown), 1):
        return  # it is there, misspelt, and that is said by itself
    owner = "the campaign"
    if path:
        owner = f"`{path[-1]}`" if isinstance(path[-1], str) else "this entry"
    if len(path) == 2 and path[0] == "phases":
        mode = error.instance.get("mode") if isinstance(error.instance, dict) else None
        article = "an" if mode == "occupy" else "a"
        owner = f"{article} {mode} phase" if mode in ("block", "occupy", "banner") else "a phase"
    expected = _schema(error).get("properties", {}).get(key, {}).get("description") or _description(key, path)
    yield (*path, key), document.problem(path, f"{owner} needs the key {key!r}", expected=expected)


def _description(key: str, path: Path) -> str:
    """What the campaign's schema says of a key at its top or of a phase, "" for any other."""
    schema = campaign_schema()
    if path and path[0] != "phases":
        return ""
    owner = schema["$defs"]["phase"] if path else schema
    found = owner["properties"].get(key, {})
    name = found.get("$ref", "").rpartition("/")[2]
    return str(found.get("description") or schema["$defs"].get(name, {}).get("description", ""))


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
