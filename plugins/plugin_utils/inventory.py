# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task on the controller can know of the inventory and of the other hosts of its run, as plain values."""

from __future__ import annotations

import json

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager


def host_variables(loader, task_vars, pattern):
    """Inventory name → the variables that a plan depends on, for every host of a pattern, limited or not."""
    manager = InventoryManager(loader, parse=False)
    for group, hosts in task_vars["groups"].items():
        manager.add_group(group)
        for host in hosts:
            manager.add_host(host, group=group)
    names = [host.name for host in manager.get_hosts(pattern=pattern)]
    if not names:
        raise AnsibleError(f"piquet_hosts: the inventory has no host that matches {pattern!r}")
    return {name: _variables(task_vars["hostvars"][name]) for name in names}


def hosts_of_run(task_vars):
    """The hosts of this batch, and those that an earlier step of the play has already lost."""
    lost = set(task_vars["ansible_play_hosts_all"]) - set(task_vars["ansible_play_hosts"])
    return sorted({*task_vars["ansible_play_batch"], *lost})


def registered(task_vars, hosts, name):
    """Each host's registered result of that name, None for a host that has none."""
    return {host: _plain(task_vars["hostvars"][host].get(name)) for host in hosts}


def _variables(variables):
    wanted = [name for name in variables if name == "ansible_host" or name.startswith("piquet_")]
    return {name: _plain(variables[name]) for name in wanted}


def _plain(value):
    """Ansible's tagged strings and lazy containers as what JSON knows."""
    return json.loads(json.dumps(value, default=str))
