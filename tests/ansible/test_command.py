# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet VERB` through Ansible, over hosts whose Python is `stand_in.py`: whose turn it is, and what is said of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from piquet.cli import exit_codes
from tests.ansible.place import HOSTS, Place
from tests.running import running


def run(place: Place, verb: str, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a verb in the inventory's folder, where the user's ansible.cfg is."""
    argv = [str(Path(sys.executable).parent / "piquet"), verb, "-i", "hosts.yml", *more]
    given = {"ANSIBLE_COLLECTIONS_PATH": str(place.collections), "PIQUET_STAND_IN": str(place.folder)}
    return subprocess.run(
        argv,
        cwd=place.folder,
        env=os.environ | given | environment,
        text=True,
        capture_output=True,
        check=False,
    )


def told(place: Place, verb: str, *more: str) -> dict[str, Any]:
    """Run a verb with `--json`: one document on standard output, and nothing else."""
    document: dict[str, Any] = json.loads(run(place, verb, "--json", *more).stdout)
    return document


def words(document: dict[str, Any]) -> list[str]:
    """How it went on each host."""
    assert list(document["hosts"]) == sorted(document["hosts"])
    return [value["result"] for value in document["hosts"].values()]


def test_the_whole_way_is_told_alike(place: Place) -> None:
    """Changed where something changed, ok the second time, one code and one digest."""
    assert run(place, "survey").returncode == exit_codes.OK
    first, second = told(place, "stage"), told(place, "stage")
    assert (words(first), words(second)) == (["changed"] * 3, ["ok"] * 3)
    assert first["digest"] == second["digest"] and len(first["digest"]) == 64
    armed = told(place, "arm", "--digest", first["digest"])
    assert (words(armed), armed["exit_code"], armed["done"]) == (["changed"] * 3, 0, True)
    assert place.states() == ["armed"] * 3


def test_a_rehearsal_is_told_to_people_and_programs(staged: Place) -> None:
    """Links for each host before the table; in JSON as its own part, and in no message or status beside it."""
    done = run(staged, "rehearse", "--phase", "1")
    assert done.returncode == 0, done.stderr
    link = f"/.well-known/piquet/rehearse/1-{'0a' * 16}"
    assert (
        f"web2: rehearse on web2\n  https://a.web2{link}\n  http://b.web2{link}\n  7 more sites: {link} on each\n"
        in done.stdout
    )
    assert done.stdout.splitlines()[-1].startswith("done: 3 hosts, 3 changed, 0 failed, ")
    document = told(staged, "rehearse")
    assert (words(document), document["exit_code"]) == (["changed"] * 3, 0)
    rehearsal = document["hosts"]["web1"].pop("rehearsal")
    assert (rehearsal["path"], rehearsal["phase"], rehearsal["until"]) == (link, 1, 1_800_000_000)
    assert "0a0a" not in json.dumps(document["hosts"]["web1"])
    assert "rehearsal" not in told(staged, "rehearse", "--end")["hosts"]["web1"]


def test_one_site_is_stopped_by_its_name(staged: Place) -> None:
    """Asked of every host; a name that none of them shows is a failure with the likeliest one, and no URL is a name."""
    done = run(staged, "stop", "A.example.")
    assert done.returncode == 0, done.stderr
    assert "Stop: 3 ok" in done.stdout and "stop on web2" in done.stdout
    assert staged.asked("web1")[-1]["site"] == "a.example"
    withdrawn = run(staged, "consent", "a.example", "out")
    assert withdrawn.returncode == 0, withdrawn.stderr
    assert "Stop: 3 ok" in withdrawn.stdout and "every later plan leaves it out" in withdrawn.stderr
    assert staged.asked("web1")[-1]["site"] == "a.example"
    unknown = run(staged, "stop", "aa.example")
    assert unknown.returncode != 0
    assert "no host that answered shows aa.example" in unknown.stdout
    assert "did you mean a.example?" in unknown.stdout
    refused = run(staged, "stop", "https://a.example/")
    assert refused.returncode == exit_codes.USAGE
    assert "is no name of a site" in refused.stderr and "no scheme, port or path" in refused.stderr


def test_the_eve_stops_at_the_first_fault_and_says_what_to_do(surveyed: Place) -> None:
    """A broken campaign, a host that fails, a missing line; each ends with the command to give again."""
    for host in HOSTS[:2]:
        (surveyed.folder / f"{host}.hooked").touch()
    missing = run(surveyed, "eve")
    assert missing.returncode == exit_codes.FINDINGS, missing.stderr
    assert (
        "stopped at hook --check: hook lines are missing on web3: piquet hook -i hosts.yml;" in missing.stderr
    )
    assert "then again: piquet eve -i hosts.yml" in missing.stderr
    surveyed.fail("web2", "survey")
    failed = run(surveyed, "eve")
    assert failed.returncode == exit_codes.HOST
    assert "stopped at survey: " in failed.stderr and "nginx -t fails" in failed.stderr
    campaign = surveyed.folder / "campaign/campaign.yml"
    campaign.write_text(campaign.read_text("utf-8") + "nonsense: 1\n", "utf-8")
    wrong = run(surveyed, "eve")
    assert wrong.returncode == exit_codes.CAMPAIGN
    assert "there is no key 'nonsense' here" in wrong.stderr and "piquet eve -i hosts.yml" in wrong.stderr
    assert surveyed.states() == ["absent"] * 3


def test_the_eve_ends_with_the_times_and_the_next_command(surveyed: Place) -> None:
    """Nothing is changed; with --stage everything is staged and rehearsed, and nothing armed."""
    for host in HOSTS:
        (surveyed.folder / f"{host}.hooked").touch()
    done = run(surveyed, "eve")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "ready; no host was changed" in done.stdout
    assert said[-2:] == [
        "next: piquet stage -i hosts.yml",
        "to end it at any time: piquet rollback -i hosts.yml",
    ]
    assert "in 23 h 5" in done.stdout and surveyed.states() == ["absent"] * 3
    staged = run(surveyed, "eve", "campaign/campaign.yml", "--stage", "-e", "piquet_become=false")
    assert staged.returncode == 0, staged.stderr
    following = "next: piquet arm campaign/campaign.yml -i hosts.yml -e piquet_become=false\n"
    assert following in staged.stdout and "/rehearse/1-" in staged.stdout
    assert surveyed.states() == ["staged"] * 3


def test_watch_tells_each_round_until_ctrl_c(staged: Place) -> None:
    """Without a terminal each round is printed; a host that is down is named; Ctrl-C ends it with 0."""
    staged.take_down("web3")
    argv = [str(Path(sys.executable).parent / "piquet"), "watch", "-i", "hosts.yml", "--every", "1"]
    given = {"ANSIBLE_COLLECTIONS_PATH": str(staged.collections), "PIQUET_STAND_IN": str(staged.folder)}
    with running(
        argv,
        cwd=staged.folder,
        env=os.environ | given,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as watching:
        assert watching.stdout
        heads: list[str] = []
        while len(heads) < 2:
            line = watching.stdout.readline()
            assert line, "it ended by itself"
            heads += [line] if line.startswith("Asked ") else []
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
    assert all(" s ago: 2 hosts ok, 1 not (web3)" in head for head in heads)


def test_nothing_is_left_behind(surveyed: Place, tmp_path: Path) -> None:
    """No artifact of the runner, neither in the user's folder nor in the temporary one."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before = {file.name for file in surveyed.folder.iterdir()}
    assert run(surveyed, "status", TMPDIR=str(temporary)).returncode == 0
    assert {file.name for file in surveyed.folder.iterdir()} == before
    assert not [file for file in temporary.iterdir() if file.name.startswith("piquet")]


def test_check_mode_shows_files_and_changes_nothing(surveyed: Place) -> None:
    """A unified diff whose names begin with the host's; told in the future."""
    done = run(surveyed, "stage", "--check", "--diff")
    assert done.returncode == 0 and surveyed.states() == ["absent"] * 3
    for host in HOSTS:
        assert f"--- /dev/null\n+++ {host}:/etc/piquet/x\n@@ -0,0 +1 @@\n+new\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(
        "done (check: nothing was changed): 3 hosts, 3 would change, 0 failed, "
    )


def test_a_failing_host_has_its_name_its_reason_and_its_hint(surveyed: Place) -> None:
    """In full on standard error, in the last line by name, in JSON with its problems."""
    surveyed.fail("web2", "rollback")
    done = run(surveyed, "rollback")
    assert done.returncode == exit_codes.HOST
    assert "failed: web2: rollback on web2\nerror: web2: nginx -t fails [config-broken]" in done.stderr
    assert "  hint: mend the configuration" in done.stderr
    assert "1 failed (web2)" in done.stdout.splitlines()[-1]
    document = told(surveyed, "rollback")
    assert (words(document), document["exit_code"]) == (["ok", "failed", "ok"], exit_codes.HOST)
    assert document["hosts"]["web2"]["problems"][0]["code"] == "config-broken"


def test_unreachable_is_another_code_only_where_the_others_are_done(staged: Place) -> None:
    """Status and rollback go on past it; arm holds the others back, or leaves it out if told so."""
    staged.take_down("web3")
    assert told(staged, "status")["exit_code"] == exit_codes.UNREACHABLE
    arm = told(staged, "arm")
    assert (words(arm), arm["exit_code"]) == (["not armed", "not armed", "unreachable"], exit_codes.HOST)
    assert staged.states() == ["staged"] * 3
    partial = told(staged, "arm", "--partial")
    assert (words(partial), partial["exit_code"]) == (
        ["changed", "changed", "unreachable"],
        exit_codes.UNREACHABLE,
    )


def test_an_arm_that_is_taken_back(staged: Place) -> None:
    """One host fails as it is armed: the others are called undone, not armed."""
    staged.fail("web1", "arm")
    document = told(staged, "arm")
    assert (words(document), document["exit_code"]) == (["failed", "undone", "undone"], exit_codes.HOST)
    assert {value["status"]["state"] for value in document["hosts"].values()} <= {"stopped"}


def test_a_second_arm_leaves_what_was_armed(staged: Place) -> None:
    """One host fails as it is armed again: the others were armed all along, and are called ok."""
    assert told(staged, "arm")["exit_code"] == exit_codes.OK
    staged.fail("web1", "arm")
    document = told(staged, "arm")
    assert (words(document), document["exit_code"]) == (["failed", "ok", "ok"], exit_codes.HOST)
    assert staged.states() == ["armed"] * 3


def test_a_failing_canary_spares_the_others(surveyed: Place) -> None:
    """They were not begun, and are called so."""
    surveyed.fail("web2", "stage")
    document = told(surveyed, "stage", "--canary", "web2")
    assert (words(document), document["exit_code"]) == (["not begun", "failed", "not begun"], exit_codes.HOST)


def test_plan_campaign_and_inventory_have_codes_of_their_own(surveyed: Place) -> None:
    """Whose turn it is, from the result of the plan; no host is asked anything."""
    asked = len(surveyed.asked("web1"))
    wrong = told(surveyed, "stage", "--digest", "0" * 64)
    assert (wrong["exit_code"], wrong["errors"][0]["kind"], wrong["hosts"]) == (exit_codes.PLAN, "plan", {})
    refused = run(surveyed, "stage", "no-campaign.yml")
    assert refused.returncode == exit_codes.CAMPAIGN
    assert "no-campaign.yml" in refused.stderr and refused.stdout.startswith("NOT done: no host was touched")
    (surveyed.folder / ".piquet/surveys/web2.json").write_text("{")
    assert told(surveyed, "arm")["errors"][0]["kind"] == "fleet"
    nobody = told(surveyed, "status", "--limit", "nobody-here")
    assert (nobody["exit_code"], nobody["errors"][0]["kind"]) == (exit_codes.FLEET, "fleet")
    assert len(surveyed.asked("web1")) == asked


def test_without_the_collection_it_is_said_how_to_get_it(surveyed: Place, tmp_path: Path) -> None:
    """The code is that of a machine that cannot run it."""
    (tmp_path / "empty").mkdir()
    isolated = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "empty"), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "0"}
    done = run(surveyed, "status", **isolated)
    assert done.returncode == exit_codes.INTERNAL, done.stderr
    assert "Ansible does not find the collection piquet.fleet" in done.stderr and "hint: " in done.stderr


def test_the_users_own_configuration_counts(surveyed: Place) -> None:
    """Number of forks, callbacks and host key checking are the user's to say, as for ansible-playbook."""
    (surveyed.folder / "ansible.cfg").write_text(
        "[defaults]\nforks = 1\nlog_path = seen.log\nhost_key_checking = true\n"
    )
    assert run(surveyed, "status", ANSIBLE_STDOUT_CALLBACK="piquet.fleet.calm").returncode == 0
    assert "Ask every host" in (surveyed.folder / "seen.log").read_text()
    log = (surveyed.folder / "web1.asked").read_text()
    assert json.loads(log.splitlines()[-1])["verb"] == "status"


@pytest.mark.parametrize("callback", ["default", "piquet.fleet.calm"])
def test_playbooks_say_no_more_than_before(surveyed: Place, callback: str) -> None:
    """A table is shown once, also when it fails, though results keep it for programs."""
    surveyed.fail("web1", "rollback")
    (surveyed.folder / "ansible.cfg").write_text(f"[defaults]\nstdout_callback = {callback}\n")
    text = surveyed.play("rollback").text
    assert text.count("Rollback: 2 ok, 1 not (web1)\n\nhost") == 1 and '"show"' not in text
