# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as Ansible runs them, over hosts whose Python is `stand_in.py`; real hosts are in tests/e2e."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from piquet.protocol.places import END_IT_NOW
from tests.ansible.place import HOSTS, Place


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


def test_a_broken_server_is_an_error_of_survey(place: Place) -> None:
    """Told with what the server says, and kept all the same; the others are surveyed."""
    place.break_server("web2")
    run = place.play("survey")
    assert run.rc != 0 and [run.recap(host)["failed"] for host in HOSTS] == [0, 1, 0]
    assert "fails its own test, before anything of ours [config-broken]" in run.text
    assert "[emerg] unknown directive" in run.text and "then survey again" in run.text
    assert all((place.folder / f".piquet/surveys/{host}.json").exists() for host in HOSTS)


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
    assert "Armed: 3 ok" in run.text
    assert f"as root: {END_IT_NOW}" in run.text


@pytest.mark.parametrize("how", ["fails", "down"])
def test_one_host_that_cannot_means_none(staged: Place, how: str) -> None:
    """A failing check, or a host that cannot be reached, and no host is armed."""
    staged.fail("web2", "check") if how == "fails" else staged.take_down("web2")
    run = staged.play("arm")
    assert run.rc != 0 and "Can be armed: 2 ok, 1 not (web2)" in run.text
    assert "arm" not in staged.verbs("web1") + staged.verbs("web2") + staged.verbs("web3")
    assert staged.states() == ["staged"] * 3


def test_a_host_that_fails_at_the_last_step_undoes_the_others(staged: Place) -> None:
    """All or nothing also when the failure comes after the check; the table says the state of every host."""
    staged.fail("web3", "arm")
    run = staged.play("arm")
    assert run.rc != 0
    assert [staged.verbs(host)[-3:] for host in HOSTS] == [["check", "arm", "rollback"]] * 3
    assert staged.states() == ["stopped"] * 3
    assert re.search(r"web1 +undone +stopped", run.text) and re.search(r"web3 +failed +stopped", run.text)


@pytest.mark.parametrize("extra", [{}, {"piquet_arm_partial": "true"}], ids=["whole", "partial"])
def test_what_was_armed_before_stays_armed(staged: Place, extra: dict[str, str]) -> None:
    """A second arm takes back what it has done itself: hosts that were armed all along are none of that."""
    staged.be("armed", "stopped", "armed")
    staged.fail("web3", "arm")
    run = staged.play("arm", extra=extra)
    assert run.rc != 0
    assert staged.states() == ["armed", "armed" if extra else "stopped", "armed"], run.text
    assert "rollback" not in staged.verbs("web1") + staged.verbs("web3")
    assert re.search(r"web1 +ok +armed", run.text) and re.search(r"web3 +failed +armed", run.text)


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
    assert run.rc == 0 and "Rehearsal: 3 ok" in run.text, run.text
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


@pytest.mark.parametrize(
    "callback", ["piquet.fleet.calm", pytest.param("ansible.builtin.default", marks=pytest.mark.long)]
)
def test_no_host_speaks_for_another(staged: Place, callback: str) -> None:
    """Line feeds in what a host says of its failure make no line that looks like another host's, or like an end."""
    (staged.folder / "ansible.cfg").write_text(f"[defaults]\nstdout_callback = {callback}\n")
    forged = ("ok: [web9]", "web9   ok   armed", "NOT done", "done", "changed: [web9]")
    (staged.folder / "web2.forges").write_text(
        "\n" + "\n".join(forged) + "\n\u2028ok: [web9]\x1b[2J\x0bok: [web9]"
    )
    staged.fail("web2", "check")
    run = staged.play("arm")
    assert run.rc != 0 and "web9" in run.text and "\x1b" not in run.text
    assert not [
        line
        for line in run.text.splitlines()
        if "web9" in line and line.startswith(("ok", "web9", "changed"))
    ]
    assert "\ndone" not in run.text


def test_status_is_a_table_and_a_failure_when_a_host_is_missing(staged: Place) -> None:
    """People see the state of every host; programs see the exit status."""
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


def test_a_survey_shows_the_way_that_the_inventory_chose(place: Place) -> None:
    """Not the one that piquet would take if it said nothing."""
    assert "by the include line" in place.play("survey").text
    assert "by Lua" in place.play("survey", extra={"piquet_nginx": "lua"}).text
