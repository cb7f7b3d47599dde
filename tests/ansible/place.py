# SPDX-License-Identifier: GPL-3.0-or-later
"""A place to work from: an inventory of hosts whose Python is `stand_in.py`, a campaign, what each host was asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

STAND_IN = Path(__file__).parent / "stand_in.py"
MODULES = ["http_access", "http_geo", "http_map", "http_realip", "http_rewrite"]
HOSTS = ("web1", "web2", "web3")


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook."""

    rc: int
    text: str

    def recap(self, host: str) -> dict[str, int]:
        """Ansible's own count for a host."""
        line = next(line for line in reversed(self.text.splitlines()) if line.startswith(f"{host} "))
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


@dataclass(frozen=True)
class Place:
    """An inventory, a campaign, and the stand-ins' folder."""

    folder: Path
    collections: Path

    def play(self, verb: str, *arguments: str, extra: Mapping[str, Any] | None = None) -> Run:
        """Run a playbook of the collection by its name."""
        return self.play_file(f"piquet.fleet.{verb}", *arguments, extra=extra)

    def play_file(self, name: str, *arguments: str, extra: Mapping[str, Any] | None = None) -> Run:
        """Run a playbook."""
        command = [str(Path(sys.executable).parent / "ansible-playbook"), name]
        command += ["-i", str(self.folder / "hosts.yml"), *arguments, "-e", json.dumps(extra or {})]
        environment = os.environ | {
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "PIQUET_STAND_IN": str(self.folder),
        }
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=self.folder
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def asked(self, host: str) -> list[dict[str, Any]]:
        """What a stand-in was asked, oldest first."""
        file = self.folder / f"{host}.asked"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def verbs(self, host: str) -> list[str]:
        """The verbs of `asked`; the checking half of arm is `check`."""
        return ["check" if r.get("only_check") else r["verb"] for r in self.asked(host)]

    def states(self) -> list[str]:
        """The state of every host."""
        files = [self.folder / f"{host}.state" for host in HOSTS]
        return [file.read_text() if file.exists() else "absent" for file in files]

    def be(self, *states: str) -> None:
        """Put every host into a state, as runs that nobody has to wait for again would have."""
        for host, state in zip(HOSTS, states, strict=True):
            (self.folder / f"{host}.state").write_text(state)

    def fail(self, host: str, *verbs: str) -> None:
        """Let a host fail at these from now on."""
        (self.folder / f"{host}.fails").write_text(" ".join(verbs))

    def break_server(self, host: str) -> None:
        """Let a host's nginx refuse its configuration from now on."""
        survey = _survey()
        survey["nginx"]["test"] = {"ok": False, "output": "[emerg] unknown directive"}
        (self.folder / f"{host}.survey.json").write_text(json.dumps(survey))

    def take_down(self, host: str) -> None:
        """Make a host unreachable: nobody listens at its ssh port."""
        inventory = self.inventory()
        inventory["all"]["hosts"][host] = {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": 1,
        }
        (self.folder / "hosts.yml").write_text(json.dumps(inventory))

    def inventory(self) -> dict[str, Any]:
        """The inventory as it is."""
        return json.loads((self.folder / "hosts.yml").read_text())  # type: ignore[no-any-return]


def new_place(folder: Path, collections: Path) -> Place:
    """Three hosts with one hooked site each, and a campaign that starts tomorrow."""
    hosts = {host: {"ansible_connection": "local"} for host in HOSTS}
    variables = {"piquet_python": str(STAND_IN), "piquet_become": False, "piquet_baseline": False}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    (folder / "ansible.cfg").touch()
    (folder / "survey.json").write_text(json.dumps(_survey()))
    start = datetime.now(UTC) + timedelta(days=1)
    (folder / "campaign/pages/greve").mkdir(parents=True)
    (folder / "campaign/pages/greve/fr.md").write_text("# En grève\n")
    (folder / "campaign/campaign.yml").write_text(
        "campaign: greve-test\ntimezone: UTC\nlanguages: [fr]\ncontact: https://example.org/greve\n"
        f"phases:\n  - {{mode: block, start: {start:%Y-%m-%dT%H:%M}, duration: 1h, page: pages/greve}}\n"
        'sites: {include: ["*"]}\n'
    )
    return Place(folder, collections)


def _survey() -> dict[str, Any]:
    listen = {"address": "0.0.0.0", "port": 80, "tls": False, "default": False}
    block = {
        "file": "/etc/nginx/s",
        "line": 1,
        "offset": 8,
        "names": ["a.example"],
        "listens": [listen],
        "hooked": "ours",
    }
    nginx = {
        "version": "1.22.1", "modules": MODULES, "running": True,
        "test": {"ok": True, "output": ""}, "conf": "/etc/nginx/nginx.conf", "dropin_dir": "/etc/nginx/conf.d",
        "http": {"map_hash_max_size": None, "map_hash_bucket_size": None, "flag_lag_s": 0},
        "files": {"/etc/nginx/s": "0" * 64}, "blocks": [block],
    }  # fmt: skip
    return {
        "piquet_survey": 1, "at": 0.0, "boot_id": "b", "hostname": "h", "timezone": "UTC", "platform": "debian",
        "os": {"id": "debian", "version": "12"}, "init": "systemd", "python": "3.11.2", "caches": [],
        "findings": [], "status": {}, "nginx": nginx, "apache": None,
    }  # fmt: skip
