# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that ends everything on one host, as one types it at any computer that may log in. No file, no network."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from piquet.deploys.ssh_data import host_data
from piquet.errors import FleetError
from piquet.protocol.places import END_IT_NOW

_FLAGS: Mapping[str, str] = {"ssh_config_file": "-F", "ssh_key": "-i", "ssh_port": "-p"}
_OPTIONS: Mapping[str, str] = {
    "ssh_known_hosts_file": "UserKnownHostsFile",
    "ssh_strict_host_key_checking": "StrictHostKeyChecking",
}


def ending_line(host: str, variables: Mapping[str, Any]) -> str:
    """The printed line, carried there by ssh as the inventory logs in; "" where ssh cannot be told so.

    Args:
        host: inventory name.
        variables: as `ansible-inventory` gives them.
    """
    try:
        data = host_data(host, variables)
    except FleetError:
        return ""
    user, address = data.get("ssh_user"), str(data["ssh_hostname"])
    becomes = user != "root" and str(variables.get("piquet_become", True)).lower() not in ("false", "no")
    line = f"sudo {END_IT_NOW}" if becomes else END_IT_NOW
    if data.get("ansible_connection") == "local":
        return line
    if address.startswith("-"):
        return ""
    terminal = ["-t"] if becomes else []
    target = f"{user}@{address}" if user else address
    return shlex.join(["ssh", *terminal, *_flags(data), target, line])


def _flags(data: Mapping[str, Any]) -> list[str]:
    """What the inventory says of the way, but for what ssh does by itself."""
    flags = [part for key, flag in _FLAGS.items() if key in data for part in (flag, str(data[key]))]
    told = {key: str(data[key]) for key in _OPTIONS if key in data}
    return flags + [
        part
        for key, value in told.items()
        if (key, value) != ("ssh_strict_host_key_checking", "yes")
        for part in ("-o", f"{_OPTIONS[key]}={value}")
    ]
