# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as Ansible runs them, over hosts whose Python is `stand_in.py`; real hosts are in tests/e2e."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

STAND_IN = Path(__file__).parent / "stand_in.py"
MODULES = ["http_access", "http_geo", "http_map", "http_realip", "http_rewrite"]
HOSTS = ("web1", "web2", "web3")


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook."""

    rc: int
    text: str

    def recap(self, host: str) -> dict[str, int]:
        """Ansible's own count for a host."""
        line = next(line for line in reversed(self.text.splitlines()) if line.startswith(f"{host} "))
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


@dataclass(frozen=True)
class Place:
    """An inventory, a campaign, and the stand-ins' folder."""

    folder: Path
    collections: Path

    def play(self, verb: str, *arguments: str, extra: Mapping[str, Any] | None = None) -> Run:
        """Run a playbook of the collection by its name."""
        return self.play_file(f"piquet.fleet.{verb}", *arguments, extra=extra)

    def play_file(self, name: str, *arguments: str, extra: Mapping[str, Any] | None = None) -> Run:
        """Run a playbook."""
        command = [str(Path(sys.executable).parent / "ansible-playbook"), name]
        command += ["-i", str(self.folder / "hosts.yml"), *arguments, "-e", json.dumps(extra or {})]
        environment = os.environ | {
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "PIQUET_STAND_IN": str(self.folder),
        }
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=self.folder
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def asked(self, host: str) -> list[dict[str, Any]]:
        """What a stand-in was asked, oldest first."""
        file = self.folder / f"{host}.asked"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def verbs(self, host: str) -> list[str]:
        """The verbs of `asked`; the checking half of arm is `check`."""
        return ["check" if r.get("only_check") else r["verb"] for r in self.asked(host)]

    def states(self) -> list[str]:
        """The state of every host."""
        files = [self.folder / f"{host}.state" for host in HOSTS]
        return [file.read_text() if file.exists() else "absent" for file in files]

    def fail(self, host: str, *verbs: str) -> None:
        """Let a host fail at these from now on."""
        (self.folder / f"{host}.fails").write_text(" ".join(verbs))

    def take_down(self, host: str) -> None:
        """Make a host unreachable: nobody listens at its ssh port."""
        inventory = self.inventory()
        inventory["all"]["hosts"][host] = {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": 1,
        }
        (self.folder / "hosts.yml").write_text(json.dumps(inventory))

    def inventory(self) -> dict[str, Any]:
        """The inventory as it is."""
        return json.loads((self.folder / "hosts.yml").read_text())  # type: ignore[no-any-return]


def new_place(folder: Path, collections: Path) -> Place:
    """Three hosts with one hooked site each, and a campaign that starts tomorrow."""
    hosts = {host: {"ansible_connection": "local"} for host in HOSTS}
    variables = {"piquet_python": str(STAND_IN), "piquet_become": False, "piquet_baseline": False}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    (folder / "ansible.cfg").touch()
    (folder / "survey.json").write_text(json.dumps(_survey()))
    start = datetime.now(UTC) + timedelta(days=1)
    (folder / "campaign/pages/greve").mkdir(parents=True)
    (folder / "campaign/pages/greve/fr.md").write_text("# En grève\n")
    (folder / "campaign/campaign.yml").write_text(
        "campaign: greve-test\ntimezone: UTC\nlanguages: [fr]\ncontact: https://example.org/greve\n"
        f"phases:\n  - {{mode: block, start: {start:%Y-%m-%dT%H:%M}, duration: 1h, page: pages/greve}}\n"
        'sites: {include: ["*"]}\n'
    )
    return Place(folder, collections)


def _survey() -> dict[str, Any]:
    listen = {"address": "0.0.0.0", "port": 80, "tls": False, "default": False}
    block = {
        "file": "/etc/nginx/s",
        "line": 1,
        "offset": 8,
        "names": ["a.example"],
        "listens": [listen],
        "hooked": "ours",
    }
    nginx = {
        "version": "1.22.1", "modules": MODULES, "running": True,
        "test": {"ok": True, "output": ""}, "conf": "/etc/nginx/nginx.conf", "dropin_dir": "/etc/nginx/conf.d",
        "http": {"map_hash_max_size": None, "map_hash_bucket_size": None, "open_file_cache": False},
        "files": {"/etc/nginx/s": "0" * 64}, "blocks": [block],
    }  # fmt: skip
    return {
        "piquet_survey": 1, "at": 0.0, "boot_id": "b", "hostname": "h", "timezone": "UTC", "platform": "debian",
        "os": {"id": "debian", "version": "12"}, "init": "systemd", "python": "3.11.2", "caches": [],
        "findings": [], "status": {}, "nginx": nginx, "apache": None,
    }  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, collections_path: Path) -> Place:
    """A place where nothing has happened yet."""
    return new_place(tmp_path, collections_path)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, collections_path: Path) -> tuple[Path, Path]:
    """Folders after survey and after stage, to be copied: each costs a run of Ansible."""
    place = new_place(tmp_path_factory.mktemp("surveyed"), collections_path)
    run = place.play("survey")
    assert run.rc == 0, run.text
    after = Place(tmp_path_factory.mktemp("staged"), collections_path)
    shutil.copytree(place.folder, after.folder, dirs_exist_ok=True)
    run = after.play("stage")
    assert run.rc == 0, run.text
    assert after.states() == ["staged"] * 3
    return place.folder, after.folder


@pytest.fixture
def surveyed(once: tuple[Path, Path], tmp_path: Path, collections_path: Path) -> Place:
    """The place with its surveys."""
    return Place(shutil.copytree(once[0], tmp_path, dirs_exist_ok=True), collections_path)


@pytest.fixture
def staged(once: tuple[Path, Path], tmp_path: Path, collections_path: Path) -> Place:
    """The place with every host staged."""
    return Place(shutil.copytree(once[1], tmp_path, dirs_exist_ok=True), collections_path)


def test_survey_is_kept_with_skew_and_shown(place: Place) -> None:
    """One file per host on the controller, a summary on the screen, nothing reported as changed."""
    run = place.play("survey")
    assert run.rc == 0, run.text
    kept = json.loads((place.folder / ".piquet/surveys/web2.json").read_text())
    assert kept["skew_s"] == 0.0 and kept["nginx"]["blocks"][0]["names"] == ["a.example"]
    assert "web2: debian 12" in run.text and run.recap("web2")["changed"] == 0
    assert [len(place.asked(host)) for host in HOSTS] == [1, 1, 1]


def test_survey_in_check_mode_keeps_nothing(place: Place) -> None:
    """Check mode leaves the controller as it is, too."""
    run = place.play("survey", "--check")
    assert (run.rc, place.asked("web1")[0]["check"]) == (0, True), run.text
    assert not (place.folder / ".piquet").exists()


def test_hook_wants_a_survey_and_sends_its_digests(place: Place) -> None:
    """Nothing is sent without a survey; with one the agent gets what was seen, and the survey is renewed."""
    run = place.play("hook")
    assert run.rc != 0 and "has not been surveyed" in run.text and place.verbs("web1") == []
    place.play("survey")
    kept = place.folder / ".piquet/surveys/web1.json"
    before = json.loads(kept.read_text())["at"]
    run = place.play("hook")
    assert (run.rc, run.recap("web1")["changed"]) == (0, 1), run.text
    assert place.asked("web1")[-1]["files"] == {"/etc/nginx/s": "0" * 64}
    assert json.loads(kept.read_text())["at"] > before


def test_stage_goes_canary_first_and_is_idempotent(surveyed: Place) -> None:
    """One payload with plan and bundle per host, the chosen canary before the others; a second run changes nothing."""
    run = surveyed.play("stage", extra={"piquet_canary": ["web3"]})
    assert run.rc == 0, run.text
    at = {host: surveyed.asked(host)[-1]["at"] for host in HOSTS}
    assert at["web3"] < min(at["web1"], at["web2"])
    assert surveyed.verbs("web1") == ["survey", "stage"]
    assert [run.recap(host)["changed"] for host in HOSTS] == [1, 1, 1]
    again = surveyed.play("stage")
    assert (again.rc, [again.recap(host)["changed"] for host in HOSTS]) == (0, [0, 0, 0])


def test_a_failing_canary_protects_the_others(surveyed: Place) -> None:
    """No other host is touched, and the reason with its hint is on the screen."""
    surveyed.fail("web1", "stage")
    run = surveyed.play("stage")
    assert run.rc != 0
    assert [surveyed.verbs(host) for host in HOSTS] == [["survey", "stage"], ["survey"], ["survey"]]
    assert "error: web1: nginx -t fails [config-broken]\n" in run.text
    assert "  hint: mend the configuration\n" in run.text


def test_stage_in_check_mode_asks_for_a_diff_and_changes_nothing(surveyed: Place) -> None:
    """Check mode and diff are answered by the agent in the same step."""
    run = surveyed.play("stage", "--check", "--diff")
    assert run.rc == 0, run.text
    assert {(r["check"], r["diff"]) for r in surveyed.asked("web2")[1:]} == {(True, True)}
    assert surveyed.states() == ["absent"] * 3
    assert "+++ after: /etc/piquet/x" in run.text and run.recap("web2")["changed"] == 1


def test_only_the_reviewed_plan_is_staged(surveyed: Place) -> None:
    """A digest that was given and is not the plan's stops everything, on every host."""
    run = surveyed.play("stage", extra={"piquet_plan_digest": "0" * 64})
    assert run.rc != 0 and "not the plan that was reviewed" in run.text
    assert [surveyed.verbs(host) for host in HOSTS] == [["survey"]] * 3


def test_arm_checks_all_then_arms_all(staged: Place) -> None:
    """Every host is asked whether it can before any is armed."""
    run = staged.play("arm")
    assert run.rc == 0, run.text
    assert staged.states() == ["armed"] * 3
    asked = {host: staged.asked(host)[-2:] for host in HOSTS}
    assert max(a[0]["at"] for a in asked.values()) < min(a[1]["at"] for a in asked.values())
    assert [a[1]["max_skew_s"] for a in asked.values()] == [22.0] * 3
    assert "Armed: 3 ok, 0 not" in run.text


@pytest.mark.parametrize("how", ["fails", "down"])
def test_one_host_that_cannot_means_none(staged: Place, how: str) -> None:
    """A failing check, or a host that cannot be reached, and no host is armed."""
    staged.fail("web2", "check") if how == "fails" else staged.take_down("web2")
    run = staged.play("arm")
    assert run.rc != 0 and "Can be armed: 2 ok, 1 not (web2)" in run.text
    assert "arm" not in staged.verbs("web1") + staged.verbs("web2") + staged.verbs("web3")
    assert staged.states() == ["staged"] * 3


def test_a_host_that_fails_at_the_last_step_undoes_the_others(staged: Place) -> None:
    """All or nothing also when the failure comes after the check; the table says who is what."""
    staged.fail("web3", "arm")
    run = staged.play("arm")
    assert run.rc != 0
    assert [staged.verbs(host)[-3:] for host in HOSTS] == [["check", "arm", "rollback"]] * 3
    assert staged.states() == ["stopped"] * 3
    assert re.search(r"web1 +undone +stopped", run.text) and re.search(r"web3 +failed +stopped", run.text)


def test_partial_arm_leaves_the_failing_out(staged: Place) -> None:
    """The others are armed, the exit status still says that not all is well."""
    staged.fail("web1", "check")
    staged.fail("web2", "arm")
    run = staged.play("arm", extra={"piquet_arm_partial": "true"})
    assert run.rc != 0 and "Armed: 1 ok, 2 not (web1, web2)" in run.text
    assert staged.states() == ["staged", "stopped", "armed"]


def test_a_limited_run_arms_nobody(staged: Place) -> None:
    """All or nothing is about the plan, not about the hosts that happen to be in this run."""
    run = staged.play("arm", "--limit", "web1,web2")
    assert run.rc != 0 and "web3: in the plan but not in this run" in run.text
    assert staged.states() == ["staged"] * 3
    partial = staged.play("arm", "--limit", "web1", extra={"piquet_arm_partial": True})
    assert (partial.rc, staged.states()) == (0, ["armed", "staged", "staged"]), partial.text


@pytest.mark.parametrize("verb", ["rollback", "remove"])
def test_ways_out_go_on_past_a_host_that_is_down(staged: Place, verb: str) -> None:
    """The others are released, the missing one is listed with what to do, the exit status is not zero."""
    staged.take_down("web1")
    (staged.folder / "campaign/campaign.yml").unlink()
    run = staged.play(verb)
    assert run.rc != 0 and f"{verb.capitalize()}: 2 ok, 1 not (web1)" in run.text
    assert "hint: run" in run.text
    assert staged.states()[1:] == [{"rollback": "stopped", "remove": "absent"}[verb]] * 2
    assert [staged.verbs(host)[2:] for host in HOSTS] == [[], [verb], [verb]]


def test_rehearse_tells_every_hosts_own_links(staged: Place) -> None:
    """From the inventory alone, in one step per host; the numbers arrive as numbers, also from a command line."""
    (staged.folder / "campaign/campaign.yml").unlink()
    run = staged.play("rehearse", extra={"piquet_rehearse_phase": "2"})
    assert run.rc == 0 and "Rehearsal: 3 ok, 0 not" in run.text, run.text
    for host in HOSTS:
        asked = staged.asked(host)[2:]
        assert [(r["verb"], r["phase"], r["end"], r["plan_digest"]) for r in asked] == [
            ("rehearse", 2, False, "")
        ]
        assert f"  https://a.{host}/.well-known/piquet/rehearse/2-{'0a' * 16}\n" in run.text
    assert run.text.count("  7 more sites: /.well-known/piquet/rehearse/2-") == 3
    assert staged.states() == ["staged"] * 3


def test_rehearse_in_check_mode_or_to_end_it_tells_no_link(staged: Place) -> None:
    """There is none; and a digest that was reviewed is handed on."""
    for more, extra in (
        ("--check", {"piquet_plan_digest": "d" * 64}),
        ("--diff", {"piquet_rehearse_end": True}),
    ):
        run = staged.play("rehearse", more, extra=extra)
        assert run.rc == 0 and "/rehearse/" not in run.text, run.text
    first, second = staged.asked("web1")[2:]
    assert (first["check"], first["plan_digest"], second["end"]) == (True, "d" * 64, True)


def test_rehearse_goes_on_past_hosts_that_cannot(staged: Place) -> None:
    """One is down and one refuses: both are listed, the third tells its link, the exit status is not zero."""
    staged.take_down("web1")
    staged.fail("web2", "rehearse")
    run = staged.play("rehearse")
    assert run.rc != 0 and "Rehearsal: 1 ok, 2 not (web1, web2)" in run.text, run.text
    assert "hint: mend the configuration" in run.text and "https://a.web3/.well-known/" in run.text


@pytest.mark.parametrize("verb", ["rollback", "status"])
def test_an_inventory_without_hosts_is_an_error(staged: Place, verb: str) -> None:
    """With a mistyped path Ansible would do nothing and end with 0."""
    (staged.folder / "hosts.yml").write_text('{"all": {"hosts": {}}}')
    run = staged.play(verb)
    assert run.rc != 0 and "is the path after -i right?" in run.text


def test_calm_output_is_the_message_and_a_verdict(staged: Place) -> None:
    """No JSON, no checks of arguments, no counters; a failure keeps its line breaks."""
    (staged.folder / "ansible.cfg").write_text("[defaults]\nstdout_callback = piquet.fleet.calm\n")
    good = staged.play("stage")
    assert good.rc == 0 and good.text.endswith("\ndone\n"), good.text
    staged.fail("web2", "check")
    run = staged.play("arm")
    assert run.rc != 0 and "\n  hint: mend the configuration" in run.text
    assert "NOT done" in run.text and not re.search(r"[{]|Validating|ok=|Origin", run.text), run.text


def test_status_is_a_table_and_a_failure_when_a_host_is_missing(staged: Place) -> None:
    """People see who is what; programs see the exit status."""
    run = staged.play("status")
    assert run.rc == 0 and re.search(r"web1 +ok +staged", run.text), run.text
    staged.take_down("web3")
    assert staged.play("status").rc != 0


def test_a_role_can_be_included_from_a_users_play(staged: Place) -> None:
    """`include_role` in somebody else's playbook does the same, with their variables."""
    play = {
        "name": "Own play", "hosts": "web1", "gather_facts": False,
        "tasks": [{"name": "Status", "ansible.builtin.include_role": {"name": "piquet.fleet.status"}}],
    }  # fmt: skip
    (staged.folder / "own.yml").write_text(json.dumps([play]))
    run = staged.play_file("own.yml")
    assert run.rc == 0 and re.search(r"web1 +ok +staged", run.text), run.text


def test_connection_without_input_copies_and_says_so(staged: Place) -> None:
    """Where nothing can be piped (su, paramiko) the payload is copied, run and deleted."""
    plugins = staged.folder / "connection_plugins"
    plugins.mkdir()
    (plugins / "nopipe.py").write_text(
        "DOCUMENTATION = '{name: nopipe, short_description: local without input, description: [x], options: {}}'\n"
        "from ansible.plugins.connection.local import Connection as Local\n"
        "class Connection(Local):\n    transport = 'nopipe'\n    has_pipelining = False\n"
        "    def exec_command(self, cmd, in_data=None, sudoable=True):\n"
        "        assert not in_data\n        return super().exec_command(cmd, None, sudoable)\n"
    )
    (staged.folder / "ansible.cfg").write_text("[defaults]\nconnection_plugins = connection_plugins\n")
    run = staged.play("status", "-v", extra={"ansible_connection": "nopipe"})
    assert run.rc == 0 and "copied, run, deleted" in run.text, run.text
    assert not Path(staged.asked("web1")[-1]["payload_file"]).exists()


def test_missing_package_says_how_to_install_it(place: Place) -> None:
    """Ansible's own Python may not have piquet: the message names that Python and the command."""
    blocker = place.folder / "blocked"
    (blocker / "piquet").mkdir(parents=True)
    (blocker / "piquet/__init__.py").write_text("raise ImportError('not here')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(blocker), os.environ.get("PYTHONPATH", "")]))
        run = place.play("status")
    assert run.rc != 0 and re.search(r"python\S* -m pip install piquet", run.text)
