# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner is asked, and the pyinfra inventory and state that answer it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfra.api.config import Config
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import MAX_PARALLEL, State
from pyinfra.context import ctx_inventory, ctx_state

from piquet.deploys.inventory import FOLDER
from piquet.deploys.pattern import matching
from piquet.deploys.steps import COURSES
from piquet.errors import FleetError

MOST_AT_ONCE = 200
"""Hosts at a time; each takes some three files, and one processor serves them all."""


@dataclass(frozen=True)
class VerbJob:
    """One verb, as the command line wants it.

    Attributes:
        verb: one of `COURSES`.
        inventory: what ansible-inventory reads, or a pyinfra inventory.
        limit: Ansible's host pattern.
        variables: `piquet_…`, over those of the inventory.
        check: change nothing, say what would change.
        diff: tell differences of files too.
    """

    verb: str
    inventory: str
    limit: str | None
    variables: Mapping[str, Any]
    check: bool
    diff: bool


def read_job(verb: str, text: str) -> VerbJob:
    """Read the one JSON object of standard input.

    Raises:
        FleetError: it is not in the agreed form.
    """
    if verb not in COURSES:
        raise FleetError(f"there is no deploy {verb!r}; there are {', '.join(COURSES)}")
    try:
        said = json.loads(text)
        job = VerbJob(
            verb, said["inventory"], said.get("limit"), said.get("variables") or {},
            said.get("check") is True, said.get("diff") is True,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise FleetError(f"the job is not in the agreed form: {type(err).__name__}: {err}") from err
    if not isinstance(job.inventory, str) or not isinstance(job.variables, dict):
        raise FleetError("the job is not in the agreed form: inventory is a text, variables an object")
    return job


def is_pyinfras(inventory: str) -> bool:
    """Whether this is a pyinfra inventory: a Python file that Ansible would not run as a script."""
    return inventory.endswith(".py") and Path(inventory).is_file() and not os.access(inventory, os.X_OK)


def make_state(job: VerbJob) -> State:
    """Inventory, configuration and state of pyinfra; nothing is connected yet.

    Raises:
        FleetError: the inventory cannot be used, or nothing is left of it.
    """
    state = State(check_for_changes=job.check)
    state.cwd = str(Path.cwd())
    ctx_state.set(state)
    inventory = _inventory(job)
    ctx_inventory.set(inventory)
    at_once = max(1, min(len(inventory), MAX_PARALLEL, MOST_AT_ONCE))
    config = Config(PARALLEL=at_once, DIFF=job.diff)
    state.init(inventory, config, initial_limit=_limit(job, inventory))
    return state


def _inventory(job: VerbJob) -> Inventory:
    variables = dict(job.variables)
    try:
        if not is_pyinfras(job.inventory):
            return Inventory(([f"@ansible/{job.inventory}"], {}), override_data=variables)
        from pyinfra_cli.inventory import make_inventory_from_files

        folder = str(Path(job.inventory).parent.absolute())
        found: Inventory = make_inventory_from_files(
            job.inventory, variables | {FOLDER: folder}, cwd=str(Path.cwd())
        )
    except PyinfraError as err:
        raise FleetError(str(err)) from err
    except Exception as err:  # the file is a program of somebody else's
        raise FleetError(f"{job.inventory} cannot be used: {type(err).__name__}: {err}") from err
    if not len(found):
        raise FleetError(f"{job.inventory}: there is no host in it")
    return found


def _limit(job: VerbJob, inventory: Inventory) -> list[Any] | None:
    if not job.limit:
        return None
    groups = {name: [host.name for host in members] for name, members in inventory.groups.items()}
    names = matching(job.limit, [host.name for host in inventory], groups)
    return [inventory.get_host(name) for name in names]
