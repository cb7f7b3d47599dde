# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks on real hosts: check mode, idempotence, and what happens when one host is not as it should be."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Fleet, reload_server
from tests import drive
from tests.drive import Drill, play, write_campaign
from tests.e2e.fault import SERVICE
from tests.e2e.footprint import footprint
from tests.e2e.one_site import FILE, SITE, chosen, name_of, planted

BROKEN = "/etc/nginx/conf.d/e2e-broken.conf"
SHOWS_A_DIFF = {
    "hook": "piquet hook",
    "stage": "/etc/piquet/manifest.json",
    "remove": "/etc/piquet/manifest.json",
}


@pytest.fixture(scope="module")
def drill(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """One foreign site on every host, and a campaign for these that starts in an hour."""
    with planted(fleet):
        drill = write_campaign(fleet, tmp_path_factory.mktemp("ansible"), 3600, 600, sites=chosen(fleet))
        yield drill
        drill.verb("remove")
        drive.on_all(fleet, lambda host: host.run(f"rm -f {BROKEN}"))


@pytest.fixture(scope="module")
def staged(drill: Drill) -> Drill:
    """Every host hooked and staged; each test that arms also rolls back."""
    drill.verb("survey")
    drill.verb("hook")
    drill.play("stage", piquet_baseline=False)
    return drill


def states(drill: Drill) -> dict[str, str]:
    """Host → the first word of the state that the table shows, for those that answered."""
    run = drill.verb("status", check=False)
    return {host: state for host, state in re.findall(r"^(\w+) +ok +(\w+)", run.stdout, re.MULTILINE)}


def changed(run: subprocess.CompletedProcess[str]) -> dict[str, bool]:
    """Host → whether Ansible's recap counts a change."""
    rows = re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+)", run.stdout, re.MULTILINE)
    return {host: count != "0" for host, count in rows}


@pytest.mark.long
def test_check_mode_is_honest_and_a_second_run_changes_nothing(fleet: Fleet, drill: Drill) -> None:
    """Check mode writes nothing and tells what would change, the run changes it, the next one nothing."""
    drill.play("survey")
    for verb in ("hook", "stage", "arm", "rollback", "remove"):
        before = footprint(fleet)
        dry = drill.play(verb, "--check", "--diff", piquet_baseline=False)
        assert footprint(fleet) == before, f"{verb} --check wrote something"
        assert SHOWS_A_DIFF.get(verb, "") in dry.stdout, dry.stdout
        real = drill.play(verb, piquet_baseline=False)
        assert changed(dry) == changed(real), verb
        assert any(changed(real).values()), verb
        again = drill.play(verb, piquet_baseline=False)
        assert not any(changed(again).values()), f"{verb} changed something the second time\n{again.stdout}"


def test_the_baseline_is_older_than_the_first_reload(fleet: Fleet, drill: Drill) -> None:
    """An edit that its owner never loaded comes into force with hook's reload, and the baseline is older.

    Stage takes no other one, so that the comparison after the end names the edit.
    """
    host = fleet.of("nginx")[0]
    before = host.read_file(FILE["nginx"])
    drill.verb("survey")
    host.write_file(FILE["nginx"], before.replace(b"here", b"edited"))
    drill.verb("survey", check=False)
    drill.play("hook", piquet_allow_unloaded=True)
    drill.play("stage")
    told = drill.play("verify", piquet_verify_moment="after", check=False).stdout
    assert f"{name_of(host)} on {host.name}" in told and "not as it was at the baseline" in told, told
    drill.verb("remove")
    host.write_file(FILE["nginx"], before)
    reload_server(host, "nginx")


def test_hook_and_unhook_are_exact(fleet: Fleet, drill: Drill) -> None:
    """The owner's file is what it was, byte for byte, and the kept survey follows."""
    host = fleet.of("nginx")[0]
    before = host.read_file(FILE["nginx"])
    drill.play("survey")
    drill.verb("hook")
    assert b"# piquet hook" in host.read_file(FILE["nginx"])
    drill.play("unhook")
    assert host.read_file(FILE["nginx"]) == before
    assert '"hooked": "ours"' not in (fleet.folder / f".piquet/surveys/{host.name}.json").read_text(
        encoding="utf-8"
    )


def test_hook_refuses_a_file_that_changed_since_the_survey(fleet: Fleet, drill: Drill) -> None:
    """Nobody's later edit is touched; the run fails and says which file."""
    host = fleet.of("nginx")[0]
    drill.verb("survey")
    host.write_file(FILE["nginx"], SITE["nginx"].format(name=name_of(host)) + "# edited\n")
    run = drill.play("hook", "--limit", host.name, check=False)
    assert run.returncode != 0 and FILE["nginx"] in run.stdout + run.stderr
    assert host.read_file(FILE["nginx"]).endswith(b"# edited\n") and b"piquet" not in host.read_file(
        FILE["nginx"]
    )
    drill.verb("survey")
    run = drill.verb("hook", only=[host], check=False)
    assert run.returncode != 0 and "unloaded-edits" in run.stdout + run.stderr
    assert b"piquet" not in host.read_file(FILE["nginx"])
    reload_server(host, "nginx")


def test_one_broken_host_and_none_is_armed(fleet: Fleet, staged: Drill) -> None:
    """Arm is all or nothing: a configuration that somebody broke on one host stops it on all, with the reason."""
    host = fleet.of("nginx")[0]
    host.write_file(BROKEN, "this is no directive {\n")
    run = staged.play("arm", check=False)
    host.run(f"rm {BROKEN} && systemctl reload nginx")
    assert run.returncode != 0 and f"1 not ({host.name})" in run.stdout
    assert "no host was armed" in run.stdout
    assert "armed" not in states(staged).values()
    assert not any("armed.json" in text for text in footprint(fleet).values())


SANDBOX = {"nginx": "TemporaryFileSystem=/run/piquet", "apache": "InaccessiblePaths=/run/piquet"}
"""What an owner's unit may say, by which its server never sees a flag."""


@pytest.mark.long
def test_a_server_that_cannot_see_its_flags_is_not_armed(fleet: Fleet, staged: Drill) -> None:
    """Refused on each host with the cause, before any is armed; without the sandbox the same plan is armed."""
    boxed = [fleet.of(provider)[0] for provider in SANDBOX]
    for host in boxed:
        folder = f"/etc/systemd/system/{SERVICE[host.provider]}.d"
        host.run(f"mkdir -p {folder} /run/piquet")
        host.write_file(f"{folder}/e2e-proof.conf", f"[Service]\n{SANDBOX[host.provider]}\n")
        host.run(f"systemctl daemon-reload && systemctl restart {SERVICE[host.provider]}")
    run = staged.play("arm", check=False)
    for host in boxed:
        host.run(f"rm -r /etc/systemd/system/{SERVICE[host.provider]}.d && systemctl daemon-reload")
        host.run(f"systemctl restart {SERVICE[host.provider]}")
    assert run.returncode != 0 and run.stdout.count("in a mount namespace of its own") >= len(boxed), (
        run.stdout
    )
    assert not any("armed.json" in text for text in footprint(fleet).values())
    staged.play("arm")
    assert set(states(staged).values()) == {"armed"}
    staged.play("rollback")


@pytest.mark.long
def test_rollback_releases_the_others_when_a_host_is_down(
    fleet: Fleet, staged: Drill, tmp_path: Path
) -> None:
    """The host that is down is listed, the exit status is not zero, the others are released.

    Later that one is released too, by somebody who has the inventory but neither campaign nor surveys.
    """
    staged.play("arm")
    assert set(states(staged).values()) == {"armed"}
    down = fleet.of("nginx")[1]
    down.power_cut()
    run = staged.play("rollback", check=False)
    down.boot()
    assert run.returncode != 0 and f"1 not ({down.name})" in run.stdout
    after = states(staged)
    assert after.pop(down.name) == "armed"
    assert set(after.values()) == {"rolled"}
    play(fleet, "rollback", piquet_campaign="/nonexistent", piquet_workdir=tmp_path / "none")
    assert set(states(staged).values()) == {"rolled"}
    assert not (tmp_path / "none").exists()
