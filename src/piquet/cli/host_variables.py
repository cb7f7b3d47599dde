# SPDX-License-Identifier: GPL-3.0-or-later
"""`-e name=value`: the variables of a verb's role, as its argument specification declares them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from piquet.resources import collection

_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
Spec = Mapping[str, Any]


def specifications(verb: str) -> dict[str, Spec]:
    """Name → specification, of the variables that a verb's role and the shared settings declare."""
    from ruamel.yaml import YAML

    found: dict[str, Spec] = {}
    for role in ("settings", verb):
        file = collection() / "roles" / role / "meta" / "argument_specs.yml"
        document = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
        found |= document["argument_specs"]["main"]["options"]
    return found


def parse_variables(verb: str, pairs: Iterable[str]) -> dict[str, Any]:
    """What `-e` gave, each value of its variable's type.

    Raises:
        click.UsageError: no `name=value`, an unknown variable, or a value of another type.
    """
    pairs = tuple(pairs)
    known = specifications(verb) if pairs else {}
    values = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            raise click.UsageError(f"-e {pair}: expected NAME=VALUE, such as piquet_become=false")
        if name not in known:
            raise click.UsageError(_unknown_variable(verb, name, known))
        values[name] = _value(name, text, known[name])
    return values


def _value(name: str, text: str, spec: Spec) -> Any:
    kind = str(spec.get("type", "str"))
    try:
        value = _TYPES[kind](text)
    except (KeyError, ValueError):
        raise click.UsageError(f"-e {name}={text}: expected a value of type {kind}") from None
    choices = spec.get("choices")
    if choices and value not in choices:
        raise click.UsageError(f"-e {name}={text}: expected one of {', '.join(map(str, choices))}")
    return value


_TYPES: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "path": str,
    "int": int,
    "float": float,
    "bool": lambda text: _BOOLEANS[text.lower()],
    "list": lambda text: [part.strip() for part in text.split(",") if part.strip()],
}


def _unknown_variable(verb: str, name: str, known: Mapping[str, Spec]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    return f"-e {name}: {verb} has no such variable; {hint}"
