# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles as they lie in the checkout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]


KEYWORDS = {
    "name", "become", "register", "when", "run_once", "any_errors_fatal", "ignore_errors", "ignore_unreachable",
    "changed_when", "failed_when", "delegate_to", "vars", "block", "check_mode",
}  # fmt: skip


def read(path: Path) -> Any:
    """The values of a YAML file."""
    return YAML(typ="safe").load(path)


def tasks_of(role: str) -> Iterator[Mapping[str, Any]]:
    """Every task of every task file of a role, those in blocks too."""
    for file in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        waiting = list(read(file) or [])
        while waiting:
            task = waiting.pop(0)
            waiting += task.get("block", [])
            yield task


def module_of(task: Mapping[str, Any]) -> str:
    """The one key of a task that is no keyword."""
    (module,) = set(task) - KEYWORDS
    return module
