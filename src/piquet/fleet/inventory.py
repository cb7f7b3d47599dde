# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge where hosts come from an Ansible inventory: whatever Ansible can read, asked of Ansible itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from piquet.errors import FleetError, Problem

INVENTORY_TIMEOUT_S = 120


def inventory_hosts(inventory: Path | str, limit: str | None = None) -> dict[str, dict[str, Any]]:
    """The hosts of an inventory and their variables, sorted by name.

    Args:
        inventory: file, folder, script, or a list such as `web1,web2,`.
        limit: Ansible's host pattern.

    Raises:
        FleetError: if Ansible cannot read it, or nothing is left.
    """
    return hosts_and_groups(inventory, limit)[0]


def hosts_and_groups(
    inventory: Path | str, limit: str | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """`inventory_hosts`, and group → its hosts, those of its children too; `all` and `ungrouped` are left out.

    Raises:
        FleetError: if Ansible cannot read it, or nothing is left.
    """
    listing = _listing(inventory, limit)
    hosts = _hosts(listing)
    if not hosts:
        reason = f"no host matches {limit!r}" if limit else "there is no host in it"
        hint = f"ansible-inventory -i {inventory} --graph shows what Ansible reads"
        raise _inventory_error(inventory, reason, hint)
    names = [name for name in listing if name not in ("_meta", "all", "ungrouped")]
    return hosts, {name: sorted(_members(listing, name, frozenset())) for name in sorted(names)}


def _listing(inventory: Path | str, limit: str | None) -> dict[str, Any]:
    """What `ansible-inventory --list` says."""
    require_inventory(inventory)
    command = [_program(), "-i", str(inventory), "--list", *(["--limit", limit] if limit else [])]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=INVENTORY_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as err:
        raise _inventory_error(
            inventory, f"ansible-inventory gave no answer in {INVENTORY_TIMEOUT_S} s"
        ) from err
    if done.returncode or "Unable to parse" in done.stderr:
        raise _refusal_of_ansible(
            inventory, done.stderr.strip() or f"ansible-inventory ended with {done.returncode}"
        )
    listing: dict[str, Any] = json.loads(done.stdout)
    return listing


def require_inventory(inventory: Path | str) -> None:
    """Look whether there is such an inventory, without reading it.

    Raises:
        FleetError: it is no list of names, and there is no such file.
    """
    if "," not in str(inventory) and not Path(inventory).exists():
        hint = "give the inventory that Ansible uses: a file, a folder, or names with a comma, such as web1,web2,"
        raise _inventory_error(inventory, "there is no such file", hint)


def default_workdir(inventory: Path | str) -> Path:
    """Where surveys and plans are kept: `.piquet` beside the inventory, or here if it is a list of names."""
    path = Path(inventory)
    if "," in str(inventory) and not path.exists():
        return Path(".piquet")
    return (path if path.is_dir() else path.parent) / ".piquet"


def _members(listing: dict[str, Any], group: str, above: frozenset[str]) -> set[str]:
    value = listing.get(group, {})
    children = [name for name in value.get("children", ()) if name not in above]
    below = [_members(listing, name, above | {group}) for name in children]
    return {*value.get("hosts", ()), *(host for hosts in below for host in hosts)}


def _program() -> str:
    """`ansible-inventory` of our own Python environment, else the one on the path."""
    beside = Path(sys.executable).parent / "ansible-inventory"
    found = str(beside) if beside.is_file() else shutil.which("ansible-inventory")
    if not found:
        raise FleetError("ansible-inventory is not installed\n\n  hint: pip install ansible-core")
    return found


def _hosts(listing: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Ansible leaves hosts without variables out of `hostvars`, so groups are looked at too."""
    variables: dict[str, dict[str, Any]] = listing.get("_meta", {}).get("hostvars", {})
    named = {host for group, value in listing.items() if group != "_meta" for host in value.get("hosts", ())}
    return {name: variables.get(name, {}) for name in sorted(named | set(variables))}


def _inventory_error(inventory: Path | str, reason: str, hint: str = "") -> FleetError:
    return FleetError("the inventory cannot be used", [Problem(str(inventory), 0, 0, reason, hint=hint)])


def _refusal_of_ansible(inventory: Path | str, said: str) -> FleetError:
    """Ansible tries one reader after the other; what the YAML reader says is what helps, with its place."""
    fault = re.search(r"YAML parsing failed: (.+)", said)
    place = re.search(r"^Origin: \S+:(\d+):(\d+)$", said, re.MULTILINE)
    if fault is None or place is None:
        return _inventory_error(inventory, said)
    line, column = int(place[1]), int(place[2])
    hint = f"ansible-inventory -i {inventory} --list shows all that Ansible has against it"
    problem = Problem(
        str(inventory), line, column, "Ansible cannot read this", "an inventory in YAML", fault[1], hint
    )
    return FleetError("the inventory cannot be used", [problem])
