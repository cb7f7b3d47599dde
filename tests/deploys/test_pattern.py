# SPDX-License-Identifier: GPL-3.0-or-later
"""Host patterns mean what they mean to Ansible."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from piquet.deploys.pattern import matching
from piquet.errors import FleetError

GROUPS = {"nginx": ["web1", "web2", "web10"], "apache": ["ap1", "web2"], "paris": ["web1", "ap1"]}
HOSTS = ["web1", "web2", "web10", "ap1", "db.example.org", "2001:db8::7"]
PATTERNS = [
    "all", "*", "all:!web2", "all,!web2", "!web2", "nginx", "nginx:apache", "nginx:&paris", "nginx:&paris:!web1",
    "web*", "web?", "~web[0-9]+$", "~(web|ap)1", "nginx[0]", "nginx[-1]", "nginx[0:1]", "nginx[1:]", "web[12]",
    "db.example.org", "*.org", "2001:db8::7", "paris,db.example.org", "nginx : !web2", "&paris", "all:!nginx:ap*",
    "nginx[7]", "nobody", "web1:nobody", "all:!all", "nginx[0-1]", "ap1,web1",
]  # fmt: skip


def of_ansible(pattern: str) -> list[str]:
    """What Ansible's own inventory chooses."""
    manager = InventoryManager(DataLoader(), parse=False)
    for host in HOSTS:
        manager.add_host(host)
    for group, members in GROUPS.items():
        manager.add_group(group)
        for host in members:
            manager.add_host(host, group=group)
    manager.reconcile_inventory()
    try:
        return sorted(host.name for host in manager.get_hosts(pattern=pattern))
    except AnsibleError:  # a subscript beyond the end
        return []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_hosts_as_ansible_chooses(pattern: str) -> None:
    """Nobody is stopped, or left alone, by a pattern that is read in another way."""
    try:
        chosen = sorted(matching(pattern, HOSTS, GROUPS))
    except FleetError:
        chosen = []
    assert of_ansible(pattern) == chosen


def test_a_pattern_for_nobody_is_an_error() -> None:
    """A misspelt host never passes for a job well done."""
    with pytest.raises(FleetError, match="no host that matches 'wbe1'"):
        matching("wbe1", HOSTS, GROUPS)
    with pytest.raises(FleetError, match="is no host pattern"):
        matching("~web(", HOSTS, GROUPS)
