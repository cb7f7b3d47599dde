# SPDX-License-Identifier: GPL-3.0-or-later
"""What every verb of the agent costs one host with thousands of virtual hosts: `python -m tests.bench_host [SIZE ...]`.

A real server in a private root, the agent as it is sent to a host, a bundle of the real controller; CPU seconds beside
seconds on the clock, since machines are shared. The floor is the server's own test and one reload, in the same run.
Prints a table for each way; all of it lies in `.cache/bench/host.json` afterwards.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from piquet.controller.prepare import Prepared, build
from piquet.fleet.read import read_fleet
from piquet.load import load_campaign
from piquet.plan import make_plan
from piquet.protocol.findings import errors
from piquet.servers.registry import SERVERS
from tests.corpus.kinds import Provider
from tests.many_sites import plant_many
from tests.measured_agent import Cost, Session, own_commands, session

SIZES = (300, 3000)
KEPT = Path(__file__).resolve().parents[1] / ".cache" / "bench" / "host.json"
_HOST = "host"
_CAMPAIGN = """\
campaign: bench
timezone: UTC
languages: [fr, en]
contact: https://example.org/greve
phases:
{phases}
sites: {{include: ["*"]}}
open: {{paths: [/api/], bypass: true}}
"""
_PHASES = {
    "block": "  - {{mode: block, start: {0}, end: {1}, page: pages/greve}}",
    "banner": "  - {{mode: banner, start: {0}, end: {1}, style: bar, message: messages/annonce}}",
    "occupy": "  - {{mode: occupy, start: {0}, end: {1}, page: pages/une, paths: [/]}}",
}


@dataclass(frozen=True)
class Way:
    """A server, and how piquet speaks to it."""

    provider: Provider
    variant: str
    is_one_file: bool
    modes: tuple[str, ...] = ("block",)

    @property
    def title(self) -> str:
        """For people."""
        where = "one file" if self.is_one_file else "a file each"
        return f"{self.provider} by {self.variant}, {'+'.join(self.modes)}, {where}"


WAYS = tuple(
    Way(provider, variant, is_one_file)
    for provider, variant in (("nginx", "include"), ("nginx", "lua"), ("apache", "rules"), ("apache", "lua"))
    for is_one_file in (True, False)
)


def main(arguments: list[str]) -> int:
    """Numbers are sizes, words choose among the ways; keep what was found beside what is known of other ways."""
    sizes = tuple(int(word) for word in arguments if word.isdecimal()) or SIZES
    words = [word for word in arguments if not word.isdecimal()]
    rows = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for way in (way for way in WAYS if all(word in way.title for word in words)):
        for sites in sizes:
            found = measured(way, sites)
            show(way, sites, found)
            rows[f"{way.title}, {sites}"] = {
                name: asdict(cost) if isinstance(cost, Cost) else cost for name, cost in found.items()
            }
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            KEPT.write_text(json.dumps(rows, indent=1))
    return 0


def measured(way: Way, sites: int) -> dict[str, Cost | float]:
    """One campaign from survey to remove on a host with so many virtual hosts."""
    with tempfile.TemporaryDirectory(prefix="piquet-bench-") as folder:
        server = plant_many(
            way.provider,
            Path(folder) / "root",
            sites,
            is_one_file=way.is_one_file,
            by_lua=way.variant == "lua",
        )
        with session(server) as running:
            return dict(_campaign(running, way, Path(folder) / "campaign", sites))


def _campaign(running: Session, way: Way, folder: Path, sites: int) -> Iterator[tuple[str, Cost | float]]:
    def floor(when: str) -> Iterator[tuple[str, Cost | float]]:
        test, reload = own_commands(way.provider)
        yield f"memory, {when}", running.fresh_memory_mb()
        yield f"own test, {when}", running.run(*test)
        yield f"own reload, {when}", running.run(*reload)

    yield from floor("before")
    cost, answer = running.ask("survey", time.time())
    yield "survey", cost
    if way.variant == "include":
        files = answer["survey"]["nginx"]["files"]
        cost, answer = running.ask("hook", time.time(), files=files)
        yield "hook", cost
    prepared = _prepared(way, answer["survey"], folder, sites)
    members = prepared.members(prepared.bundles[0])
    asked = {"host": _HOST, "plan_digest": prepared.digest}
    yield "stage", running.ask("stage", time.time(), members, **asked)[0]
    yield "arm", running.ask("arm", time.time(), **asked)[0]
    time.sleep(2.5)
    for name in ("status", "status again"):
        yield name, running.ask("status", time.time())[0]
    for name in ("reconcile", "reconcile again"):
        yield name, running.minute()
    yield from floor("armed")
    yield "rollback", running.ask("rollback", time.time())[0]
    if way.variant == "include":
        yield "unhook", running.ask("unhook", time.time())[0]
        survey = running.ask("survey", time.time())[1]["survey"]
        running.ask("hook", time.time(), files=survey["nginx"]["files"])
    yield "remove", running.ask("remove", time.time())[0]


def _prepared(way: Way, survey: dict[str, Any], folder: Path, sites: int) -> Prepared:
    """The real controller's plan and bundle, of a campaign that begins in a month."""
    loaded = load_campaign(write_campaign(way, folder))
    variables = {f"piquet_{way.provider}": way.variant}
    fleet = read_fleet({_HOST: variables}, {_HOST: {**survey, "skew_s": 0.0}}, SERVERS)
    now = datetime.now(UTC)
    plan = make_plan(loaded.campaign, fleet, now, SERVERS)
    wrong = [finding.to_json() for finding in errors(plan.findings)]
    assert not wrong, wrong[:3]
    assert len(plan.hosts[0].entries) >= sites
    return build(plan, loaded, now)


def write_campaign(way: Way, folder: Path) -> Path:
    """A campaign with a phase for each of the modes, which begins in a month."""
    for name in ("pages/greve", "pages/une", "messages/annonce"):
        for language in ("fr", "en"):
            path = folder / name / f"{language}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("# Grève\n\nLe personnel est en grève.\n")
    begin = datetime.now(UTC) + timedelta(days=30)
    days = [(begin + timedelta(days=number)).strftime("%Y-%m-%dT%H:00") for number in range(4)]
    phases = [_PHASES[mode].format(*span) for mode, span in zip(way.modes, pairwise(days), strict=False)]
    path = folder / "campaign.yml"
    path.write_text(_CAMPAIGN.format(phases="\n".join(phases)))
    return path


def show(way: Way, sites: int, found: dict[str, Cost | float]) -> None:
    """A table for people."""
    print(f"\n{way.title}, {sites} virtual hosts", flush=True)
    print(f"  {'':22} CPU  agent   tests  reload    wall  memory  opened fsyncs processes")
    for name, cost in found.items():
        if not isinstance(cost, Cost):
            print(f"  {name:18} {cost:46.0f} MB")
            continue
        times = f"{cost.cpu_s:7.2f} {cost.agent_s:6.2f} {cost.children_s:7.2f} {cost.server_s:7.2f} {cost.wall_s:7.2f}"
        counts = f"{cost.opens:7} {cost.fsyncs:6} {cost.processes:6}" if cost.agent_s else ""
        down = f"  flags down after {cost.down_s:.2f} s" if cost.down_s else ""
        print(f"  {name:18} {times} {cost.peak_mb:4.0f} MB {counts}{down}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
