# SPDX-License-Identifier: GPL-3.0-or-later
"""How clients reach a fleet: the texts of an ssh configuration, a known_hosts file and an Ansible inventory.

No file and no process here; `Fleet` writes what these functions return.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from testbed.host import Host


def ssh_config(hosts: Iterable[Host], folder: Path) -> str:
    """Text for `ssh -F`: keys, known hosts and shared connections are the fleet's, nothing of the user's is read.

    Source: ssh_config(5).
    """
    common = f"""\
Host *
    User root
    IdentityFile {folder}/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 10
    ServerAliveInterval 5
    LogLevel ERROR
    ControlMaster auto
    ControlPath {folder}/ssh/%r@%h.sock
    ControlPersist 60
"""
    return "".join(f"Host {host.name}\n    HostName {host.ip}\n\n" for host in hosts) + common


def known_hosts(hosts: Iterable[Host], keys: Mapping[str, str]) -> str:
    """A known_hosts file.

    Args:
        hosts: the fleet's hosts, known by address (`HostName` of ssh_config is looked up).
        keys: host name → public key line of its sshd.
    """
    return "".join(f"{host.ip} {keys[host.name]}\n" for host in hosts)


def ansible_inventory(hosts: Iterable[Host], folder: Path) -> str:
    """A YAML inventory with one group per web server, and `plain` for the hosts without systemd.

    The control path is the fleet's own: Ansible's default is named after the address, and the next fleet at
    the same address would be sent into a dead connection. It names the user: another one would be let in as root.
    """
    groups: dict[str, list[Host]] = {}
    for host in hosts:
        groups.setdefault(host.provider, []).append(host)
        if host.init == "plain":
            groups.setdefault("plain", []).append(host)
    lines = ["---", "all:", "  vars:", "    ansible_user: root"]
    lines += ["    ansible_python_interpreter: /usr/bin/python3"]
    lines += [f"    ansible_ssh_common_args: -F {folder}/ssh_config"]
    lines += [f'    ansible_control_path: "{folder}/ssh/%%r@%%h.sock"']
    lines += ["  children:"]
    for group, members in sorted(groups.items()):
        lines += [f"    {group}:", "      hosts:"]
        for host in members:
            lines += [f"        {host.name}:", f"          ansible_host: {host.ip}"]
    return "\n".join(lines) + "\n"
