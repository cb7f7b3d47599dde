# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan wants to know of pyinfra's inventory: every host of `piquet_hosts`, limited or not, and the folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyinfra
from pyinfra.api.state import State

from piquet.deploys.pattern import matching
from piquet.errors import FleetError

FOLDER = "inventory_dir"
"""Host data that names the inventory's folder, as Ansible's variable of this name does."""


def fleet(state: State) -> dict[str, dict[str, Any]]:
    """Inventory name → the variables that a plan depends on, for every host of the pattern, limited or not.

    Raises:
        FleetError: no host matches.
    """
    hosts = {host.name: host.data.dict() for host in state.inventory}
    patterns = {str(data.get("piquet_hosts") or "all") for data in hosts.values()}
    if len(patterns) > 1:
        raise FleetError(f"piquet_hosts is not the same for all hosts: {', '.join(sorted(patterns))}")
    groups = {name: [host.name for host in members] for name, members in state.inventory.groups.items()}
    names = matching(patterns.pop() if patterns else "all", list(hosts), groups)
    return {name: _variables(hosts[name]) for name in names}


def folder(state: State) -> Path:
    """The inventory's folder, where campaign and working directory are by default; else the current one."""
    named = {str(host.data.get(FOLDER)) for host in state.inventory if host.data.get(FOLDER)}
    if len(named) == 1:
        return Path(named.pop())
    given = Path(_inventory_argument()) if pyinfra.is_cli else Path()
    if given.exists():
        return (given if given.is_dir() else given.parent).absolute()
    return Path(state.cwd or ".").absolute()


def _inventory_argument() -> str:
    """The inventory on pyinfra's command line, read by its own parser: it keeps the name nowhere else."""
    from pyinfra_cli.cli import cli

    with cli.make_context("pyinfra", sys.argv[1:], resilient_parsing=True) as context:
        return str(context.params.get("inventory") or "")


def _variables(data: Mapping[str, Any]) -> dict[str, Any]:
    ours = {name: value for name, value in data.items() if name.startswith("piquet_")}
    address = data.get("ansible_host") or data.get("ssh_hostname")
    return ours | ({"ansible_host": str(address)} if address else {})
