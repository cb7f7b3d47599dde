# SPDX-License-Identifier: GPL-3.0-or-later
"""The deploys on real hosts, by pyinfra's own command line: one whole campaign, dry runs, and hosts in trouble."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Fleet
from tests.drive import Drill, foreign_files, write_campaign
from tests.e2e.footprint import footprint
from tests.e2e.one_site import chosen, planted

ROOT = Path(__file__).resolve().parents[2]
BROKEN = "/etc/nginx/conf.d/e2e-pyinfra-broken.conf"


@pytest.fixture(scope="module")
def drill(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """One foreign site on every host, and a campaign for these that starts in an hour."""
    with planted(fleet):
        yield write_campaign(fleet, tmp_path_factory.mktemp("pyinfra"), 3600, 600, sites=chosen(fleet))
        assert deploy(fleet.folder, ansible(fleet), "remove").returncode == 0
        for host in fleet:
            host.run(f"rm -f {BROKEN}")


def ansible(fleet: Fleet) -> str:
    """The fleet's Ansible inventory, in pyinfra's words."""
    return f"@ansible/{fleet.inventory}"


def own_inventory(fleet: Fleet, folder: Path) -> str:
    """The same hosts as an inventory of pyinfra's own kind; working directory and campaign are beside it."""
    data = {
        "ssh_config_file": str(fleet.ssh_config),
        "ssh_known_hosts_file": str(fleet.folder / "known_hosts"),
    }
    groups = {kind: [host.name for host in fleet.of(kind)] for kind in ("nginx", "apache")}
    file = folder / "inventory.py"
    file.write_text("".join(f"{kind} = ({names!r}, {data!r})\n" for kind, names in groups.items()))
    return str(file)


def deploy(
    folder: Path, inventory: str, verb: str, *arguments: str, **values: object
) -> subprocess.CompletedProcess[str]:
    """Run a deploy file, without a baseline unless it is asked for."""
    data = {"piquet_baseline": False, **values}
    flags = [part for key, value in data.items() for part in ("--data", f"{key}={value}")]
    how = () if "--dry" in arguments else ("-y",)
    tool = Path(sys.executable).parent / "pyinfra"
    return subprocess.run(
        [tool, inventory, str(ROOT / "deploys" / f"{verb}.py"), *flags, *how, *arguments],
        cwd=folder, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def good(done: subprocess.CompletedProcess[str]) -> str:
    """The whole output of a run that must have done all of its work."""
    assert done.returncode == 0, done.stderr
    return done.stderr


def total(text: str) -> list[int]:
    """pyinfra's last line: host steps, changed, failed, unchanged."""
    line = next(line for line in reversed(text.splitlines()) if "Grand total" in line)
    return [0 if word == "-" else int(word) for word in line.split()[2:]]


def would_change(text: str) -> set[str]:
    """The hosts in pyinfra's table of detected changes."""
    found = re.findall(r"^ +piquet \w+ \| .*?\d+ \(([^)]*)\)", text, re.MULTILINE)
    return {host for hosts in found for host in hosts.split(", ")}


def test_a_whole_campaign(fleet: Fleet, drill: Drill) -> None:
    """Every verb: dry it writes nothing and names whom it would change, then it does, then nothing is left to do.

    With an inventory of pyinfra's own kind; working directory and campaign are found beside it.
    """
    inventory = own_inventory(fleet, drill.folder)
    (drill.folder / "campaign").symlink_to(drill.folder)
    before = {host.name: foreign_files(host) for host in fleet}
    assert total(good(deploy(fleet.folder, inventory, "survey")))[1] == 0
    for verb in ("hook", "stage", "arm", "rollback", "remove"):
        tree = footprint(fleet)
        dry = good(deploy(fleet.folder, inventory, verb, "--dry", "--diff"))
        assert footprint(fleet) == tree, f"{verb} --dry wrote something"
        shown = "".join(re.findall(r"^ +[+-].*", dry, re.MULTILINE))
        assert ("piquet" in shown) is (verb in ("hook", "stage", "remove"))
        real = good(deploy(fleet.folder, inventory, verb))
        assert len(would_change(dry)) == total(real)[1] > 0, verb
        again = total(good(deploy(fleet.folder, inventory, verb)))
        assert again[1:3] == [0, 0], f"{verb} changed something the second time"
    assert len(list((drill.folder / ".piquet/surveys").iterdir())) == len(fleet.hosts)
    assert {host.name: foreign_files(host) for host in fleet} == before


@pytest.mark.long
def test_a_whole_campaign_from_ansibles_inventory(fleet: Fleet, drill: Drill) -> None:
    """The same hosts, by their Ansible names and as Ansible reaches them; the sites are as before in the end."""
    inventory, campaign = ansible(fleet), {"piquet_campaign": drill.campaign}
    before = {host.name: foreign_files(host) for host in fleet}
    for verb in ("survey", "hook", "stage", "arm"):
        good(deploy(fleet.folder, inventory, verb, **campaign))
    status = good(deploy(fleet.folder, inventory, "status"))
    assert len(re.findall(r"ok +armed: 1 site\b", status)) == len(fleet.hosts)
    for verb in ("rollback", "remove"):
        good(deploy(fleet.folder, inventory, verb))
    assert {host.name: foreign_files(host) for host in fleet} == before


@pytest.mark.long
def test_a_broken_host_stages_nobody_behind_it(fleet: Fleet, drill: Drill) -> None:
    """A canary whose configuration somebody broke fails with the server's own words; no other host is touched."""
    inventory, campaign = ansible(fleet), {"piquet_campaign": drill.campaign}
    for verb in ("survey", "hook"):
        good(deploy(fleet.folder, inventory, verb))
    canary = fleet.of("nginx")[0]
    canary.write_file(BROKEN, "this is no directive {\n")
    others = {
        host.name: host.run("ls /etc/piquet 2>&1", check=False).stdout for host in fleet if host is not canary
    }
    done = deploy(fleet.folder, inventory, "stage", piquet_canary=canary.name, **campaign)
    canary.run(f"rm {BROKEN} && systemctl reload nginx")
    assert done.returncode == 1 and "this" in done.stderr and "hint:" in done.stderr, done.stderr
    after = {
        host.name: host.run("ls /etc/piquet 2>&1", check=False).stdout for host in fleet if host is not canary
    }
    assert others == after


@pytest.mark.long
def test_ways_out_and_arm_with_a_host_that_is_down(fleet: Fleet, drill: Drill, tmp_path: Path) -> None:
    """Arm refuses as a whole; rollback releases the others, lists the missing one and ends with an error."""
    campaign = {"piquet_campaign": drill.campaign}
    for verb in ("survey", "hook", "stage", "arm"):
        good(deploy(fleet.folder, ansible(fleet), verb, **campaign))
    gone = fleet.hosts[-1]
    file = tmp_path / "down.yml"
    file.write_text(fleet.inventory.read_text().replace(gone.ip, "127.0.0.9"))
    workdir = {"piquet_workdir": fleet.folder / ".piquet"}
    released = deploy(tmp_path, f"@ansible/{file}", "rollback")
    armed = deploy(tmp_path, f"@ansible/{file}", "arm", **campaign, **workdir)
    assert released.returncode == 1 and f"1 not ({gone.name})" in released.stderr, released.stderr
    assert armed.returncode == 1 and "no host was armed" in armed.stderr, armed.stderr
    status = good(deploy(fleet.folder, ansible(fleet), "status"))
    states = dict(re.findall(r"^ +(\w+) +ok +(\w+)", status, re.MULTILINE))
    assert states == {host.name: "armed" if host is gone else "rolled" for host in fleet}
    good(deploy(fleet.folder, ansible(fleet), "rollback"))


@pytest.mark.long
def test_a_host_without_python(fleet: Fleet, drill: Drill) -> None:
    """Every verb says so and what to do; facts do not need it either."""
    host = fleet.of("nginx")[0]
    host.run("mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        done = deploy(fleet.folder, ansible(fleet), "status", "--limit", host.name)
        fact = subprocess.run(
            [Path(sys.executable).parent / "pyinfra", ansible(fleet), "--limit", host.name, "--json", "fact",
             "piquet.deploys.facts.Python"],
            cwd=fleet.folder, text=True, capture_output=True, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    finally:
        host.run("mv /usr/bin/python3.away /usr/bin/python3")
    assert done.returncode == 1 and "there is no Python at /usr/bin/python3" in done.stderr, done.stderr
    assert json.loads(fact.stdout)["piquet.deploys.facts.Python"] == {host.name: None}


@pytest.mark.long
def test_an_operator_becomes_root(operator: Fleet, tmp_path: Path) -> None:
    """Survey and status through sudo, one command each, nothing left on the host; who may not is told, not asked."""
    for verb in ("survey", "status"):
        good(deploy(tmp_path, ansible(operator), verb, ssh_user="op", piquet_workdir=tmp_path / "w"))
    for host in operator:
        host.run("sed -i s/NOPASSWD:// /etc/sudoers.d/op")
    job = {"inventory": str(operator.inventory), "variables": {"ssh_user": "op"}}
    done = subprocess.run(
        [sys.executable, "-m", "piquet.deploys", "status"],
        input=json.dumps(job), text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout.count("it is not possible to become root") > 0, done.stdout
    left = {host.name: host.run("ls -A /tmp ~op | grep -i piquet", check=False).stdout for host in operator}
    assert dict.fromkeys(left, "") == left
    assert len(list((tmp_path / "w/surveys").iterdir())) == len(operator.hosts)
