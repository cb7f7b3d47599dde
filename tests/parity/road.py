# SPDX-License-Identifier: GPL-3.0-or-later
"""A road: one engine, one scheduler, and twin hosts of its own that have the same names and sites as everybody's.

The names are the same on every road, because a host's name is part of what it is given; only the addresses differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import Fleet
from testbed.host import Host

ENGINES = ("ansible", "pyinfra")
SCHEDULERS = ("systemd", "cron")
SITES = ("plain.parity.example", "own-pages.parity.example", "gone.parity.example")
_VHOSTS: Mapping[str, str] = {
    "nginx": """\
server {{ listen 80; server_name plain.parity.example; root /srv/parity; }}
server {{ listen 80; server_name own-pages.parity.example; root /srv/parity; error_page 404 503 /own.html; }}
server {{ listen 80; server_name gone.parity.example; return 410; }}
""",
    "apache": """\
<VirtualHost *:80>
    ServerName plain.parity.example
    DocumentRoot /srv/parity
</VirtualHost>
<VirtualHost *:80>
    ServerName own-pages.parity.example
    DocumentRoot /srv/parity
    ErrorDocument 404 /own.html
    ErrorDocument 503 /own.html
</VirtualHost>
<VirtualHost *:80>
    ServerName gone.parity.example
    Redirect gone /
</VirtualHost>
<Directory /srv/parity>
    Require all granted
</Directory>
""",
}
_SITES_FOLDER = {"nginx": "/etc/nginx/sites-enabled", "apache": "/etc/apache2/sites-enabled"}
RELOAD = {"nginx": "nginx -t -q && nginx -s reload", "apache": "apache2ctl -t && apache2ctl graceful"}


@dataclass(frozen=True)
class Run:
    """What one verb said and how it ended."""

    exit_code: int
    document: Mapping[str, Any]
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Road:
    """One way to hold the same picket.

    Attributes:
        engine: `ansible` or `pyinfra`.
        scheduler: `systemd` or `cron`.
        hosts: inventory name, the same on every road → the host.
        folder: of its inventory and working directory.
    """

    engine: str
    scheduler: str
    hosts: Mapping[str, Host]
    folder: Path

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.engine} and {self.scheduler}"

    @property
    def inventory(self) -> Path:
        """An Ansible inventory, which both engines read."""
        return self.folder / "hosts.yml"

    def command(
        self, verb: str, *arguments: str, engine: str = "", inventory: Path | None = None
    ) -> list[str]:
        """The command line of a verb."""
        program = str(Path(sys.executable).parent / "piquet")
        chosen = ["-i", str(inventory or self.inventory), "--engine", engine or self.engine]
        return [program, verb, *arguments, *chosen]

    def run(self, verb: str, *arguments: str, engine: str = "", inventory: Path | None = None) -> Run:
        """Run a verb for programs: its JSON document and how it ended."""
        done = self._run(self.command(verb, *arguments, "--json", engine=engine, inventory=inventory))
        try:
            document = json.loads(done.stdout)
        except ValueError as err:
            raise AssertionError(f"{self.name}, {verb}: no JSON\n{done.stdout}\n{done.stderr}") from err
        return Run(done.returncode, document, done.stdout, done.stderr)

    def say(self, verb: str, *arguments: str) -> Run:
        """Run a verb for people: what it prints."""
        done = self._run(self.command(verb, *arguments))
        return Run(done.returncode, {}, done.stdout, done.stderr)

    def _run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, cwd=self.folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )


def build(fleet: Fleet, folder: Path, engines: Sequence[str], schedulers: Sequence[str]) -> tuple[Road, ...]:
    """A road for each pair of engine and scheduler, on as many twins; sites planted, inventories written."""
    pairs = [(engine, scheduler) for scheduler in schedulers for engine in engines]
    roads = []
    for engine, scheduler in pairs:
        hosts = _twins(fleet, scheduler, engines.index(engine))
        own = folder / f"{engine}-{scheduler}"
        own.mkdir(parents=True)
        road = Road(engine, scheduler, hosts, own)
        road.inventory.write_text(inventory_text(fleet, road), encoding="utf-8")
        roads.append(road)
    on_hosts(roads, lambda host: _plant(host))
    return tuple(roads)


def inventory_text(fleet: Fleet, road: Road, user: str = "root", but: Mapping[str, str] | None = None) -> str:
    """The inventory of a road.

    Args:
        fleet: whose keys are used.
        road: whose hosts.
        user: that logs in.
        but: inventory name → another address for it.
    """
    lines = ["---", "all:", "  vars:", f"    ansible_user: {user}"]
    lines += [f"    ansible_ssh_common_args: -F {fleet.ssh_config}"]
    lines += [f'    ansible_control_path: "{road.folder}/%%h-%%r.sock"']
    lines += [f"    piquet_scheduler: {road.scheduler}", "  hosts:"]
    for name, host in road.hosts.items():
        lines += [f"    {name}:", f"      ansible_host: {(but or {}).get(name, host.ip)}"]
    return "\n".join(lines) + "\n"


def on_hosts(roads: Sequence[Road], act: Any) -> None:
    """Do something with every host of all roads, all at once."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, [host for road in roads for host in road.hosts.values()]))


def on_roads(roads: Sequence[Road], act: Any) -> dict[str, Any]:
    """Do the same on every road, all at once; road's name → what came of it."""
    with ThreadPoolExecutor(len(roads)) as pool:
        return dict(zip([road.name for road in roads], pool.map(act, roads), strict=True))


def _twins(fleet: Fleet, scheduler: str, number: int) -> dict[str, Host]:
    """One host of each web server; those that cron looks after have no systemd."""
    init = "systemd" if scheduler == "systemd" else "plain"
    chosen = {p: [host for host in fleet if host.provider == p and host.init == init] for p in _VHOSTS}
    return {f"{provider}-web": hosts[number] for provider, hosts in chosen.items() if hosts}


def _plant(host: Host) -> None:
    folder = _SITES_FOLDER[host.provider]
    host.run(f"rm -f {folder}/*")
    host.write_files(dict(_files(host)))
    host.run(RELOAD[host.provider])


def _files(host: Host) -> Iterator[tuple[str, str]]:
    yield (
        f"{_SITES_FOLDER[host.provider]}/parity.conf",
        _VHOSTS[host.provider].replace("{{", "{").replace("}}", "}"),
    )
    yield "/srv/parity/index.html", "<h1>as usual</h1>\n"
    yield "/srv/parity/own.html", "<h1>the site's own error page</h1>\n"
    yield "/srv/parity/api/data.json", "{}\n"
