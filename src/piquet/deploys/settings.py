# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the deploys: names, types and defaults of the roles, read from pyinfra's host data.

One table; a test holds it against `roles/*/meta/argument_specs.yml`. No pyinfra here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from piquet.errors import FleetError, Problem
from piquet.protocol.places import DEFAULT_PYTHON

VariableKind = Literal["str", "bool", "int", "float", "list"]
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Variable:
    """One variable: its type in Ansible's words, its default, and the role that it belongs to."""

    kind: VariableKind
    default: Any
    role: str = "settings"


VARIABLES: Mapping[str, Variable] = {
    "piquet_python": Variable("str", DEFAULT_PYTHON),
    "piquet_become": Variable("bool", True),
    "piquet_hosts": Variable("str", "all"),
    "piquet_campaign": Variable("str", "campaign/campaign.yml"),
    "piquet_workdir": Variable("str", ".piquet"),
    "piquet_baseline": Variable("bool", True),
    "piquet_plan_digest": Variable("str", ""),
    "piquet_scheduler": Variable("str", "auto"),
    "piquet_nginx": Variable("str", "auto"),
    "piquet_apache": Variable("str", "auto"),
    "piquet_allow_unloaded": Variable("bool", False),
    "piquet_health_paths": Variable("list", []),
    "piquet_late_release": Variable("str", "refuse"),
    "piquet_canary": Variable("list", [], "stage"),
    "piquet_install_python": Variable("bool", False, "stage"),
    "piquet_rehearse_phase": Variable("int", 0, "rehearse"),
    "piquet_rehearse_end": Variable("bool", False, "rehearse"),
    "piquet_stop_site": Variable("str", "", "stop"),
    "piquet_stop_withdrawn": Variable("bool", False, "stop"),
    "piquet_stop_decision": Variable("str", "", "stop"),
    "piquet_arm_partial": Variable("bool", False, "arm"),
    "piquet_max_skew_s": Variable("float", 2.0, "arm"),
}
"""Name → variable."""
IN_FOLDER = ("piquet_campaign", "piquet_workdir")
"""Whose default is below the inventory's folder."""
_YES = frozenset({"yes", "true", "on", "1", "y", "t"})
_NO = frozenset({"no", "false", "off", "0", "n", "f"})


def read_settings(host: str, data: Mapping[str, Any], folder: Path) -> Settings:
    """Every variable of one host, with its default where nothing is said.

    Args:
        host: inventory name, for messages.
        data: pyinfra's host data.
        folder: of the inventory.

    Raises:
        FleetError: with every value that is not of its type.
    """
    found: dict[str, Any] = {}
    problems = []
    for name, variable in VARIABLES.items():
        value = data.get(name)
        try:
            found[name] = _default(name, folder) if value is None else _READ[variable.kind](value)
        except (TypeError, ValueError):
            problems.append(Problem(host, 0, 0, f"`{name}` is not usable", variable.kind, repr(value)))
    if problems:
        raise FleetError("the variables cannot be used as they are", problems)
    return found


def _default(name: str, folder: Path) -> Any:
    default = VARIABLES[name].default
    return str(folder / default) if name in IN_FOLDER else default


def _text(value: Any) -> str:
    if isinstance(value, (bool, list, dict)):
        raise TypeError
    return str(value)


def _truth(value: Any) -> bool:
    """As Ansible reads it: pyinfra's command line makes numbers and words of what it is given."""
    word = str(value).lower()
    if isinstance(value, (bool, int, str)) and word in _YES | _NO:
        return word in _YES
    raise ValueError


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, (bool, list, dict)):
        raise TypeError
    return float(value)


def _names(value: Any) -> list[str]:
    """A list, or names with commas, as on a command line."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return list(value)
    raise TypeError


_READ: Mapping[VariableKind, Callable[[Any], Any]] = {
    "str": _text, "bool": _truth, "int": _whole_number, "float": _number, "list": _names,
}  # fmt: skip
