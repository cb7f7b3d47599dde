# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that cron looks after, without systemd as process 1 and with it: exact hours, every way out, nothing left.

Two are laid out as RHEL's likes are, one of them with systemd's timers.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from piquet.verify.observation import Target
from testbed import Fleet, Host
from testbed.layout import Layout
from tests import drive, figures
from tests.corpus.kinds import HERE
from tests.drive import Drill
from tests.e2e import one_site, rehearsal
from tests.e2e.one_site import name_of

GRACE_S = 1.0
MINUTE_S = 60
LEAD_S = 20.0
SPARE_S = 10.0
"""Armed so long before the start, a test has its eyes on every host in time."""

INSIDE_S = 10
"""A full minute comes not sooner than this after the start."""

BEFORE_S = 5
"""The end comes so long before a full minute."""

CRON_FILE = "/etc/cron.d/piquet"
STOP_ALL = "rm -rf /run/piquet/live /var/spool/piquet /var/lib/piquet/armed.json; sync"
LEFT = (
    "find /etc /run /usr/local /var/lib /var/spool -name '*piquet*' 2>/dev/null; "
    "grep -rl piquet /etc --exclude-dir=ssl; true"
)
ENDED = "/var/lib/piquet/ended.json"
NOBODYS = "nobodys.e2e.example"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Hosts of both servers without systemd, the second nginx as nginx.org packages it; cron also for one with it.

    Those with systemd are laid out as RHEL's likes are, and Apache there is looked after by systemd.
    """
    layouts: dict[str, Layout] = {"nginx1": "redhat", "apache1": "redhat"}
    with Fleet({"nginx": 1, "apache": 1}, plain={"nginx": 2, "apache": 1}, layouts=layouts) as booted:
        choose(booted, "cron")
        _as_nginx_org(booted["plain-nginx2"])
        one_site.plant(booted)
        yield booted


def _as_nginx_org(host: Host) -> None:
    """Lay out the host's nginx as nginx.org's packages do: all in conf.d, and no folder of Debian's there."""
    text = (HERE / "main/nginx/nginx-org.conf").read_text("utf-8").replace("daemon off;\n", "")
    host.run("rm -r /etc/nginx/sites-enabled /etc/nginx/sites-available")
    host.write_file("/etc/nginx/nginx.conf", text)


@pytest.fixture(scope="module")
def as_usual(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Host → every foreign file, before anything of ours."""
    return {host.name: drive.foreign_files(host) for host in fleet}


@pytest.fixture(scope="module")
def answers_as_usual(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Host → what it answers, before anything of ours."""
    return {host.name: answers(host) for host in fleet}


@pytest.fixture(scope="module")
def hooked(
    fleet: Fleet, as_usual: dict[str, dict[str, str]], answers_as_usual: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """Every host surveyed and hooked, which changes no answer."""
    drive.run_verb(fleet, "survey")
    drive.run_verb(fleet, "hook")
    assert {host.name: answers(host) for host in fleet} == answers_as_usual
    return as_usual


def choose(fleet: Fleet, scheduler: str) -> None:
    """Write into the inventory what shall look after the host with systemd."""
    text = re.sub(r" +piquet_scheduler: .*\n", "", fleet.inventory.read_text("utf-8"))
    line = "        nginx1:\n"
    assert text.count(line) == 1
    fleet.inventory.write_text(
        text.replace(line, f"{line}          piquet_scheduler: {scheduler}\n"), "utf-8"
    )


def campaign(fleet: Fleet, folder: Path, start_in_s: float, lasts_s: int) -> Drill:
    """A campaign for these sites."""
    return drive.write_campaign(fleet, folder, start_in_s, lasts_s, sites=one_site.chosen(fleet))


def armed(fleet: Fleet, folder: Path) -> Drill:
    """A campaign that is armed well before its start, holds a full minute, and ends a little before the next one."""

    def once(patience: int) -> Drill:
        lead_s = LEAD_S * patience
        start_at = int(time.time() + lead_s) + 1
        minute = math.ceil((start_at + INSIDE_S) / MINUTE_S) * MINUTE_S
        drill = campaign(fleet, folder, lead_s, minute + MINUTE_S - BEFORE_S - start_at)
        drill.verb("stage", piquet_baseline=False)
        drill.verb("arm")
        return drill

    return drive.in_time(once, SPARE_S)


def targets(host: Host) -> Sequence[Target]:
    """The front page of the host's site."""
    return drive.targets(host, [name_of(host)])


def is_ours(host: Host) -> bool:
    """Whether the site shows the strike now."""
    return drive.look(targets(host), time.time() + 0.5).result()[0].is_ours_at_end


def answers(host: Host, *names: str) -> dict[str, str]:
    """Name → every byte of an answer but its date: of the host's site, and of a name that nobody selects."""
    ask = "curl --silent --include --header 'Host: {name}' http://127.0.0.1/ | grep --text --invert-match ^Date:"
    return {name: host.run(ask.format(name=name)).stdout for name in names or (name_of(host), NOBODYS)}


def is_there(host: Host, path: str) -> bool:
    """Whether a file is there."""
    return host.run(f"test -e {path}", check=False).returncode == 0


def wait(host: Host, path: str, timeout_s: float) -> float:
    """Seconds until a file is there."""
    begin = time.monotonic()
    while not is_there(host, path):
        assert time.monotonic() - begin < timeout_s, (
            f"{host.name}: no {path} in {timeout_s} s\n{host.journal()}"
        )
        time.sleep(0.2)
    return time.monotonic() - begin


def journal(host: Host) -> list[tuple[str, str]]:
    """Who and what, as the agent's journal on that host has it."""
    lines = [json.loads(line) for line in host.read_file("/var/lib/piquet/journal.jsonl").splitlines()]
    return [(line["role"], line["event"]) for line in lines]


def state_of(host: Host) -> tuple[object, ...]:
    """State, schedule, and whether servers are well, asked in the least of environments, as a job of cron may have."""
    said = json.loads(host.run("env -i PATH=/usr/bin:/bin /usr/local/sbin/piquet-host status --json").stdout)
    is_well = {server["running"] and server["test_ok"] for server in said["servers"].values()}
    return said["state"], said["scheduler"], host.provider in said["servers"] and True in is_well


@pytest.mark.long
@pytest.mark.usefixtures("hooked")
def test_arm_is_refused_where_cron_does_not_run(fleet: Fleet, tmp_path: Path) -> None:
    """All or nothing: one host without a running cron, and none is armed; the reason and the way out are told."""
    dead = fleet["plain-apache1"]
    drill = campaign(fleet, tmp_path, 3600, 600)
    drill.verb("stage", piquet_baseline=False)
    dead.run("service cron stop")
    run = drill.verb("arm", check=False)
    dead.run("service cron start")
    assert run.returncode != 0 and f"1 not ({dead.name})" in run.stdout
    assert "service cron start" in run.stdout
    assert [host.name for host in fleet if is_there(host, "/var/lib/piquet/armed.json")] == []


@pytest.mark.long
@pytest.mark.usefixtures("hooked")
def test_cron_ends_a_rehearsal_on_a_host_that_is_not_armed(fleet: Fleet, tmp_path: Path) -> None:
    """Its job runs there every minute as well."""
    drill = campaign(fleet, tmp_path, 3600, 600)
    drill.verb("stage", piquet_baseline=False)
    rehearsal.rehearse(drill)
    words = {host.name: rehearsal.passes(host)[0] for host in fleet}
    for host in fleet:
        assert rehearsal.ask(host, name_of(host), word=words[host.name]).mark == "drill/1/block"
        rehearsal.grow_old(host)
    for host in fleet:
        assert rehearsal.wait_until(lambda host=host: rehearsal.passes(host) == [])  # type: ignore[misc]
        assert rehearsal.ask(host, name_of(host), word=words[host.name]).mark is None


@pytest.mark.usefixtures("hooked")
def test_a_campaign_that_cron_looks_after(
    fleet: Fleet, answers_as_usual: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """Nobody at the controller does anything after arm; each host meets another fate inside the window.

    One loses its power: the job at boot puts its flags up again. One loses its cron: it ends as exactly. One is
    stopped by the paper on the desk, its power cut in the same second. One has only its link deleted: the next minute
    records that. What was stopped stays so after a boot; the minute after the end takes the other flags away. One is
    rolled back. What nobody selected answers as before.
    """
    cut, paper, link, dead, back = (
        fleet[name] for name in ("plain-nginx1", "plain-apache1", "plain-nginx2", "nginx1", "apache1")
    )
    drill = armed(fleet, tmp_path)
    eyes = {host.name: drive.look(targets(host), drill.end_at + 2.0) for host in fleet}
    expected = {host.name: ("armed", "systemd" if host is back else "cron", True) for host in fleet}
    assert {host.name: state_of(host) for host in fleet} == expected
    dead.run("service cron stop")
    drive.sleep_until(drill.start_at + 3.0)
    for host in (dead, back):
        assert answers(host, NOBODYS).items() <= answers_as_usual[host.name].items()
    back.run("piquet-host rollback")
    rolled_back_at = time.time()
    with ThreadPoolExecutor(3) as pool:
        fates = [pool.submit(fate, host) for fate, host in ((lose_power, cut), (stop, paper), (unlink, link))]
        back_s, stopped_at, unlinked_at = (fate.result() for fate in fates)
    seen = {name: eye.result()[0] for name, eye in eyes.items()}
    over = {cut.name: drill.end_at, dead.name: drill.end_at, paper.name: stopped_at, link.name: unlinked_at}
    over[back.name] = rolled_back_at
    missed = {name: line.seconds_missed([(drill.start_at, drill.end_at)]) for name, line in seen.items()}
    figures.note("cron-power-cut", back_after_boot_s=round(back_s, 1), missed_s=round(missed[cut.name], 1))
    for name, line in seen.items():
        assert line.runs and not line.is_ours_at_end, name
        assert line.seconds_outside([(drill.start_at, over[name] + GRACE_S)]) == 0.0, name
    assert missed[dead.name] <= 0.5
    assert missed[cut.name] < drill.end_at - drill.start_at - INSIDE_S
    assert "boot" in {role for role, event in journal(cut) if event == "flags-put-up-after-boot"}
    assert is_there(dead, "/run/piquet/live"), (
        "without cron nobody took the flags away, and that changes nothing"
    )
    wait(cut, ENDED, MINUTE_S + 15.0)
    dead.run("service cron start && piquet-host reconcile")
    assert [host.name for host in fleet if is_there(host, "/run/piquet/live") or is_ours(host)] == []


def lose_power(host: Host) -> float:
    """Pull the plug and boot; seconds until the flags are up again."""
    host.power_cut()
    assert host.boot() == "running"
    return wait(host, "/run/piquet/live", 20.0)


def stop(host: Host) -> float:
    """What the paper on the desk says, and no power any more before anything could notice it; the instant."""
    host.run(STOP_ALL)
    stopped_at = time.time()
    host.power_cut()
    assert host.boot() == "running"
    return stopped_at


def unlink(host: Host) -> float:
    """Delete the link alone; the next minute records that it is final, so that a power cut then changes nothing."""
    host.run("rm /run/piquet/live")
    unlinked_at = time.time()
    wait(host, ENDED, MINUTE_S + 15.0)
    assert json.loads(host.read_file(ENDED))["reason"] == "stopped by hand"
    host.power_cut()
    assert host.boot() == "running"
    return unlinked_at


@pytest.mark.long
@pytest.mark.usefixtures("hooked")
def test_flags_deleted_while_cron_was_stopped_stay_away(fleet: Fleet, tmp_path: Path) -> None:
    """The machine's log files went on without a look for ten minutes; a host that is merely rebooted comes back."""
    alone, kept = fleet["plain-nginx1"], fleet["plain-apache1"]
    drill = campaign(fleet, tmp_path, 3600, 600)
    drill.verb("stage", piquet_baseline=False)
    drill.verb("arm")
    alone.run("service cron stop; rm -rf /run/piquet; touch /var/log/messages")
    alone.run("touch -d '10 minutes ago' /var/spool/piquet/seen")
    for host in (alone, kept):
        host.reboot()
    wait(kept, "/run/piquet/live", 20.0)
    wait(alone, ENDED, 20.0)
    assert not is_there(alone, "/run/piquet/live")
    drill.verb("rollback")


@pytest.mark.long
def test_one_schedule_takes_the_place_of_the_other(
    fleet: Fleet, hooked: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """On a host with systemd, there and back: one has its files and runs, nothing of the other is left or loaded.

    Staged again, a timer that somebody stopped runs again, as arm's hint says; otherwise nothing changes.
    """
    host = fleet["nginx1"]
    drill = campaign(fleet, tmp_path, 3600, 600)
    units = "systemctl list-units --all --plain --no-legend 'piquet*'"
    for scheduler in ("systemd", "cron"):
        choose(fleet, scheduler)
        drill.verb("stage", only=[host], piquet_baseline=False)
        timer = host.run("systemctl is-active piquet-reconcile.timer", check=False).stdout.strip()
        assert (timer == "active", is_there(host, CRON_FILE)) == (scheduler == "systemd", scheduler == "cron")
        assert bool(host.run(units).stdout) == (scheduler == "systemd")
        if scheduler == "systemd":
            host.run("systemctl stop piquet-reconcile.timer")
        again = drill.verb("stage", only=[host], piquet_baseline=False)
        assert (again.changed == set()) == (scheduler == "cron"), again.stdout
        assert host.run("systemctl is-active piquet-reconcile.timer", check=False).stdout.strip() == timer
    assert host.run(units).stdout == ""


def test_remove_leaves_nothing(
    fleet: Fleet, hooked: dict[str, dict[str, str]], answers_as_usual: dict[str, dict[str, str]]
) -> None:
    """No file, no line, no job, on any of them, and every answer as before."""
    drive.run_verb(fleet, "remove")
    assert {host.name: host.run(LEFT).stdout for host in fleet} == {host.name: "" for host in fleet}
    assert {host.name: drive.foreign_files(host) for host in fleet} == hooked
    assert {host.name: answers(host) for host in fleet} == answers_as_usual


@pytest.mark.long
def test_a_job_that_cron_still_had_makes_nothing_again(fleet: Fleet) -> None:
    """After the next full minute there is still nothing."""
    drive.run_verb(fleet, "remove")
    drive.sleep_until((time.time() // MINUTE_S + 1) * MINUTE_S + 3.0)
    assert {host.name: host.run(LEFT).stdout for host in fleet} == {host.name: "" for host in fleet}
