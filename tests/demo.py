# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: one whole campaign on three real hosts with foreign sites, told to somebody who sees it for the first time.

Every command is the one that an operator types; what is claimed at the end was measured on the way.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from piquet.verify.outside.watch import Timeline
from testbed import Fleet
from testbed.image import SUITES
from tests import drive, foreign
from tests.drive import Drill

SHORTEST_S = 10
"""Of a phase; on a slow machine one lasts until it has been looked at."""
FAR_S = 24 * 3600
"""Until the start of the campaign that is there before the first reload: how the sites answer is remembered for it."""
EXAMPLE = Path("inventory.example/campaign")
_CAMPAIGN = """\
campaign: drill
timezone: {zone}
languages: [fr, en, es, de, it, pt]
contact: https://example.org/greve
theme: poster
phases:
  - {{mode: banner, start: {starts[0]}, duration: {lasts_s}s, style: bar, message: messages/annonce}}
  - {{mode: block, start: {starts[1]}, duration: {lasts_s}s, page: pages/greve}}
  - {{mode: occupy, start: {starts[2]}, duration: {lasts_s}s, page: pages/une, paths: [/]}}
sites: {{include: ["*"], exclude: [unselected.corpus.example]}}
open: {{paths: [/api/], bypass: true}}
"""
MODES = {
    "banner": "every page that can carry it has the announcement, nothing else differs",
    "block": "selected sites answer with the strike page, all others as usual",
    "occupy": "the front page is the strikers', every other path as usual",
}
UNCOMPARED = frozenset({"limit-req"})
"""Kinds of which nobody can tell within the demo's minute whether they came back: one request a minute is answered."""
_NOISE = re.compile(r"^(PLAY|TASK|ok:|skipping:|\s*$|\S+\s+: ok=\d+)")
_SHOWN_LINES, _LAST_LINES = 14, 3


@dataclass
class Story:
    """What happened so far: numbered steps on the screen, proofs for the end."""

    steps: int
    number: int = 0
    proofs: list[str] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)

    def step(self, title: str, why: str) -> None:
        """Begin a chapter."""
        self.number += 1
        elapsed = time.monotonic() - self.began_at
        print(f"\n[{self.number}/{self.steps}] {title}  ({elapsed:.0f} s)\n      {why}", flush=True)

    def say(self, text: str) -> None:
        """A few indented lines."""
        lines = [line for line in text.splitlines() if not _NOISE.match(line)]
        more = len(lines) - _SHOWN_LINES
        if more > 1:  # what a verb says last is its result
            lines[_SHOWN_LINES - _LAST_LINES : -_LAST_LINES] = [f"… and {more} more lines"]
        for line in lines:
            print(f"      {line}", flush=True)

    def proved(self, text: str) -> None:
        """Something to repeat at the end."""
        self.proofs.append(text)


def main() -> int:
    """Run the demo; 0 when everything that it claims held."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument(
        "--suite", choices=SUITES, default="", help="Debian release of the hosts [this machine's]"
    )
    suite = parser.parse_args().suite
    story = Story(steps=9)
    story.step(
        "Three hosts", "Real Debian machines: systemd, ssh, nginx on two of them, Apache on the third."
    )
    with Fleet({"nginx": 2, "apache": 1}, suite=suite) as fleet:
        kinds = foreign.plant(fleet, UNCOMPARED)
        count = sum(len(dealt) for dealt in kinds.values())
        os.environ["PIQUET_CA"] = str(fleet.ca_file)
        let_apache_speak_lua(fleet)
        story.say(
            f"booted in {fleet.boot_s:.1f} s; {count} virtual hosts of others, in {len(_said(kinds))} kinds:"
        )
        story.say(", ".join(sorted({kind.name for dealt in kinds.values() for kind in dealt})))
        before = drive.on_all(fleet, drive.foreign_files)
        drill = prepare(story, fleet)
        timelines = hold(story, drill, kinds)
        drive.sleep_until(drill.end_at + 1.5)
        end(story, drill, timelines, before)
    return conclude(story)


def let_apache_speak_lua(fleet: Fleet) -> None:
    """An inventory variable: by rules alone Apache cannot occupy a page; piquet loads mod_lua until it is removed."""
    folder = fleet.folder / "group_vars"
    folder.mkdir()
    (folder / "apache.yml").write_text("piquet_apache: lua\n", encoding="utf-8")


def prepare(story: Story, fleet: Fleet) -> Drill:
    """Survey, hook, plan, stage."""
    story.step("survey", "Reads what every host serves, and what stands in the way. Changes nothing.")
    show(story, fleet, "survey")
    story.step(
        "hook", "One include line becomes the first thing of every nginx server block. It does nothing yet."
    )
    folder = fleet.folder / "campaign"
    shutil.copytree(EXAMPLE, folder)
    far = write_campaign(fleet, folder, FAR_S, SHORTEST_S)
    begin = time.monotonic()
    show(story, fleet, "hook", piquet_campaign=far.campaign)
    verb_s = time.monotonic() - begin
    begin = time.monotonic()
    cli(story, far, "verify", "--before")
    verify_s = time.monotonic() - begin
    story.proved("hooked: every answer as it was (piquet verify --before)")
    lasts_s = max(SHORTEST_S, round(1.5 * verb_s), round(2.5 * verify_s))
    drill = write_campaign(fleet, folder, drive.lead_s(verb_s) + 2 * verify_s, lasts_s)
    story.say(
        "The campaign of inventory.example, in six languages: a banner, then the block, then an occupied front page,"
    )
    story.say(f"{lasts_s} seconds each in the place of days.")
    story.step(
        "plan", "Who shows what, when. Refused if anything is unsafe; the digest pins what was reviewed."
    )
    cli(story, drill, "plan")
    story.step(
        "stage", "The inert bundle goes to all hosts: one transaction, test, reload. Visitors see no change."
    )
    show(story, fleet, "stage", piquet_campaign=drill.campaign)
    cli(story, drill, "verify", "--before")
    story.proved("staged, before the start: every answer as it was (piquet verify --before)")
    return drill


def hold(story: Story, drill: Drill, kinds: Mapping[str, Iterable[foreign.Kind]]) -> list[Timeline]:
    """Arm, look through start and end from outside, verify in the middle."""
    story.step("arm", "The point of commitment: checked on all hosts first, then all or none.")
    show(story, drill.fleet, "arm", piquet_campaign=drill.campaign)
    targets = [t for host in drill.fleet for t in drive.targets(host, foreign.names(kinds[host.name]))]
    eyes = drive.look(targets, drill.end_at + 1.0, period_s=0.2)
    story.step(
        "the window",
        f"{max(0, drill.start_at - time.time()):.0f} s until the start. The controller does nothing more.",
    )
    for number, (mode, shown) in enumerate(MODES.items()):
        begin = drill.start_at + number * phase_s(drill)
        drive.sleep_until(begin + 0.5)
        story.say(f"phase {number + 1}, {mode}: {shown}")
        cli(story, drill, "verify", "--during")
        if time.time() > begin + phase_s(drill):
            raise SystemExit(
                f"demo: this machine was too slow to look at phase {number + 1} before its end; all is taken down"
            )
        story.proved(f"{mode}: {shown} (piquet verify --during)")
    return list(eyes.result())


def phase_s(drill: Drill) -> float:
    """How long each phase lasts."""
    return (drill.end_at - drill.start_at) / len(MODES)


def write_campaign(fleet: Fleet, folder: Path, lead_s: float, lasts_s: int) -> Drill:
    """A campaign over the example's texts that begins so many seconds from now, each phase as long."""
    start_at = int(time.time() + lead_s) + 1
    at = (datetime.fromtimestamp(start_at + number * lasts_s, drive.ZONE) for number in range(len(MODES)))
    starts = [f"{instant:%Y-%m-%dT%H:%M:%S}" for instant in at]
    text = _CAMPAIGN.format(zone=drive.ZONE.key, starts=starts, lasts_s=lasts_s)
    (folder / "campaign.yml").write_text(text, encoding="utf-8")
    return Drill(fleet, folder, start_at, start_at + len(MODES) * lasts_s)


def end(story: Story, drill: Drill, timelines: list[Timeline], before: object) -> None:
    """After the end: the times, the certificate, and nothing left."""
    story.step("the end", "It ended by itself: the end is part of the servers' own configuration.")
    tell_times(story, drill, timelines)
    cli(story, drill, "verify", "--after")
    story.proved(
        "after the end: every answer as at the baseline (return certificate of piquet verify --after)"
    )
    story.step("remove", "Takes out the hook lines and all of ours, and proves that nothing is left.")
    show(story, drill.fleet, "remove")
    after = drive.on_all(drill.fleet, drive.foreign_files)
    if before != after:
        raise SystemExit("demo: a foreign file differs after remove")
    files = sum(len(listed) for listed in after.values())  # type: ignore[arg-type]
    story.proved(
        f"after remove: {files} foreign files on 3 hosts with the bytes, mode and owner they had before"
    )


def tell_times(story: Story, drill: Drill, timelines: list[Timeline]) -> None:
    """When the sites really switched, as seen from outside."""
    start_at = drill.start_at + phase_s(drill)  # a banner leaves the page the site's own
    on = [line.first_ours_at - start_at for line in timelines if line.first_ours_at]
    off = [line.last_ours_at - drill.end_at for line in timelines if line.last_ours_at]
    late = sum(line.seconds_outside([(start_at, drill.end_at)]) for line in timelines)
    if len(on) != len(timelines) or late:
        silent = ", ".join(line.target.label for line in timelines if not line.runs)
        raise SystemExit(
            f"demo: {late:.1f} site-seconds outside the window; never on strike: {silent or 'none'}"
        )
    samples = sum(line.samples for line in timelines)
    story.say(f"{len(timelines)} sites looked at {samples} times from outside, each five times a second")
    story.say(
        f"first strike answer after the start:  median {statistics.median(on):.2f} s, last site {max(on):.2f} s"
    )
    story.say(
        f"last strike answer before the end: median {-statistics.median(off):.2f} s, latest {-max(off):.2f} s"
    )
    story.proved(
        f"{len(timelines)} sites: 0.0 site-seconds on strike outside [start, end) in {samples} looks"
    )


def show(story: Story, fleet: Fleet, verb: str, **values: object) -> None:
    """Run a verb's playbook as an operator would, and show what it says."""
    story.say(f"$ ansible-playbook piquet.fleet.{verb} -i inventory.yml" + _extra(values))
    done = drive.play(fleet, verb, check=False, **values)
    story.say(done.stdout)
    if done.returncode:
        raise SystemExit(f"demo: {verb} failed\n{done.stdout[-3000:]}\n{done.stderr}")


def cli(story: Story, drill: Drill, verb: str, *options: str) -> None:
    """Run a verb of the command line."""
    tool = Path(sys.executable).parent / "piquet"
    story.say(f"$ piquet {verb} campaign.yml -i inventory.yml {' '.join(options)}".rstrip())
    argv = [str(tool), verb, str(drill.campaign), "-i", str(drill.fleet.inventory), *options]
    wide = {**os.environ, "COLUMNS": "110"}
    done = subprocess.run(
        argv, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=wide
    )
    story.say(done.stdout)
    if done.returncode:
        raise SystemExit(f"demo: {verb} failed\n{done.stdout[-3000:]}\n{done.stderr}")


def conclude(story: Story) -> int:
    """Repeat what was proved."""
    print(f"\nProved in {time.monotonic() - story.began_at:.0f} s:")
    for proof in story.proofs:
        print(f"  - {proof}")
    print("\nOn your own fleet: the eve runbook in README.md. Nothing of this demo is left on this machine.")
    return 0


def _said(kinds: Mapping[str, Iterable[foreign.Kind]]) -> set[str]:
    return {f"{kind.provider} {kind.name}" for dealt in kinds.values() for kind in dealt}


def _extra(values: Mapping[str, object]) -> str:
    return "".join(f" -e {name}={Path(str(value)).name}" for name, value in values.items())


if __name__ == "__main__":
    raise SystemExit(main())
