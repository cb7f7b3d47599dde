# SPDX-License-Identifier: GPL-3.0-or-later
"""One round: a campaign on the whole fleet, at most one fault per host, and every host looked at ten times a second.

The controller is killed the moment that the last host is armed, in every round.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from piquet.verify.outside.watch import Timeline
from testbed import Fleet, reload_server
from testbed.host import Host
from tests import drive, figures, plain_ssh
from tests.drive import Drill
from tests.e2e.fault import Fault
from tests.e2e.faults import CATALOGUE

GRACE_S = 1.0
"""No site may be on strike later than this after its end."""

LOOK_AFTER_S = 7.0
WATCHED = ("static", "proxy", "wildcard", "redirect-https", "own-headers", "redirect-rewrite", "proxy-pass")
PACE = {"lead_s": 60.0, "verb_s": 5.0}
"""How long before its start a campaign is written and how long a verb takes, by what this machine can do."""

Names = Mapping[str, tuple[str, ...]]
"""Host → the site names to look at."""


def set_pace(one_verb_s: float) -> None:
    """Leave room for what operators do before the start and inside the window."""
    PACE["lead_s"] = drive.lead_s(one_verb_s)
    PACE["verb_s"] = one_verb_s


def window_s(verbs: int = 0) -> int:
    """How long a window lasts: the verbs inside it may be four times as slow as the one that was measured."""
    return round(14.0 + PACE["verb_s"] * max(3, 4 * verbs))


def dealt(fleet: Fleet, number: int) -> dict[str, Fault]:
    """The faults of a round of the full matrix: every fault comes to every server that can have it, once.

    Args:
        fleet: as many faults of a server happen at once as it has hosts of it.
        number: of the round, from 0; none are left when the result is empty.
    """
    faults: dict[str, Fault] = {}
    for provider in ("nginx", "apache"):
        hosts = fleet.of(provider)
        kinds = [kind for kind in CATALOGUE if provider in kind.servers]
        turn = kinds[number * len(hosts) : (number + 1) * len(hosts)]
        faults |= {host.name: kind() for host, kind in zip(hosts, turn, strict=False)}
    return faults


def hold(
    fleet: Fleet, folder: Path, faults: Mapping[str, Fault], names: Names, open_s: int | None = None
) -> Drill:
    """Prepare, stage, arm, let the faults happen, look until after the end, judge.

    With a length of its own (`open_s`) the window is still open when the round is over.

    Raises:
        AssertionError: a site was on strike when it must not be, or was not when it must be.
    """
    for name, fault in faults.items():
        fault.prepare(fleet[name])
    drill = stage_and_arm(fleet, folder, open_s or window_s(max(fault.verbs for fault in faults.values())))
    for name, fault in faults.items():
        fault.before(fleet[name], drill)
    over_at = drill.start_at + 5.0 if open_s else drill.end_at
    until = over_at + LOOK_AFTER_S
    eyes = {
        name: drive.look(drive.targets(fleet[name], names[name]), until, answered_since=over_at + GRACE_S)
        for name in faults
    }
    with ThreadPoolExecutor(len(faults)) as pool:
        list(pool.map(lambda name: _happen(faults[name], fleet[name], drill, over_at), faults))
    for name, eye in eyes.items():
        judge(faults[name], fleet[name], drill, eye.result(), until)
    return drill


def _happen(fault: Fault, host: Host, drill: Drill, over_at: float) -> None:
    """One fault's own course."""
    drive.sleep_until(drill.start_at + 3.0)
    fault.inside(host, drill)
    drive.sleep_until(over_at + 1.0)
    fault.after(host, drill)


def judge(fault: Fault, host: Host, drill: Drill, lines: Sequence[Timeline], until: float) -> None:
    """Never early, never late, nothing missing that must be there; the figures are kept before anything is asserted."""
    windows = [(start, end + GRACE_S) for start, end in fault.windows(drill)]
    concerned = [
        line for line in lines if line.target.site in (fault.names or [t.target.site for t in lines])
    ]
    outside_s = sum(line.seconds_outside(windows) for line in concerned)
    missed_s = max(line.seconds_missed([(drill.start_at, min(until, drill.end_at))]) for line in lines)
    note(fault.says, host.provider, len(lines), outside_s)
    for line in lines:
        assert line.runs, f"{line.target.label} was never on strike"
        early_s = (
            drill.start_at - line.runs[0].first_ours.first_byte_at
        )  # what was asked before may come behind it
        assert early_s <= 0.0, f"{line.target.label} was seen early by {early_s:.2f} s"
    for line in concerned:
        assert not line.is_ours_at_end, f"{line.target.label} is still on strike"
    assert missed_s <= fault.missed_s(drill), (
        f"{host.name}: {fault.says}: {missed_s:.1f} s of the window missing"
    )
    assert outside_s == 0.0, f"{host.name}: {fault.says}: {outside_s:.1f} site-seconds on strike outside"


def note(fault: str, server: str, sites: int, outside_s: float) -> None:
    """One row of the fault matrix."""
    figures.note("faults", fault=fault, server=server, sites=sites, site_seconds_outside=round(outside_s, 1))


def stage_and_arm(fleet: Fleet, folder: Path, lasts_s: int, **more: str) -> Drill:
    """A campaign that starts soon and is armed before; on a machine that has become slow, one that starts later."""

    def armed(patience: int) -> Drill:
        drill = drive.write_campaign(fleet, folder, PACE["lead_s"] * patience, lasts_s, **more)
        drill.verb("stage", piquet_baseline=False)
        arm_and_kill(drill)
        return drill

    return drive.in_time(armed)


def arm_and_kill(drill: Drill) -> None:
    """Arm; the controller is killed the moment that the last host is armed."""
    controller = Controller(drill, "arm", command=plain_ssh.command)
    while not all(is_live(host) for host in drill.fleet):
        controller.require_alive()
        time.sleep(0.1)
    controller.kill()


def is_live(host: Host) -> bool:
    """Whether flags are up on a host."""
    return host.run("test -e /run/piquet/live", check=False).returncode == 0


class Controller:
    """A verb in a process of its own, which can be killed with all that it started."""

    def __init__(
        self, drill: Drill, verb: str, *, command: Callable[..., list[str]] = drive.command, **values: object
    ) -> None:
        """Start it: a playbook, unless the command line is made by somebody else."""
        self.said = drill.folder / f"{verb}.log"
        argv = command(drill.fleet, verb, piquet_campaign=drill.campaign, **values)
        with self.said.open("w") as log:
            self.process = subprocess.Popen(
                argv, cwd=drill.fleet.folder, stdout=log, stderr=log, start_new_session=True
            )

    def require_alive(self) -> None:
        """It has not failed yet."""
        assert self.process.poll() in (None, 0), f"it failed\n{self.said.read_text()}"

    def kill(self) -> None:
        """SIGKILL to its whole session at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def result(self) -> tuple[int, str]:
        """Its exit status and all that it said."""
        status = self.process.wait()
        return status, self.said.read_text("utf-8")


def settle(fleet: Fleet, faults: Mapping[str, Fault]) -> None:
    """Put right what was broken; leave nothing armed."""
    for name, fault in faults.items():
        fault.undo(fleet[name], fleet)
        reload_server(
            fleet[name], fleet[name].provider
        )  # its owner's, or hook and stage refuse what is not loaded
    drive.run_verb(fleet, "rollback")


def watched(kinds: Mapping[str, Iterable[object]]) -> Names:
    """The names to look at: a few sites of different kinds on every host."""
    return {
        host: tuple(site for kind in dealt_kinds for site in kind.sites if kind.name in WATCHED)  # type: ignore[attr-defined]
        for host, dealt_kinds in kinds.items()
    }
