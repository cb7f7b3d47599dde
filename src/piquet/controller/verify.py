# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `piquet verify` for an engine, over exactly the hosts that it knows, whatever inventory they come from."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VERIFY_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "campaign": {"type": "path", "required": True},
    "workdir": {"type": "path", "required": True},
    "hosts": {"type": "str", "default": "all"},
    "moment": {"type": "str", "default": "now", "choices": ["now", "before", "during", "after"]},
    "baseline": {"type": "str", "default": "auto", "choices": ["auto", "take", "keep", "compare", "ignore"]},
    "ca": {"type": "path", "default": ""},
    "public": {"type": "bool", "default": False},
    "resolver": {"type": "str", "default": ""},
}
"""What an engine may pass, in the form of Ansible's argument specs."""

_BASELINE = (
    "bring the hosts named above back; or leave one out of everything: -e 'piquet_hosts=all:!HOST'; "
    "or go on without what is missing: -e piquet_baseline=false"
)
_NO_CAMPAIGN = (
    "there is no campaign file yet, so how the sites answer is not remembered before this reload\n\n"
    "  hint: write it and run this again first, or stage remembers how they answer after it"
)


def verify_command(arguments: Mapping[str, Any], inventory: Path) -> list[str]:
    """The command line: this Python's own piquet, on an inventory file made for it."""
    files = [arguments["campaign"], "-i", str(inventory), "--workdir", arguments["workdir"]]
    moment = [f"--{arguments['moment']}"]
    baseline = [] if arguments["baseline"] == "auto" else ["--baseline", arguments["baseline"]]
    authority = ["--ca", arguments["ca"]] if arguments["ca"] else []
    public = ["--public"] if arguments.get("public") else []
    public += ["--resolver", arguments["resolver"]] if public and arguments.get("resolver") else []
    return [sys.executable, "-m", "piquet", "verify", *files, *moment, *baseline, *authority, *public]


def attempt(arguments: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Ask all sites; failed when the command says that not all is as it should be.

    Args:
        arguments: as in `ARGUMENTS`.
        hosts: inventory name → host variables.

    Returns:
        An Ansible result; `show` is what the command said.
    """
    if arguments["baseline"] == "keep" and not Path(arguments["campaign"]).is_file():
        return {"changed": False, "failed": False, "rc": 0, "msg": _NO_CAMPAIGN, "show": _NO_CAMPAIGN}
    with tempfile.TemporaryDirectory(prefix="piquet-") as folder:
        inventory = Path(folder) / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": _needed_variables(hosts)}}), "utf-8")
        done = subprocess.run(
            verify_command(arguments, inventory), capture_output=True, text=True, check=False
        )
    text = "\n".join(part.strip() for part in (done.stdout, done.stderr) if part.strip())
    failed = done.returncode != 0
    verdict = _verdict(arguments, done.returncode)
    return {"changed": False, "failed": failed, "rc": done.returncode, "msg": verdict, "show": text}


def _verdict(arguments: Mapping[str, Any], status: int) -> str:
    if status == 0:
        return "all that was asked answers as it should"
    if arguments["baseline"] in ("take", "keep"):
        return (
            f"the baseline is not complete (piquet verify ended with status {status})\n\n  hint: {_BASELINE}"
        )
    return f"piquet verify ended with status {status}"


def _needed_variables(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Only the variables that verify reads: passwords and keys of a host have no place in a file of ours."""
    names = ("ansible_host", "piquet_addresses", "piquet_health_paths", "piquet_sites")
    return {host: {name: values[name] for name in names if name in values} for host, values in hosts.items()}
