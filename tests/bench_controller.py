# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller needs from files to bundles: `python -m tests.bench_controller`.

Surveys of hosts with so many sites each, made of a real one; every size in a Python of its own, so that peak memory is
its own. CPU seconds; all of it lies in `.cache/bench/controller.json` afterwards.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from piquet.controller.prepare import build, keep_plan
from piquet.fleet.read import read_fleet
from piquet.fleet.workdir import Workdir
from piquet.load import load_campaign
from piquet.plan import make_plan, raise_if_unsafe
from piquet.servers.registry import SERVERS
from tests.bench_host import KEPT, Way, write_campaign
from tests.many_sites import plant_many
from tests.measured_agent import session

SIZES = ((300, 1), (3000, 1), (3000, 30), (3000, 300), (30000, 30), (30000, 300))
"""Sites, on how many hosts."""
_WAY = Way("nginx", "include", False, ("banner", "block", "occupy"))
_VERBS = (("--version",), ("check", "--help"), ("status", "--help"))


def main(arguments: list[str]) -> int:
    """A row for each size, and how long commands take to start."""
    if arguments:
        print(json.dumps(dict(_steps(Path(arguments[0])))))
        return 0
    rows: dict[str, Any] = {" ".join(verb): _start_s(verb) for verb in _VERBS}
    with tempfile.TemporaryDirectory(prefix="piquet-bench-") as folder:
        survey = _survey(Path(folder) / "root")
        for sites, hosts in SIZES:
            place = Path(folder) / f"{sites}-{hosts}"
            _write(place, survey, sites, hosts)
            rows[f"{sites} sites on {hosts} hosts"] = _measured(place)
    for name, row in rows.items():
        print(f"{name:28} {row}")
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.with_name("controller.json").write_text(json.dumps(rows, indent=1))
    return 0


def _survey(root: Path) -> dict[str, Any]:
    """What the agent says of a real server with a few sites."""
    with session(plant_many("nginx", root, 3, is_one_file=False)) as running:
        found: dict[str, Any] = running.ask("survey", time.time())[1]["survey"]
    return {**found, "skew_s": 0.0}


def _write(place: Path, survey: dict[str, Any], sites: int, hosts: int) -> None:
    write_campaign(_WAY, place)
    block = survey["nginx"]["blocks"][-1]
    for host in range(hosts):
        numbers = range(sites * host // hosts, sites * (host + 1) // hosts)
        blocks = [
            {
                **block,
                "names": [f"site{n}.example"],
                "file": f"/etc/nginx/sites-enabled/{n}",
                "hooked": "ours",
            }
            for n in numbers
        ]
        Workdir(place / "work").write_survey(
            f"host{host}", {**survey, "nginx": {**survey["nginx"], "blocks": blocks}}
        )


def _measured(place: Path) -> dict[str, float]:
    argv = [sys.executable, "-m", "tests.bench_controller", str(place)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _steps(place: Path) -> Iterator[tuple[str, float]]:
    """What `piquet plan` and `stage` do on the controller, in CPU seconds, and the most memory in MB."""
    workdir = Workdir(place / "work")
    names = {path.stem: {} for path in (place / "work" / "surveys").iterdir()}
    now = datetime.now(UTC)
    yield "import", round(time.process_time(), 2)

    def spent(act: Callable[[], Any]) -> tuple[float, Any]:
        before = time.process_time()
        found = act()
        return round(time.process_time() - before, 2), found

    load_s, loaded = spent(lambda: load_campaign(place / "campaign.yml"))
    read_s, fleet = spent(lambda: read_fleet(names, workdir.surveys(), SERVERS))
    plan_s, plan = spent(lambda: make_plan(loaded.campaign, fleet, now, SERVERS))
    raise_if_unsafe(plan)
    build_s, prepared = spent(lambda: build(plan, loaded, now))
    keep_s, _ = spent(lambda: keep_plan(prepared, workdir))
    yield from (
        ("load", load_s),
        ("surveys", read_s),
        ("plan", plan_s),
        ("bundles", build_s),
        ("keep", keep_s),
    )
    yield "all", round(load_s + read_s + plan_s + build_s + keep_s, 2)
    yield "MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _start_s(verb: tuple[str, ...]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([Path(sys.executable).with_name("piquet"), *verb], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
