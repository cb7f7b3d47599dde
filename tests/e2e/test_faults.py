# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on the night does not keep a site away, and does not bring a stopped picket back.

A round is one campaign on the whole fleet with one fault per host. Every host is looked at from outside ten
times a second; its files are compared before and after. Each fault's `windows` say when its sites may, and must,
be on strike.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from piquet.testbed import Fleet
from piquet.testbed.host import Host
from tests import drive, figures, foreign
from tests.drive import Drill

GRACE_S = 1.0
"""No site may be on strike later than this after its end."""

LASTS_S = 16
PACE = {"lead_s": 60.0}
"""How long before its start a campaign is written, by what this machine can do."""

WATCHED = ("static", "proxy", "wildcard", "redirect-https", "own-headers", "redirect-rewrite", "proxy-pass")
MAIN_FILE = {"nginx": "/etc/nginx/nginx.conf", "apache": "/etc/apache2/apache2.conf"}
TEST = {"nginx": "nginx -t", "apache": "apache2ctl configtest"}


class Fault:
    """Something that goes wrong on one host; what it does to files is put right by `undo`."""

    def inside(self, host: Host, drill: Drill) -> None:
        """Called a few seconds after the start."""

    def after(self, host: Host, drill: Drill) -> None:
        """Called after the end, while the host is still looked at."""

    def undo(self, host: Host) -> None:
        """Put right what an owner would put right, before `remove`."""

    def windows(self, drill: Drill) -> list[tuple[float, float]]:
        """When the host's sites may be on strike."""
        return [(drill.start_at, drill.end_at)]

    def missed_s(self, drill: Drill) -> float:
        """How many seconds of the window may be missing."""
        return 0.5


class PowerCutInside(Fault):
    """The plug is pulled and put back inside the window: the picket comes back with the host, until the end."""

    def inside(self, host: Host, drill: Drill) -> None:
        """Cut and boot."""
        host.power_cut()
        host.boot()
        self.back_at = time.time()
        assert self.back_at < drill.end_at - 2, "booted too late to show anything"

    def after(self, host: Host, drill: Drill) -> None:
        """The boot, not the operator, put the flags back."""
        assert "boot" in host.run("cat /var/lib/piquet/journal.jsonl").stdout

    def missed_s(self, drill: Drill) -> float:
        """As long as the host was down."""
        return self.back_at - drill.start_at


class PowerCutAcrossEnd(Fault):
    """The host is without power at the end and comes back afterwards: as usual, at once."""

    def inside(self, host: Host, drill: Drill) -> None:
        """Cut, wait for the end, boot."""
        host.power_cut()
        self.cut_at = time.time()
        drive.sleep_until(drill.end_at + 0.5)
        host.boot()

    def missed_s(self, drill: Drill) -> float:
        """From the cut to the end."""
        return drill.end_at - self.cut_at + 1


class TimersDeleted(Fault):
    """Somebody deletes our units: the lease alone ends it."""

    def inside(self, host: Host, drill: Drill) -> None:
        """Nothing of ours runs on this host any more."""
        host.run(
            "systemctl stop 'piquet-*.timer' 'piquet-*.service';"
            " find /etc/systemd -name 'piquet-*' -delete; systemctl daemon-reload"
        )
        assert "piquet" not in host.run("systemctl list-timers --all --no-legend", check=False).stdout


class ConfigurationBroken(Fault):
    """Somebody else breaks the server's configuration inside the window: no reload works, the end does."""

    good: bytes | None = None

    def inside(self, host: Host, drill: Drill) -> None:
        """One line of nonsense, as a hurried edit leaves it; a reload is tried and fails."""
        self.path = MAIN_FILE[host.provider]
        self.good = host.read_file(self.path)
        host.write_file(self.path, self.good + b"\nthis is no directive {\n")
        assert host.run(TEST[host.provider], check=False).returncode != 0

    def undo(self, host: Host) -> None:
        """The line is still there: nobody took away what the owner wrote last."""
        if self.good is None:
            return
        assert host.read_file(self.path) == self.good + b"\nthis is no directive {\n"
        host.write_file(self.path, self.good)


class BrokenThenRolledBack(ConfigurationBroken):
    """With the configuration broken, an operator rolls back from the controller: normal at once."""

    def inside(self, host: Host, drill: Drill) -> None:
        """Break, then roll back this host only."""
        super().inside(host, drill)
        done = drill.play("rollback", "--limit", host.name)
        self.at = time.time()
        assert host.name in done.stdout

    def windows(self, drill: Drill) -> list[tuple[float, float]]:
        """Until the rollback had been carried out."""
        return [(drill.start_at, self.at)]

    def missed_s(self, drill: Drill) -> float:
        """The rest of the window."""
        return drill.end_at - drill.start_at


class StoppedByHand(Fault):
    """Somebody deletes flags: normal at once, still normal after three minutes and after a reboot."""

    hours_s = 600
    """The window of such a round; it would still be on strike at the end of the test."""

    def __init__(self, command: str, names: tuple[str, ...] = ()) -> None:
        """Take the shell command, and the only names that it stops (none: all)."""
        self.command, self.names = command, names

    def inside(self, host: Host, drill: Drill) -> None:
        """The documented one-line kinds of stop; each is on disk at once, in case a power cut follows."""
        host.run(self.command)
        self.at = time.time()
        noticed = "tail -n 3 /var/lib/piquet/journal.jsonl | grep -q stopped.by.hand"
        if (
            host.run("systemctl is-active piquet-watch.path", check=False).returncode == 0
        ):  # takes inotify instances
            host.run(f"for try in $(seq 30); do {noticed} && exit 0; sleep 0.1; done; exit 1")

    def windows(self, drill: Drill) -> list[tuple[float, float]]:
        """Until the command returned."""
        return [(drill.start_at, self.at)]

    def missed_s(self, drill: Drill) -> float:
        """Everything from then on."""
        return drill.end_at - drill.start_at


@pytest.fixture(scope="module")
def planted(fleet: Fleet) -> Iterator[dict[str, tuple[str, ...]]]:
    """The foreign sites, surveyed and hooked once for all rounds; host → the names to look at.

    After the last round the hook lines go out again, and every foreign file must be as it was planted.
    """
    kinds = foreign.plant(fleet)
    before = drive.on_all(fleet, drive.foreign_files)
    drive.play(fleet, "survey")
    begin = time.monotonic()
    drive.play(fleet, "hook")
    PACE["lead_s"] = drive.lead_s(time.monotonic() - begin)
    yield {
        name: tuple(site for kind in dealt if kind.name in WATCHED for site in kind.sites)
        for name, dealt in kinds.items()
    }
    drive.play(fleet, "remove")
    assert before == drive.on_all(fleet, drive.foreign_files)


def hold(
    fleet: Fleet,
    tmp_path: Path,
    faults: dict[str, Fault],
    names: dict[str, tuple[str, ...]],
    lasts_s: int = LASTS_S,
) -> dict[str, float]:
    """Stage, arm, let the faults happen, look until after the end; host → site-seconds outside its windows."""
    drill = stage_and_arm(fleet, tmp_path, lasts_s)
    until = drill.end_at + 4.0 if lasts_s == LASTS_S else drill.start_at + 12.0
    eyes = {name: drive.look(drive.targets(fleet[name], names[name]), until) for name in faults}
    drive.sleep_until(drill.start_at + 3.0)
    with ThreadPoolExecutor(len(faults)) as pool:
        list(pool.map(lambda name: faults[name].inside(fleet[name], drill), faults))
    timelines = {name: eye.result() for name, eye in eyes.items()}
    outside = {}
    for name, fault in faults.items():
        fault.after(fleet[name], drill)
        windows = [(start, end + GRACE_S) for start, end in fault.windows(drill)]
        stopped = getattr(fault, "names", ()) or names[name]
        of_fault = [line for line in timelines[name] if line.target.site in stopped]
        outside[name] = sum(line.seconds_outside(windows) for line in of_fault)
        for line in timelines[name]:
            assert line.runs, f"{line.target.label} was never on strike"
            assert line.runs[0].first_ours.sent_at >= drill.start_at - 0.1, (
                f"{line.target.label} was seen early"
            )
            assert line.seconds_missed([(drill.start_at, min(until, drill.end_at))]) <= fault.missed_s(
                drill
            ), line
        for line in of_fault:
            assert not line.is_ours_at_end, f"{line.target.label} is still on strike"
    for name, fault in faults.items():
        figures.note(
            "faults",
            fault=type(fault).__name__,
            server=fleet[name].provider,
            outside_s=round(outside[name], 1),
        )
    return outside


def stage_and_arm(fleet: Fleet, folder: Path, lasts_s: int, **more: str) -> Drill:
    """A campaign that starts soon and is armed before; on a machine that has become slow, one that starts later."""
    for patience in (1, 2, 4):
        drill = drive.write_campaign(fleet, folder, PACE["lead_s"] * patience, lasts_s, **more)
        drill.play("stage", piquet_baseline=False)
        arm_and_kill(drill)
        if time.time() < drill.start_at:
            return drill
        drive.play(fleet, "rollback")
    raise AssertionError("armed too late for this test, three times")


def arm_and_kill(drill: Drill) -> None:
    """Arm; the controller is killed the moment that the last host is armed."""
    said = drill.folder / "arm.log"
    argv = drive.command(drill.fleet, "arm", piquet_campaign=drill.campaign)
    with said.open("w") as log:
        controller = subprocess.Popen(
            argv, cwd=drill.fleet.folder, stdout=log, stderr=log, start_new_session=True
        )
    while not all(host.run("test -e /run/piquet/live", check=False).returncode == 0 for host in drill.fleet):
        assert controller.poll() in (None, 0), f"arm failed\n{said.read_text()}"
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(controller.pid, signal.SIGKILL)
    controller.wait()


def settle(fleet: Fleet, faults: dict[str, Fault]) -> None:
    """Put right what was broken; leave nothing armed."""
    for name, fault in faults.items():
        fault.undo(fleet[name])
    drive.play(fleet, "rollback")


ROUNDS: Sequence[tuple[type[Fault], type[Fault], type[Fault]]] = [
    (PowerCutInside, TimersDeleted, ConfigurationBroken),
    (BrokenThenRolledBack, PowerCutAcrossEnd, PowerCutInside),
]
MORE_ROUNDS = [
    (ConfigurationBroken, BrokenThenRolledBack, TimersDeleted),
    (TimersDeleted, PowerCutInside, PowerCutAcrossEnd),
    (PowerCutAcrossEnd, ConfigurationBroken, BrokenThenRolledBack),
]


def described(kinds: object) -> str:
    """The test's name: the three faults of a round."""
    return "-".join(kind.__name__ for kind in kinds) if isinstance(kinds, tuple) else ""


@pytest.mark.parametrize(
    "kinds", [*ROUNDS, *(pytest.param(kinds, marks=pytest.mark.long) for kinds in MORE_ROUNDS)], ids=described
)
def test_no_fault_keeps_a_site_away(
    fleet: Fleet, planted: dict[str, tuple[str, ...]], tmp_path: Path, kinds: Sequence[type[Fault]]
) -> None:
    """Controller killed after arm, one fault per host: on time, over on time, foreign files as owners left them."""
    faults = {host.name: kind() for host, kind in zip(fleet, kinds, strict=True)}
    try:
        outside = hold(fleet, tmp_path, faults, planted)
    finally:
        settle(fleet, faults)
    assert dict.fromkeys(outside, 0.0) == outside


STOPS = (
    (
        "one flag",
        lambda: StoppedByHand("rm /run/piquet/live/static.corpus.example", ("static.corpus.example",)),
    ),
    ("all flags", lambda: StoppedByHand("rm -f /run/piquet/live/*")),
    ("/run/piquet", lambda: StoppedByHand("rm -rf /run/piquet")),
)


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.long) for turn in (1, 2))])
def test_stopped_by_hand_stays_stopped(
    fleet: Fleet, planted: dict[str, tuple[str, ...]], tmp_path: Path, turn: int
) -> None:
    """One flag, all flags, the folder: normal at once, after three minutes, after a reboot; other sites hold."""
    faults = {host.name: STOPS[(number + turn) % 3][1]() for number, host in enumerate(fleet)}
    try:
        outside = hold(fleet, tmp_path, faults, planted, lasts_s=StoppedByHand.hours_s)
        assert dict.fromkeys(outside, 0.0) == outside
        drive.sleep_until(max(fault.at for fault in faults.values()) + 180)
        assert_stopped(fleet, faults, planted)
        for host in fleet:
            host.reboot()
        assert_stopped(fleet, faults, planted)
    finally:
        settle(fleet, faults)


def assert_stopped(
    fleet: Fleet, faults: dict[str, StoppedByHand], planted: dict[str, tuple[str, ...]]
) -> None:
    """Stopped sites are as usual; on a host where one was stopped, the others are still on strike."""
    for name, fault in faults.items():
        targets = drive.targets(fleet[name], planted[name])
        for line in drive.look(targets, time.time() + 1.0).result():
            is_stopped = not fault.names or line.target.site in fault.names
            assert line.samples, f"{line.target.label} does not answer"
            assert line.is_ours_at_end is not is_stopped, f"{line.target.label} after `{fault.command}`"
