# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet VERB` on real hosts, through either engine: a campaign, its output, its exit codes, an honest Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from piquet.cli import exit_codes
from piquet.cli.run_summary import ARM_CHECK
from piquet.engines import ENGINES
from testbed import Fleet
from testbed.host import Host
from tests.drive import write_campaign
from tests.e2e.one_site import FILE, chosen, name_of, planted

SLOW_PYTHON = "/usr/local/bin/e2e-cli-python"
_HERE = ("paper", "report")
_DESK_COMMANDS = ("piquet rollback", "piquet stop", "piquet status", "rm -rf")
_SLOW = """\
#!/bin/sh
# What the schedule calls never waits.
# The second agent after its count was set to 0 waits: of arm, that is the one that arms.
[ "$1" != /usr/local/sbin/piquet-host ] || exec /usr/bin/python3 "$@"
read n 2>/dev/null </run/e2e-cli-count || exec /usr/bin/python3 "$@"
echo $((n + 1)) >/run/e2e-cli-count
[ "$n" != 1 ] || sleep 12
exec /usr/bin/python3 "$@"
"""


@dataclass(frozen=True)
class Desk:
    """Where an operator sits: a fleet with one foreign site per host, a campaign, an engine."""

    fleet: Fleet
    campaign: Path
    folder: Path
    engine: str

    def argv(self, verb: str, *more: str) -> list[str]:
        """The command line of a verb."""
        program = os.fspath(Path(sys.executable).parent / "piquet")
        campaign = [os.fspath(self.campaign)] if verb in ("stage", "arm", *_HERE) else []
        where = ["-i", os.fspath(self.fleet.inventory)]
        where += [] if verb in _HERE else ["-e", f"piquet_python={SLOW_PYTHON}"]
        where += [] if verb == "report" else ["--engine", self.engine]
        return [program, verb, *campaign, *where, *more]

    def do(self, verb: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run a verb from a folder that has nothing to do with it."""
        argv = self.argv(verb, *more)
        return subprocess.run(argv, cwd=self.folder, text=True, capture_output=True, check=False)

    def well(self, verb: str, *more: str) -> str:
        """Run a verb that must succeed; its standard output."""
        done = self.do(verb, *more)
        assert done.returncode == exit_codes.OK, f"{verb}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def told(self, verb: str, *more: str) -> dict[str, Any]:
        """Run a verb with `--json`; the document."""
        document: dict[str, Any] = json.loads(self.do(verb, "--json", *more).stdout)
        return document

    def states(self) -> dict[str, str]:
        """Host → its state, as `status --json` tells it."""
        hosts: Mapping[str, Any] = self.told("status")["hosts"]
        return {host: value["status"]["state"] for host, value in hosts.items() if value["status"]}

    def paper(self) -> dict[str, str]:
        """The lines of the paper for the desk that are there to be typed, by host, or by what they begin with."""
        lines = self.well("paper", "--language", "en").splitlines()
        found = [(lines[at - 1], line.strip()) for at, line in enumerate(lines) if line.startswith("    ")]
        return {
            before if line.startswith("ssh ") else " ".join(line.split()[:2]): line for before, line in found
        }

    def typed(self, line: str) -> None:
        """Type a line as it is printed."""
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=os.environ | {"PATH": programs},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == exit_codes.OK, f"{line}\n{done.stdout}"

    def names(self) -> list[str]:
        """All hosts, sorted."""
        return sorted(host.name for host in self.fleet)


@pytest.fixture(scope="module")
def campaign(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One foreign site on every host, and a campaign for these that starts in an hour."""
    for host in fleet:
        host.write_file(SLOW_PYTHON, _SLOW, 0o755)
    with planted(fleet):
        yield write_campaign(fleet, tmp_path_factory.mktemp("cli"), 3600, 600, sites=chosen(fleet)).campaign
    for host in fleet:
        host.run(f"rm -f {SLOW_PYTHON} /run/e2e-cli-count")


@pytest.fixture(scope="module", params=ENGINES)
def desk(
    fleet: Fleet, campaign: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Desk]:
    """A desk per engine; at its end `remove` takes all of ours from every host, and finds nothing the second time."""
    desk = Desk(fleet, campaign, tmp_path_factory.mktemp("desk"), request.param)
    yield desk
    assert f", {len(desk.names())} changed, 0 failed, " in desk.well("remove")
    assert ", 0 changed, 0 failed, " in desk.well("remove")


@pytest.fixture
def staged(desk: Desk) -> Desk:
    """Every host hooked and staged, none armed."""
    states = set(desk.states().values())
    if not states <= {"staged", "stopped"}:
        desk.well("rollback")
        desk.well("survey")
        desk.well("hook")
        desk.well("stage", "--no-baseline")
    return desk


def test_a_campaign_from_survey_to_rollback(desk: Desk) -> None:
    """Each verb says `done`, with the hosts that it changed; hosts are sorted, what would change is shown first."""
    survey = desk.well("survey")
    assert re.findall(r"^(\w+): debian", survey, re.MULTILINE) == desk.names()
    nginx = [host.name for host in desk.fleet.of("nginx")]
    dry = desk.well("hook", "--check", "--diff")
    headers = re.findall(rf"^\+\+\+ (\w+):{FILE['nginx']}$", dry, re.MULTILINE)
    assert headers == nginx and dry.count(
        "+    include /etc/piquet/nginx/server/*.conf; # piquet hook"
    ) >= len(nginx)
    assert f"{len(nginx)} would change, 0 failed" in dry.splitlines()[-1]
    assert not any(b"piquet" in host.read_file(FILE["nginx"]) for host in desk.fleet.of("nginx"))
    assert f", {len(nginx)} changed, 0 failed, " in desk.well("hook")
    everybody = f"done: {len(desk.names())} hosts, {len(desk.names())} changed, 0 failed, "
    staged = desk.well("stage", "--no-baseline")
    assert everybody in staged
    digest = re.search(r"digest ([0-9a-f]{64})", staged)
    assert digest is not None and everybody in desk.well("arm", "--digest", digest[1])
    assert desk.states() == dict.fromkeys(desk.names(), "armed")
    paper = desk.paper()
    *first, last = desk.names()
    assert sorted(paper) == sorted([*desk.names(), *_DESK_COMMANDS])
    desk.typed(paper["piquet stop"].replace("SITE", name_of(desk.fleet[first[0]])))
    for host in first:
        desk.typed(paper[host])
    assert desk.states() == {**dict.fromkeys(first, "stopped"), last: "armed"}
    assert desk.told("rollback")["exit_code"] == 0
    assert desk.states() == dict.fromkeys(desk.names(), "stopped")
    for line in (last, "piquet rollback", "piquet status"):
        desk.typed(paper[line])
    desk.well("report", "--out", os.fspath(desk.folder / "report"))
    report = json.loads((desk.folder / "report.json").read_text("utf-8"))
    assert [host["host"] for host in report["hosts"]] == desk.names()
    assert all(host["armed"][-1]["digest"] == digest[1] and host["stops"] for host in report["hosts"])
    assert all(host["journal_is_whole"] for host in report["hosts"])
    assert {"hook", "stage", "arm", "stop", "rollback"} <= {line["verb"] for line in report["commands"]}


def test_a_host_out_of_reach(staged: Desk) -> None:
    """Arm is all or nothing: that host is named with the reason, the others are called not armed, and are not."""
    lost = staged.fleet.of("nginx")[-1]
    with lost.cut_off():
        arm = staged.do("arm")
    assert arm.returncode == exit_codes.HOST, arm.stdout + arm.stderr
    last, others = arm.stdout.splitlines()[-1], len(staged.names()) - 1
    assert last.startswith("NOT done: ") and f"1 unreachable ({lost.name}), {others} not armed" in last, last
    assert f"unreachable: {lost.name}: " in arm.stderr
    assert not any(is_live(host) for host in staged.fleet)


def test_a_terminal_shows_bars_and_a_pipe_lines(staged: Desk) -> None:
    """The same last line on both; only the terminal gets what moves."""
    piped = staged.do("status")
    argv = staged.argv("status")
    with pexpect.spawn(
        argv[0], argv[1:], cwd=os.fspath(staged.folder), encoding="utf-8", timeout=120, dimensions=(24, 120)
    ) as child:
        child.expect(pexpect.EOF)
        shown = child.before
    count = len(staged.names())
    assert f"/{count}" in shown and "elapsed" in shown and "left" in shown, shown
    for text in (piped.stdout, shown):
        assert re.search(rf"^done: {count} hosts, 0 changed, 0 failed, [\d.]+ s\r?$", text, re.MULTILINE), (
            text
        )
    assert "\x1b" not in piped.stdout + piped.stderr and "elapsed" not in piped.stderr
    waits = r"(?:  still waiting \(\d+ s\)[^\n]*\n)*"  # on a slow machine
    told = rf"{waits}Ask every host what it is doing: {count} hosts, [\d.]+ s\n"
    assert re.fullmatch(told, piped.stderr), piped.stderr


def test_ctrl_c_in_the_middle_of_arm(staged: Desk) -> None:
    """It says who is armed and who may be, ends with 130, leaves no process; that host goes on to its end by itself."""
    slow = staged.fleet.of("nginx")[0]
    slow.write_file("/run/e2e-cli-count", "0\n")
    mark = f"E2E_CLI={uuid.uuid4()}"
    process = subprocess.Popen(
        staged.argv("arm"),
        cwd=staged.folder,
        env=os.environ | dict([mark.split("=")]),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    others = {host.name for host in staged.fleet} - {slow.name}
    wait_until(lambda: slow.read_file("/run/e2e-cli-count") == b"2\n", 60)
    wait_until(lambda: all(is_live(staged.fleet[name]) for name in others), 60)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == exit_codes.INTERRUPTED, out + err
    assert f"interrupted in the step: {ARM_CHECK}" not in err
    assert f"  done: {', '.join(sorted(others))}\n" in err and f"  unknown: {slow.name}\n" in err, err
    assert f"armed: {', '.join(sorted(others))}; perhaps armed: {slow.name}" in err, err
    assert f"piquet rollback -i {staged.fleet.inventory}" in err
    assert re.match(r"NOT done: ", out.splitlines()[-1]), out
    assert processes_with(mark) == []
    wait_until(lambda: is_live(slow), 60)
    slow.run("rm /run/e2e-cli-count")
    staged.well("rollback")
    assert not any(is_live(host) for host in staged.fleet)


def is_live(host: Host) -> bool:
    """Whether a host has its flags."""
    return Path(f"/proc/{host.init_pid()}/root/run/piquet/live").is_symlink()


def wait_until(is_so: Any, patience_s: float) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def processes_with(mark: str) -> list[str]:
    """Command lines of processes that inherited a variable; shared ssh connections are meant to outlive a run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line and not line.startswith("ssh: ")]
