# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage on 16 hosts by each engine, beside raw parallel ssh doing the same: bytes, test, reload.

All ways in turn on one fleet, each with a campaign of its own so that there is something to do; medians and ratios
of one run, since machines differ and are shared. Prints one line per way. `python -m tests.bench_fleet [ROUNDS]`.
Hosts and controller share this machine's cores.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed import Fleet
from testbed.host import Host
from tests import bench, drive
from tests.drive import Drill

HOSTS = 16
SITES = 3000
_BLOCK = "server {{ listen 80; server_name {name}; root /var/www/html; }}\n"


def main(rounds: int) -> int:
    """Print the figures."""
    took: dict[str, list[float]] = {}
    with Fleet({"nginx": HOSTS}) as fleet:
        _ready(fleet)
        for number in range(rounds):
            for name, act in _ways(fleet, number):
                took.setdefault(name, []).append(bench.seconds(act))
                print(f"round {number + 1}: {name} {took[name][-1]:.2f} s", file=sys.stderr, flush=True)
    floor = statistics.median(took["raw ssh"])
    print(f"stage, {HOSTS} hosts, {SITES} sites, medians of {rounds}: raw parallel ssh {floor:.2f} s")
    for name, seconds in took.items():
        print(f"  {name}: {statistics.median(seconds):.2f} s, ratio {statistics.median(seconds) / floor:.2f}")
    return 0


def _ready(fleet: Fleet) -> None:
    """Plant the sites, survey, hook."""
    for number, host in enumerate(fleet):
        plant(host, number)
    drive.play(fleet, "survey")
    drive.play(fleet, "hook")


def plant(host: Host, number: int) -> None:
    """Give a host its share of the sites."""
    host.write_file("/etc/nginx/sites-enabled/many.conf", _vhosts(number))
    host.run("nginx -t -q && systemctl reload nginx")


def _vhosts(number: int) -> str:
    share = range(SITES * number // HOSTS, SITES * (number + 1) // HOSTS)
    return "".join(_BLOCK.format(name=f"site{n}.example.org") for n in share)


def _ways(fleet: Fleet, number: int) -> Sequence[tuple[str, Callable[[], object]]]:
    """Every way has another campaign to stage, so that all of them have all the work to do."""
    drills = {way: _drill(fleet, number, way) for way in ("raw", "ansible", "pyinfra")}
    prepared = bench.prepared(drills["raw"])
    return (
        ("raw ssh", lambda: bench.raw(fleet, lambda host: bench.raw_stage(host, prepared))),
        ("ansible-playbook", lambda: drills["ansible"].play("stage", piquet_baseline=False)),
        ("pyinfra", lambda: _pyinfra(fleet, drills["pyinfra"])),
    )


def _drill(fleet: Fleet, number: int, way: str) -> Drill:
    far_s = 3600 * (number + 1) + 600 * len(way)
    return drive.write_campaign(fleet, fleet.folder / way, far_s, 60)


def _pyinfra(fleet: Fleet, drill: Drill) -> None:
    tool = Path(sys.executable).parent / "pyinfra"
    data = ["--data", f"piquet_campaign={drill.campaign}", "--data", "piquet_baseline=false"]
    command = [str(tool), f"@ansible/{fleet.inventory}", "deploys/stage.py", "-y", *data]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
