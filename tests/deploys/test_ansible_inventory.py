# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible inventory as pyinfra's: every way to reach a host is translated or refused, and the plan sees the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import InventoryError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.connectors.local import LocalConnector

from piquet.deploys import inventory
from piquet.deploys.ansible import Ssh
from piquet.deploys.ssh_data import host_data
from piquet.errors import FleetError

STRICT = {"ssh_strict_host_key_checking": "yes"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {}),
        ({"ansible_host": "192.0.2.7", "ansible_port": 2222, "ansible_user": "op"},
         {"ssh_hostname": "192.0.2.7", "ssh_port": 2222, "ssh_user": "op"}),
        ({"ansible_ssh_private_key_file": "~/k", "ansible_password": "s", "ansible_become_password": "p"},
         {"ssh_key": "~/k", "ssh_password": "s", "_sudo_password": "p"}),
        ({"ansible_ssh_common_args": "-F '/etc/my ssh' -o Port=22 -oUser=me -q"},
         {"ssh_config_file": "/etc/my ssh", "ssh_port": 22, "ssh_user": "me"}),
        ({"ansible_port": 1, "ansible_ssh_common_args": "-p 2 -o 'Port 3'"}, {"ssh_port": 1}),
        ({"ansible_ssh_args": "-p 2", "ansible_ssh_extra_args": "-p 3"}, {"ssh_port": 2}),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"},
         {"ssh_strict_host_key_checking": "no", "ssh_known_hosts_file": "/dev/null"}),
        ({"ansible_ssh_common_args": "-i k -l me -A -C -o IdentitiesOnly=yes -o ControlMaster=auto"},
         {"ssh_key": "k", "ssh_user": "me", "ssh_forward_agent": True, "ssh_allow_agent": False,
          "ssh_look_for_keys": False}),
        ({"ansible_ssh_common_args": "-o ConnectTimeout=5 -o BatchMode=yes"},
         {"ssh_paramiko_connect_kwargs": {"timeout": 5}}),
        ({"ansible_host_key_checking": False}, {"ssh_strict_host_key_checking": "no"}),
        ({"ansible_connection": "ssh", "ansible_become_method": "sudo", "ansible_become": True},
         {"ansible_connection": "ssh"}),
        ({"piquet_sites": ["a.example"], "owner": {"name": "x"}},
         {"piquet_sites": ["a.example"], "owner": {"name": "x"}}),
    ],
)  # fmt: skip
def test_ways_to_a_host_are_translated(variables: dict[str, Any], expected: dict[str, Any]) -> None:
    """In pyinfra's words, the first word counting as it does for ssh; other variables pass as they are."""
    assert {"ssh_hostname": "web1", **STRICT, **expected} == host_data("web1", variables)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_connection": "docker"}, "ssh or smart or local"),
        ({"ansible_become_method": "su"}, "no equal"), ({"ansible_become_user": "web"}, "root"),
        ({"ansible_become_password": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}}, "locked by ansible-vault"),
        ({"ansible_host": "{{ other }}"}, "holds a template"), ({"ansible_port": "ssh"}, "no number"),
        ({"ansible_ssh_common_args": "-o ProxyCommand='ssh -W %h:%p hop'"}, "-o proxycommand cannot"),
        ({"ansible_ssh_common_args": "-J hop"}, "-J cannot"), ({"ansible_ssh_common_args": "-o 'x"}, "no arguments"),
        ({"ansible_ssh_common_args": "hop"}, "begin with -"), ({"ansible_ssh_executable": "/opt/ssh"}, "no equal"),
        ({"ansible_ssh_common_args": "-o NoSuchOption=1"}, "-o nosuchoption cannot"),
    ],
)  # fmt: skip
def test_what_has_no_equal_is_refused(variables: dict[str, Any], said: str) -> None:
    """With host, variable and a hint: nobody reaches another host, or the same one as somebody else."""
    with pytest.raises(FleetError) as caught:
        host_data("web1", variables)
    assert said in str(caught.value) and "web1: `ansible_" in str(caught.value)
    assert "hint: say it in an ssh configuration file" in str(caught.value)


def test_a_secret_is_not_in_the_message() -> None:
    """What is refused is named; what is locked is not printed."""
    with pytest.raises(FleetError) as caught:
        host_data("web1", {"ansible_become_password": "$ANSIBLE_VAULT;1.1;AES256\n6162"})
    assert "6162" not in str(caught.value)


def write(folder: Path, hosts: dict[str, Any]) -> Path:
    """An inventory with a group and a group in it."""
    children = {"web": {"hosts": hosts, "children": {"inner": {"hosts": {"deep": {}}}}}}
    file = folder / "hosts.yml"
    file.write_text(json.dumps({"all": {"children": children, "vars": {"piquet_become": False}}}))
    return file


def test_the_inventory_is_what_ansible_reads(tmp_path: Path) -> None:
    """Names, groups with those of their children, variables, connections; and the folder where a campaign is."""
    file = write(tmp_path, {"here": {"ansible_connection": "local"}, "there": {"ansible_host": "192.0.2.7"}})
    found = Inventory(([f"@ansible/{file}"], {}), override_data={"piquet_python": "/opt/py"})
    state = State(found)
    assert sorted(host.name for host in found) == ["deep", "here", "there"]
    assert sorted(host.name for host in found.get_group("web")) == ["deep", "here", "there"]
    kinds = {host.name: type(host.connector) for host in found}
    assert {"deep": Ssh, "here": LocalConnector, "there": Ssh} == kinds
    assert inventory.fleet(state)["there"] == {
        "ansible_host": "192.0.2.7", "piquet_become": False, "piquet_python": "/opt/py",
    }  # fmt: skip
    assert tmp_path == inventory.folder(state)


def test_an_unusable_inventory_is_pyinfras_error(tmp_path: Path) -> None:
    """With what Ansible has against it, or with the variable that cannot be translated."""
    with pytest.raises(InventoryError, match="there is no such file"):
        Inventory(([f"@ansible/{tmp_path}/none.yml"], {}))
    file = write(tmp_path, {"web1": {"ansible_connection": "winrm"}})
    with pytest.raises(InventoryError, match="web1: `ansible_connection`"):
        Inventory(([f"@ansible/{file}"], {}))
    with pytest.raises(InventoryError, match="which Ansible inventory"):
        Inventory((["@ansible"], {}))
