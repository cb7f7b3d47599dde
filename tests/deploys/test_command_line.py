# SPDX-License-Identifier: GPL-3.0-or-later
"""pyinfra's own command line over the stand-ins, and the runner when somebody interrupts it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from piquet.controller.events import Event
from tests.ansible.place import HOSTS, STAND_IN, Place
from tests.ansible.roles import ROOT
from tests.deploys.conftest import environment, job, pyinfra

HOSTS_YML = "@ansible/hosts.yml"


def deploy(verb: str) -> str:
    """The file to run."""
    return str(ROOT / "deploys" / f"{verb}.py")


def row(text: str, step: str) -> list[str]:
    """The counts of a step in pyinfra's last table: hosts, success, error, no change."""
    lines = [line for line in text.splitlines() if f"| {step} " in line]
    return lines[-1].partition(f"| {step} ")[2].split()


def test_a_run_counts_what_changed(surveyed: Place) -> None:
    """Exactly one question per host and verb; what pyinfra counts as changed is what the agent changed."""
    done = pyinfra(surveyed, HOSTS_YML, deploy("stage"), "-y", "--data", "piquet_canary=web3")
    assert done.returncode == 0, done.stderr
    assert [surveyed.verbs(host)[1:] for host in HOSTS] == [["stage"]] * 3
    assert row(done.stderr, "Stage the canaries") == ["3", "1", "-", "2"]
    assert row(done.stderr, "Stage all other hosts") == ["3", "2", "-", "1"]
    again = pyinfra(surveyed, HOSTS_YML, deploy("stage"), "-y")
    assert (again.returncode, row(again.stderr, "Stage all other hosts")) == (0, ["3", "-", "-", "3"])


def test_a_dry_run_tells_what_would_change(surveyed: Place) -> None:
    """The hosts are asked in check mode, differences are shown where asked for, and nothing is done."""
    done = pyinfra(surveyed, HOSTS_YML, deploy("stage"), "--dry", "--diff")
    assert done.returncode == 0, done.stderr
    assert surveyed.states() == ["absent"] * 3
    assert {r["check"] for host in HOSTS for r in surveyed.asked(host)[1:]} == {True}
    assert re.search(r"Stage the canaries +1 \(web1\)", done.stderr), done.stderr
    assert re.search(r"Stage all other hosts +2 \(web2, web3\)", done.stderr), done.stderr
    assert "+++ /etc/piquet/x" in done.stderr
    assert "+++" not in pyinfra(surveyed, HOSTS_YML, deploy("stage"), "--dry").stderr


def test_a_plan_that_is_refused_stops_everything(surveyed: Place) -> None:
    """Before any host was asked, with the reason."""
    done = pyinfra(surveyed, HOSTS_YML, deploy("stage"), "-y", "--data", f"piquet_plan_digest={'a' * 64}")
    assert done.returncode != 0 and "not the plan that was reviewed" in done.stderr
    assert [surveyed.verbs(host) for host in HOSTS] == [["survey"]] * 3


def test_a_failing_canary_ends_with_an_error(surveyed: Place) -> None:
    """No other host is touched, and pyinfra counts the error."""
    surveyed.fail("web1", "stage")
    done = pyinfra(surveyed, HOSTS_YML, deploy("stage"), "-y")
    assert done.returncode == 1 and "hint: mend the configuration" in done.stderr
    assert row(done.stderr, "Stage the canaries")[2] == "1"
    assert [surveyed.verbs(host)[1:] for host in HOSTS] == [["stage"], [], []]


def test_a_canary_that_fails_in_the_look_before_protects_the_others(surveyed: Place) -> None:
    """Without -y pyinfra looks, asks and goes on; the canary has taken no part since, and nobody is staged."""
    surveyed.fail("web1", "stage")
    dry = pyinfra(surveyed, HOSTS_YML, deploy("stage"), "--dry")
    assert dry.returncode == 1 and "hint: mend the configuration" in dry.stderr
    done = pyinfra(surveyed, HOSTS_YML, deploy("stage"), typed="\n")
    assert done.returncode == 1 and "web1 has failed before" in done.stderr, done.stderr
    assert surveyed.states() == ["absent"] * 3


def test_a_run_after_a_look_does_it(surveyed: Place) -> None:
    """Without -y: each host is asked in check mode, and after the word of a person for real."""
    done = pyinfra(surveyed, HOSTS_YML, deploy("stage"), typed="\n")
    assert done.returncode == 0 and surveyed.states() == ["staged"] * 3, done.stderr
    assert [r["check"] for r in surveyed.asked("web2")[1:]] == [True, False]


def test_ways_out_go_on_and_end_with_an_error(staged: Place) -> None:
    """A host that is down and one that fails are both in the table, the third is released."""
    staged.take_down("web1")
    staged.fail("web2", "rollback")
    done = pyinfra(staged, HOSTS_YML, deploy("rollback"), "-y")
    assert done.returncode == 1 and "Rollback: 1 ok, 2 not (web1, web2)" in done.stderr
    assert staged.states()[2] == "stopped"
    assert re.search(r"web1 +unreachable", done.stderr) and re.search(r"web2 +failed", done.stderr)


def test_a_limited_run_arms_nobody(staged: Place) -> None:
    """As with Ansible's --limit."""
    done = pyinfra(staged, HOSTS_YML, deploy("arm"), "-y", "--limit", "web1")
    assert done.returncode != 0 and "in the plan but not in this run" in done.stderr
    assert staged.states() == ["staged"] * 3


@pytest.mark.parametrize("how", ["--serial", "--no-wait"])
def test_no_host_is_armed_before_all_were_checked(staged: Place, how: str) -> None:
    """What pyinfra does host by host cannot be all or nothing, so it is refused rather than half done."""
    done = pyinfra(staged, HOSTS_YML, deploy("arm"), "-y", how)
    assert "without --serial and --no-wait" in done.stderr
    assert staged.states() == ["staged"] * 3
    out = pyinfra(staged, HOSTS_YML, deploy("rollback"), "-y", how)
    assert "Rollback: 3 ok" in out.stderr and staged.states() == ["stopped"] * 3


def test_deploys_are_packaged_functions(staged: Place) -> None:
    """One's own deploy file calls them, for pyinfra's own kind of inventory, one after the other."""
    data = {"piquet_python": str(STAND_IN), "piquet_become": False, "piquet_baseline": False}
    (staged.folder / "inventory.py").write_text(f"hosts = ([{'@local'!r}], {data!r})\n")
    (staged.folder / "own.py").write_text(
        "from piquet.deploys import rollback, status\n\nstatus()\nrollback()\nstatus()\n"
    )
    done = pyinfra(staged, "inventory.py", "own.py", "-y")
    assert done.returncode == 0, done.stderr
    assert staged.verbs("@local") == ["status", "rollback", "status"]
    assert done.stderr.count("Status: 1 ok") == 2


def start(place: Place, verb: str) -> subprocess.Popen[str]:
    """Start the runner; its job is written and its input closed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "piquet.deploys", verb], env=environment(place), cwd=place.folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(job(place))
    process.stdin.close()
    process.stdin = None
    return process


def slow(place: Place, seconds: float) -> None:
    """Let every stand-in take its time; what it was asked is written down at once."""
    python = place.folder / "slow.py"
    python.write_text(f'#!/bin/sh\ntouch "$PIQUET_STAND_IN/begun"\nsleep {seconds}\nexec {STAND_IN} "$@"\n')
    python.chmod(0o755)
    inventory = place.inventory()
    inventory["all"]["vars"]["piquet_python"] = str(python)
    (place.folder / "hosts.yml").write_text(json.dumps(inventory))


def wait_for(file: Path) -> None:
    """Until a file is there."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} never came"
        time.sleep(0.05)


def events_of(text: str) -> list[Event]:
    """The events of a runner's output."""
    return [Event.from_line(line) for line in text.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_what_it_began_and_begins_nothing(
    staged: Place, number: signal.Signals
) -> None:
    """One signal: the check that runs on the hosts ends, nobody is armed, the table says so."""
    slow(staged, 3)
    process = start(staged, "arm")
    wait_for(staged.folder / "begun")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    checks = [
        e for e in events_of(out) if e.kind == "result" and e.step == "Check that every host can be armed"
    ]
    assert [e.result.get("failed") for e in checks] == [False] * 3
    assert staged.states() == ["staged"] * 3
    assert [staged.verbs(host)[2:] for host in HOSTS] == [["check"]] * 3


def test_a_second_signal_waits_for_nobody_and_says_what_is_unknown(staged: Place) -> None:
    """Every host that was being asked is told as such, quickly, and no process stays behind."""
    slow(staged, 30)
    process = start(staged, "rollback")
    wait_for(staged.folder / "begun")
    time.sleep(1)
    begun_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1 and time.monotonic() - begun_at < 20, err
    lost = [e for e in events_of(out) if "the host did is unknown: run status" in str(e.result.get("msg"))]
    assert sorted(e.host for e in lost) == list(HOSTS)
    assert all(e.result["failed"] for e in lost)
    assert "Rollback: 0 ok, 3 not" in events_of(out)[-1].result["show"]
