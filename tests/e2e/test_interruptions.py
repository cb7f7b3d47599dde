# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong while operators work: killed, cut off, out of space, two at once. Nothing is left half done.

Every site is looked at without pause all the while; what was on strike outside a window is counted.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from piquet.verify.outside.watch import Timeline
from testbed import Fleet
from testbed.host import Host
from tests import drive, foreign
from tests.drive import Drill
from tests.e2e import rounds
from tests.e2e.fault import Windows
from tests.e2e.faults import TEST
from tests.e2e.rounds import Controller, Names

FAR_S = 3600.0
LASTS_S = 15
OPEN_S = 600
"""Of a window that is still open when a test is over, however slow the machine."""

_OUR_RECORDS = ("/var/lib/piquet/journal", "/var/lib/piquet/installed.json", "/var/lib/piquet/hooks.json")
"""Differ from one run to the next by their times."""


@dataclass(frozen=True)
class Ground:
    """The fleet with its foreign sites, nothing of ours on it.

    Attributes:
        fleet: the hosts.
        names: to look at, by host.
        files: every foreign file as it was planted, by host.
    """

    fleet: Fleet
    names: Names
    files: dict[str, object]

    def drill(self, folder: Path, start_in_s: float = FAR_S, lasts_s: int = LASTS_S, **more: str) -> Drill:
        """A campaign; by default one that starts long after the test."""
        return drive.write_campaign(self.fleet, folder, start_in_s, lasts_s, **more)


@pytest.fixture(scope="module")
def ground(fleet: Fleet) -> Iterator[Ground]:
    """Planted and surveyed; at the end every foreign file must be as it was planted."""
    kinds = foreign.plant(fleet)
    before = dict(drive.on_all(fleet, drive.foreign_files))
    begin = time.monotonic()
    drive.run_verb(fleet, "survey")
    rounds.set_pace(time.monotonic() - begin)
    yield Ground(fleet, rounds.watched(kinds), before)
    drive.run_verb(fleet, "remove")
    assert before == drive.on_all(fleet, drive.foreign_files)


@pytest.fixture
def clean(ground: Ground) -> Iterator[Ground]:
    """The ground as each test finds it, and must leave it whatever happens."""
    yield ground
    drive.run_verb(ground.fleet, "remove")


@contextlib.contextmanager
def looked_at(ground: Ground, fault: str, windows: Windows | None = None) -> Iterator[None]:
    """Look at every site until the context ends; nothing may have been on strike outside the windows."""
    seen: list[Timeline] = []
    is_over = threading.Event()
    targets = [t for host in ground.fleet for t in drive.targets(host, ground.names[host.name])]

    def look() -> None:
        while not is_over.is_set():
            seen.extend(drive.look(targets, time.time() + 1.0).result())

    eyes = threading.Thread(target=look)
    eyes.start()
    try:
        yield
    finally:
        is_over.set()
        eyes.join()
    allowed = [(start, end + rounds.GRACE_S) for start, end in windows or ()]
    for provider in ("nginx", "apache"):
        of_provider = [line for line in seen if ground.fleet[line.target.host].provider == provider]
        sites = len({line.target for line in of_provider})
        rounds.note(fault, provider, sites, sum(line.seconds_outside(allowed) for line in of_provider))
    assert sum(line.samples for line in seen) > len(targets), "nobody looked"
    early_or_late = [line for line in seen if line.seconds_outside(allowed) > 0]
    assert [] == [f"{line.target.label}: {line.runs}" for line in early_or_late], allowed


def whole(host: Host) -> dict[str, str]:
    """All files on a host, ours included, without what differs from run to run."""
    found = drive.foreign_files(host)
    return {path: rest for path, rest in found.items() if not path.startswith(_OUR_RECORDS)}


def at_rest(host: Host, patience_s: float = 60.0) -> None:
    """Wait until no agent works on a host any more: whoever carried it there is dead, it goes on to its end."""
    deadline = time.monotonic() + patience_s
    while host.run("ls /tmp/.piquet.* 2>/dev/null", check=False).stdout:
        assert time.monotonic() < deadline, f"an agent still works on {host.name}"
        time.sleep(0.1)


def kill_in_the_middle(drill: Drill, verb: str, moment: float | None) -> None:
    """Start a verb, kill its controller: after so many seconds, or as soon as an agent has registered its changes."""
    controller = Controller(drill, verb, **({"piquet_baseline": False} if verb == "stage" else {}))
    begin = time.monotonic()
    registers = [host.root / "var/lib/piquet/checkpoint/steps.json" for host in drill.fleet]
    while time.monotonic() - begin < 60 and controller.process.poll() is None:
        if any(r.exists() for r in registers) if moment is None else time.monotonic() - begin >= moment:
            break
        time.sleep(0.005)
    is_killed = controller.process.poll() is None
    controller.kill()
    assert is_killed or moment is not None, f"{verb} was over before anybody could kill it"
    for host in drill.fleet:
        at_rest(host)


@pytest.mark.parametrize(
    "moment", [None, *(pytest.param(s, marks=pytest.mark.long) for s in (0.8, 1.4, 2.0, 2.8, 3.6))]
)
def test_controller_killed_in_the_middle(clean: Ground, tmp_path: Path, moment: float | None) -> None:
    """Of hook, stage and remove: each host is as before or as after, sites as usual; the verb again finishes it."""
    fleet, drill = clean.fleet, clean.drill(tmp_path)
    when = "as it writes" if moment is None else f"after {moment} s"
    for verb in ("hook", "stage", "remove"):
        before = {host.name: whole(host) for host in fleet}
        with looked_at(clean, f"controller killed in the middle of {verb}, {when}"):
            kill_in_the_middle(drill, verb, moment)
            between = {host.name: whole(host) for host in fleet}
            for host in fleet:
                host.run(TEST[host.provider])
            drill.verb(verb, **({"piquet_baseline": False} if verb == "stage" else {}))
        after = {host.name: whole(host) for host in fleet}
        assert after != before, f"{verb} has done nothing: this proves nothing"
        for name in between:
            assert between[name] in (before[name], after[name]), f"{name} is half way through {verb}"
    assert clean.files == drive.on_all(fleet, drive.foreign_files)


def states(drill: Drill) -> dict[str, str]:
    """Host → its state as the status table tells it."""
    said = drill.verb("status", check=False).stdout
    return {
        host: state for host, state in re.findall(r"^(\w+) +(?:ok|unreachable) +(\w+)", said, re.MULTILINE)
    }


def ready(ground: Ground, folder: Path, start_in_s: float = FAR_S, lasts_s: int = LASTS_S) -> Drill:
    """Everything hooked and staged."""
    drive.run_verb(ground.fleet, "hook")
    drill = ground.drill(folder, start_in_s, lasts_s)
    drill.verb("stage", piquet_baseline=False)
    return drill


@pytest.mark.parametrize("full", [pytest.param("/etc/piquet", marks=pytest.mark.long), "/var/lib/piquet"])
def test_disk_full_at_stage(clean: Ground, tmp_path: Path, full: str) -> None:
    """It is told which file could not be written; every file is as it was, and with space it works."""
    fleet, drill = clean.fleet, clean.drill(tmp_path)
    drill.verb("hook")
    before = {host.name: whole(host) for host in fleet}
    hosts = (fleet.of("nginx")[0], fleet.of("apache")[0])
    with looked_at(clean, f"disk full at stage ({full})"):
        for host in hosts:
            host.run(f"mkdir -p {full} && mount -t tmpfs -o size=16k,mode=0711 tmpfs {full}")
        try:
            run = drill.verb("stage", only=hosts, piquet_baseline=False, check=False)
        finally:
            left = [host.run(f"find {full} -type f").stdout for host in hosts]
            for host in hosts:
                host.run(f"umount {full} && rmdir --ignore-fail-on-non-empty {full}")
        assert run.returncode != 0 and "No space left" in run.stdout + run.stderr, run.stdout
        assert "Staging failed; every file is as it was" in run.stdout, run.stdout
        assert all("/etc/piquet/" not in text for text in left), left
        assert before == {host.name: whole(host) for host in fleet}
        for host in hosts:
            host.run(TEST[host.provider])
        drill.verb("stage", piquet_baseline=False)


def test_half_armed_because_one_host_cannot(clean: Ground, tmp_path: Path) -> None:
    """One host fails after its check was good: the armed ones are taken back, or are kept if so asked; told by name."""
    fleet = clean.fleet
    loser = fleet.of("nginx")[-1]
    windows: list[tuple[float, float]] = []

    def armed(patience: int) -> Drill:
        drill = ready(clean, tmp_path, rounds.PACE["lead_s"] * 2 * patience)
        windows.append((drill.start_at, drill.end_at))
        with read_only(loser, "/var/spool/piquet"):
            run = drill.verb("arm", check=False)
            if run.returncode and time.time() > drill.start_at:
                return drill
            assert run.returncode != 0 and re.search(rf"^{loser.name} +failed", run.stdout, re.MULTILINE), (
                run.stdout
            )
            undone = re.findall(r"^\w+ +undone", run.stdout, re.MULTILINE)
            assert len(undone) == len(fleet.hosts) - 1, run.stdout
            assert "armed" not in states(drill).values()
            run = drill.verb("arm", check=False, piquet_arm_partial=True)
            assert loser.name in run.stdout
        return drill

    with looked_at(clean, "one host cannot be armed", windows):
        drill = drive.in_time(armed)
        others = {host.name for host in fleet} - {loser.name}
        assert others == {name for name, state in states(drill).items() if state == "armed"}
        drive.sleep_until(drill.start_at + 1.0)
        assert others == on_strike(clean)
        drive.sleep_until(drill.end_at + 2.0)


@contextlib.contextmanager
def read_only(host: Host, folder: str) -> Iterator[None]:
    """Let nobody write into a folder of the host."""
    host.run(f"mkdir -p {folder} && mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}")
    try:
        yield
    finally:
        host.run(f"umount {folder}")


def on_strike(ground: Ground) -> set[str]:
    """Hosts whose every site shows the strike; no site of the others does. A look lasts until it has its samples."""
    for lasts_s in (1.5, 5.0, 15.0):
        until = time.time() + lasts_s
        eyes = {h.name: drive.look(drive.targets(h, ground.names[h.name]), until) for h in ground.fleet}
        lines = {name: eye.result() for name, eye in eyes.items()}
        if all(line.samples for looked in lines.values() for line in looked):
            break
    shown = {name: {line.is_ours_at_end for line in looked if line.samples} for name, looked in lines.items()}
    for name, answers in shown.items():
        assert len(answers) == 1, f"{name} shows the strike on some sites only, or nothing at all"
    return {name for name, answers in shown.items() if answers == {True}}


@pytest.mark.long
def test_half_armed_because_the_controller_died(clean: Ground, tmp_path: Path) -> None:
    """Killed as soon as one host is armed: status says which, and anybody can release the armed ones."""
    fleet = clean.fleet
    drill = ready(clean, tmp_path, rounds.PACE["lead_s"], OPEN_S)
    lives = [Path(f"/proc/{host.init_pid()}/root/run/piquet/live") for host in fleet]
    with looked_at(clean, "controller killed when one host is armed", [(drill.start_at, drill.end_at)]):
        controller = Controller(drill, "arm")
        while not any(live.is_symlink() for live in lives):
            controller.require_alive()
            time.sleep(0.002)
        controller.kill()
        for host in fleet:
            at_rest(host)
        told = {name for name, state in states(drill).items() if state == "armed"}
        assert told == {host.name for host in fleet if rounds.is_live(host)} != set()
        drive.sleep_until(drill.start_at + 1.0)
        assert told == on_strike(clean)
        drive.run_verb(fleet, "rollback", piquet_workdir=tmp_path / "another-operator")
        assert on_strike(clean) == set()


@pytest.mark.long
def test_two_operators_at_once(clean: Ground, tmp_path: Path) -> None:
    """Two stage, two arm, one arms while one rolls back: each host is one operator's as a whole, or nobody's."""
    fleet = clean.fleet
    mine = ready(clean, tmp_path / "a")
    theirs = clean.drill(tmp_path / "b", FAR_S + 60)
    with looked_at(clean, "two operators at once"):
        both = [
            Controller(drill, "stage", piquet_baseline=False, piquet_workdir=workdir(drill))
            for drill in (mine, theirs)
        ]
        for controller in both:
            controller.result()
        for host in fleet:
            host.run(TEST[host.provider])
            assert "not-intact" not in host.run("piquet-host status --json").stdout
        mine.verb("stage", piquet_baseline=False)
        arms = [Controller(mine, "arm") for _ in range(2)]
        assert {"armed"} == set(states_when_over(mine, arms).values())
        drive.run_verb(fleet, "rollback")
        arm, rollback = Controller(mine, "arm"), Controller(theirs, "rollback")
        after = states_when_over(mine, [arm, rollback])
        assert rollback.result()[0] == 0, rollback.result()[1]
        is_armed = {host.name: rounds.is_live(host) for host in fleet}
        assert is_armed == {name: state == "armed" for name, state in after.items()}
        assert arm.result()[0] == 0 or not any(is_armed.values()), "half armed, and nobody said so"
        drive.run_verb(fleet, "rollback")
        assert not any(rounds.is_live(host) for host in fleet)


def workdir(drill: Drill) -> Path:
    """A working directory of an operator's own, with the common surveys."""
    folder = drill.folder / ".piquet"
    folder.mkdir(exist_ok=True)
    (folder / "surveys").symlink_to(drill.fleet.folder / ".piquet/surveys")
    return folder


def states_when_over(drill: Drill, controllers: Sequence[Controller]) -> dict[str, str]:
    """The states once all of them have ended."""
    for controller in controllers:
        controller.result()
    return states(drill)


ALL_VERBS = ("survey", "hook", "stage", "arm", "status", "verify", "rollback", "remove")


@pytest.mark.long
@pytest.mark.parametrize("verbs", [("arm",), ALL_VERBS], ids="-".join)
def test_unreachable_at_each_verb(clean: Ground, tmp_path: Path, verbs: Sequence[str]) -> None:
    """One nginx and one Apache host cannot be reached: both are named, the exit status is not zero, nothing starts."""
    fleet = clean.fleet
    lost = (fleet.of("nginx")[-1], fleet.of("apache")[-1])
    drill = ready(clean, tmp_path)
    with looked_at(clean, f"two hosts out of reach at {', '.join(verbs)}"):
        for verb in verbs:
            with contextlib.ExitStack() as cables:
                for host in lost:
                    cables.enter_context(host.cut_off())
                run = drill.verb(verb, check=False, piquet_baseline=False)
            said = run.stdout + run.stderr
            assert run.returncode != 0, f"{verb} calls it done\n{said}"
            assert all(host.name in said for host in lost), f"{verb} names them not\n{said}"
            assert not any(rounds.is_live(host) for host in fleet), f"{verb} has armed a part of the fleet"
    if "remove" in verbs:
        left = {
            host.name
            for host in fleet
            if "/etc/piquet/manifest.json" in host.run("ls /etc/piquet/*", check=False).stdout
        }
        assert left == {host.name for host in lost}, "the hosts within reach are clean, the others untouched"


def test_a_host_out_of_reach_at_rollback_ends_by_itself(clean: Ground, tmp_path: Path) -> None:
    """The others are released at once; that one is listed, holds, and ends on time by itself."""
    fleet = clean.fleet
    drill = ready(clean, tmp_path, rounds.PACE["lead_s"], lasts_s=3 * rounds.window_s())
    lost = fleet.of("apache")[-1]
    with looked_at(clean, "a host out of reach at rollback", [(drill.start_at, drill.end_at)]):
        drill.verb("arm")
        drive.sleep_until(drill.start_at + 1.0)
        assert on_strike(clean) == {host.name for host in fleet}
        with lost.cut_off():
            run = drill.verb("rollback", check=False)
            assert run.returncode != 0 and f"1 not ({lost.name})" in run.stdout, run.stdout
        assert time.time() < drill.end_at - 2, "too slow a machine for this test"
        assert on_strike(clean) == {lost.name}
        drive.sleep_until(drill.end_at + 2.0)
        assert on_strike(clean) == set()
