# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible inventory as pyinfra's: `pyinfra @ansible/hosts.yml deploys/stage.py`.

pyinfra 3 ships no such connector any more. Hosts and variables come from `ansible-inventory` itself, so whatever
Ansible reads can be read: files, folders, scripts, plugins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pyinfra.api.exceptions import InventoryError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.base import BaseConnector
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.ssh import SSHConnector

from piquet.deploys.inventory import FOLDER
from piquet.deploys.remote import connecting
from piquet.deploys.ssh_data import host_data
from piquet.errors import PiquetError
from piquet.fleet.inventory import hosts_and_groups


class Ssh(SSHConnector):
    """pyinfra's, for which a host that sends rubbish cannot be reached; there it ends the run for all hosts."""

    def connect(self) -> None:
        """Connect.

        Raises:
            ConnectError: it cannot be reached.
        """
        connecting(super().connect)()


class AnsibleConnector(SSHConnector):
    """Names every host as Ansible does, and connects to each as Ansible would: by ssh, or not at all (`local`)."""

    handles_execution = True

    def __new__(cls, state: State, host: Host) -> BaseConnector:  # type: ignore[misc]
        """The connector that does the work."""
        is_local = host.data.get("ansible_connection") == "local"
        return (LocalConnector if is_local else Ssh)(state, host)

    @staticmethod
    def make_names_data(name: str | None = None) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """Every host with its data and its groups.

        Args:
            name: the inventory, as after `ansible-playbook -i`.

        Raises:
            InventoryError: Ansible cannot read it, or a variable has no equal in pyinfra.
        """
        if not name:
            raise InventoryError("which Ansible inventory?\n  expected: @ansible/FILE")
        try:
            hosts, groups = _hosts_and_groups(name)
            folder = _folder(name)
            data = {
                host: {**host_data(host, values, checks_keys=_checks_keys()), FOLDER: folder}
                for host, values in hosts.items()
            }
        except PiquetError as err:
            raise InventoryError(str(err)) from err
        for host, values in data.items():
            yield host, values, [group for group, members in groups.items() if host in members]


@cache
def _hosts_and_groups(name: str) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """Once a run: pyinfra's command makes its inventory twice, the first time for the names of groups alone."""
    return hosts_and_groups(name)


def _checks_keys() -> bool:
    """Ansible's own switch, which many set for hosts that are made anew again and again."""
    return os.environ.get("ANSIBLE_HOST_KEY_CHECKING", "true").lower() not in ("0", "no", "false", "off")


def _folder(name: str) -> str:
    path = Path(name)
    return str((path if path.is_dir() else path.parent).absolute())
