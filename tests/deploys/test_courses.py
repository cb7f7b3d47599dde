# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs as the runner drives them, over the stand-ins and with the promises of `tests/ansible/test_roles.py`."""

from __future__ import annotations

import json
import re

import pytest

from piquet.protocol.places import END_IT_NOW
from tests.ansible.place import HOSTS, Place
from tests.deploys.conftest import run


def test_survey_is_kept_with_skew_and_shown(place: Place) -> None:
    """One file per host on the controller, a summary among the events, nothing reported as changed."""
    done = run(place, "survey")
    assert done.rc == 0, done.text
    kept = json.loads((place.folder / ".piquet/surveys/web2.json").read_text())
    assert kept["skew_s"] == 0.0 and kept["nginx"]["blocks"][0]["names"] == ["a.example"]
    assert done.results("web2")[0]["show"].startswith("web2: debian 12")
    assert done.changed() == dict.fromkeys(HOSTS, False)
    assert [len(place.asked(host)) for host in HOSTS] == [1, 1, 1]


def test_a_broken_server_is_an_error_of_survey(place: Place) -> None:
    """Told with what the server says, and kept all the same; the others are surveyed."""
    place.break_server("web2")
    done = run(place, "survey")
    assert done.rc == 1
    (result,) = done.results("web2")
    assert result["failed"] and "fails its own test, before anything of ours [config-broken]" in result["msg"]
    assert "[emerg] unknown directive" in result["msg"] and "then survey again" in result["msg"]
    assert [bool(done.results(host)[0].get("failed")) for host in HOSTS] == [False, True, False]
    kept = [(place.folder / f".piquet/surveys/{host}.json").exists() for host in HOSTS]
    assert kept == [True] * 3


def test_survey_in_check_mode_keeps_nothing(place: Place) -> None:
    """Check mode leaves the controller as it is, too."""
    done = run(place, "survey", check=True)
    assert (done.rc, place.asked("web1")[0]["check"]) == (0, True), done.text
    assert not (place.folder / ".piquet").exists()


def test_hook_wants_a_survey_and_sends_its_digests(place: Place) -> None:
    """Nothing is sent without a survey; with one the agent gets what was seen, and the survey is renewed."""
    done = run(place, "hook")
    assert done.rc == 1 and "has not been surveyed" in done.results("web1")[0]["msg"]
    assert place.verbs("web1") == []
    run(place, "survey")
    done = run(place, "hook")
    assert (done.rc, done.changed()["web1"]) == (0, True), done.text
    assert place.asked("web1")[-1]["files"] == {"/etc/nginx/s": "0" * 64}


def test_stage_goes_canary_first_and_is_idempotent(surveyed: Place) -> None:
    """One payload per host, the chosen canary before the others; a second run changes nothing."""
    done = run(surveyed, "stage", variables={"piquet_canary": ["web3"]})
    assert done.rc == 0, done.text
    at = {host: surveyed.asked(host)[-1]["at"] for host in HOSTS}
    assert at["web3"] < min(at["web1"], at["web2"])
    assert surveyed.verbs("web1") == ["survey", "stage"]
    assert done.changed() == dict.fromkeys(HOSTS, True)
    again = run(surveyed, "stage")
    assert (again.rc, again.changed()) == (0, dict.fromkeys(HOSTS, False))


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("how", ["fails", "down"])
def test_a_failing_canary_protects_the_others(surveyed: Place, how: str, check: bool) -> None:
    """No other host is touched, in check mode neither, and the reason with its hint is told."""
    surveyed.fail("web1", "stage") if how == "fails" else surveyed.take_down("web1")
    done = run(surveyed, "stage", check=check)
    assert done.rc == 1
    assert [surveyed.verbs(host)[1:] for host in HOSTS] == [["stage"] if how == "fails" else [], [], []]
    reason = "error: web1: nginx -t fails [config-broken]" if how == "fails" else "Could not connect"
    assert reason in done.results("web1")[-1]["msg"]
    assert "Stage all other hosts" not in {event.step for event in done.events}


def test_stage_in_check_mode_asks_for_a_diff_and_changes_nothing(surveyed: Place) -> None:
    """Check mode and diff are answered by the agent in the same step."""
    done = run(surveyed, "stage", check=True, diff=True)
    assert done.rc == 0, done.text
    assert {(r["check"], r["diff"]) for r in surveyed.asked("web2")[1:]} == {(True, True)}
    assert surveyed.states() == ["absent"] * 3
    assert done.results("web2")[-1]["diff"][0]["after_header"] == "/etc/piquet/x"
    assert done.changed() == dict.fromkeys(HOSTS, True)


def test_only_the_reviewed_plan_is_staged(surveyed: Place) -> None:
    """A digest that was given and is not the plan's stops everything, on every host."""
    done = run(surveyed, "stage", variables={"piquet_plan_digest": "0" * 64})
    assert done.rc == 1 and "not the plan that was reviewed" in done.shown()
    assert [surveyed.verbs(host) for host in HOSTS] == [["survey"]] * 3


def test_arm_checks_all_then_arms_all(staged: Place) -> None:
    """Every host is asked whether it can before any is armed."""
    done = run(staged, "arm")
    assert done.rc == 0, done.text
    assert staged.states() == ["armed"] * 3
    asked = {host: staged.asked(host)[-2:] for host in HOSTS}
    assert max(a[0]["at"] for a in asked.values()) < min(a[1]["at"] for a in asked.values())
    assert [a[1]["max_skew_s"] for a in asked.values()] == [22.0] * 3
    assert "Armed: 3 ok" in done.shown()
    assert f"as root: {END_IT_NOW}" in done.shown()


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("how", ["fails", "down"])
def test_one_host_that_cannot_means_none(staged: Place, how: str, check: bool) -> None:
    """A failing check, or a host that cannot be reached, and no host is armed, nor would be."""
    staged.fail("web2", "check") if how == "fails" else staged.take_down("web2")
    done = run(staged, "arm", check=check)
    assert done.rc == 1 and "Can be armed: 2 ok, 1 not (web2)" in done.shown()
    assert "arm" not in staged.verbs("web1") + staged.verbs("web2") + staged.verbs("web3")
    assert staged.states() == ["staged"] * 3


def test_a_host_that_fails_at_the_last_step_undoes_the_others(staged: Place) -> None:
    """All or nothing also when the failure comes after the check; the table says the state of every host."""
    staged.fail("web3", "arm")
    done = run(staged, "arm")
    assert done.rc == 1
    assert [staged.verbs(host)[-3:] for host in HOSTS] == [["check", "arm", "rollback"]] * 3
    assert staged.states() == ["stopped"] * 3
    assert re.search(r"web1 +undone +stopped", done.shown())
    assert re.search(r"web3 +failed +stopped", done.shown())


@pytest.mark.parametrize("variables", [{}, {"piquet_arm_partial": "true"}], ids=["whole", "partial"])
@pytest.mark.parametrize("failing", HOSTS)
def test_what_was_armed_before_stays_armed(staged: Place, failing: str, variables: dict[str, str]) -> None:
    """A second arm takes back what it has done itself: hosts that were armed all along are none of that."""
    staged.be("armed", "stopped", "armed")
    staged.fail(failing, "arm")
    done = run(staged, "arm", variables=variables)
    assert done.rc == 1
    web2 = "armed" if variables and failing != "web2" else "stopped"
    assert staged.states() == ["armed", web2, "armed"], done.shown()
    assert "rollback" not in staged.verbs("web1") + staged.verbs("web3")
    assert re.search(rf"{failing} +failed +{web2 if failing == 'web2' else 'armed'}", done.shown()), (
        done.shown()
    )


def test_a_host_that_answers_nonsense_undoes_the_others(staged: Place) -> None:
    """No host can end the run, and with it the undoing: it is a failure like any other."""
    (staged.folder / "web3.lies").write_text("arm")
    done = run(staged, "arm")
    assert done.rc == 1, done.text
    assert staged.states() == ["stopped"] * 3
    assert re.search(r"web3 +failed +stopped +web3: its answer cannot be used", done.shown()), done.shown()


def test_partial_arm_leaves_the_failing_out(staged: Place) -> None:
    """The others are armed, the exit status still says that not all is well."""
    staged.fail("web1", "check")
    staged.fail("web2", "arm")
    done = run(staged, "arm", variables={"piquet_arm_partial": "true"})
    assert done.rc == 1 and "Armed: 1 ok, 2 not (web1, web2)" in done.shown()
    assert staged.states() == ["staged", "stopped", "armed"]


def test_a_limited_run_arms_nobody(staged: Place) -> None:
    """All or nothing is about the plan, not about the hosts that happen to be in this run."""
    done = run(staged, "arm", limit="web1,web2")
    assert done.rc == 1 and "web3: in the plan but not in this run" in done.shown()
    assert staged.states() == ["staged"] * 3
    partial = run(staged, "arm", limit="all:!web2:!web3", variables={"piquet_arm_partial": True})
    assert (partial.rc, staged.states()) == (0, ["armed", "staged", "staged"]), partial.text


def test_hosts_left_out_of_everything_are_not_missed(staged: Place) -> None:
    """`piquet_hosts` takes a host out of plan and run alike."""
    variables = {"piquet_hosts": "all:!web2"}
    assert run(staged, "stage", variables=variables).rc == 0
    done = run(staged, "arm", variables=variables)
    assert (done.rc, staged.states()) == (0, ["armed", "staged", "armed"]), done.shown()
    assert "web2" not in {event.host for event in done.events}


@pytest.mark.parametrize("verb", ["rollback", "remove"])
def test_ways_out_go_on_past_a_host_that_is_down(staged: Place, verb: str) -> None:
    """The others are released, the missing one is listed with what to do, the exit status is not zero."""
    staged.take_down("web1")
    (staged.folder / "campaign/campaign.yml").unlink()
    done = run(staged, verb)
    assert done.rc == 1 and f"{verb.capitalize()}: 2 ok, 1 not (web1)" in done.shown()
    assert "hint: run" in done.shown()
    assert staged.states()[1:] == [{"rollback": "stopped", "remove": "absent"}[verb]] * 2
    assert [staged.verbs(host)[2:] for host in HOSTS] == [[], [verb], [verb]]
    assert done.results("web1")[0]["unreachable"] is True


def test_rehearse_tells_every_hosts_own_links(staged: Place) -> None:
    """From the inventory alone; each host's secret is its own, and shown for it."""
    (staged.folder / "campaign/campaign.yml").unlink()
    done = run(staged, "rehearse", variables={"piquet_rehearse_phase": "2"})
    assert done.rc == 0 and "Rehearsal: 3 ok" in done.shown(), done.text
    for host in HOSTS:
        (result,) = done.results(host)
        asked = staged.asked(host)[2:]
        assert [(r["verb"], r["phase"], r["end"], r["plan_digest"]) for r in asked] == [
            ("rehearse", 2, False, "")
        ]
        assert result["show"].startswith(
            f"{host}: rehearse on {host}\n  https://a.{host}/.well-known/piquet/rehearse/2-"
        )
        assert result["show"].splitlines()[-1].startswith("  7 more sites: /.well-known/piquet/rehearse/2-")
    assert done.changed() == dict.fromkeys(HOSTS, True)


def test_rehearse_in_check_mode_or_to_end_it_tells_no_link(staged: Place) -> None:
    """There is none; and a digest that was reviewed is handed on."""
    dry = run(staged, "rehearse", check=True, variables={"piquet_plan_digest": "d" * 64})
    end = run(staged, "rehearse", variables={"piquet_rehearse_end": "yes"})
    for done in (dry, end):
        assert done.rc == 0 and "/rehearse/" not in "".join(event.to_line() for event in done.events)
    first, second = staged.asked("web1")[2:]
    assert (first["check"], first["plan_digest"], second["end"]) == (True, "d" * 64, True)


def test_rehearse_goes_on_past_hosts_that_cannot(staged: Place) -> None:
    """One is down and one refuses: both are listed, the third tells its link, the exit status is not zero."""
    staged.take_down("web1")
    staged.fail("web2", "rehearse")
    done = run(staged, "rehearse")
    assert done.rc == 1 and "Rehearsal: 1 ok, 2 not (web1, web2)" in done.shown(), done.text
    assert "https://a.web3/.well-known/" in done.results("web3")[0]["show"]


@pytest.mark.parametrize("check", [False, True])
def test_the_table_is_shown_when_no_host_is_left(staged: Place, check: bool) -> None:
    """pyinfra itself would stop with `No hosts remaining!`; people still learn the state of every host."""
    for host in HOSTS:
        staged.take_down(host)
    done = run(staged, "rollback", check=check)
    assert done.rc == 1 and "Rollback: 0 ok, 3 not (web1, web2, web3)" in done.shown()
    assert len(re.findall("unreachable +unknown", done.shown())) == 3


def test_every_host_failing_is_told_too(staged: Place) -> None:
    """The same where they all answer, with a failure."""
    for host in HOSTS:
        staged.fail(host, "rollback", "stage")
    done = run(staged, "rollback")
    assert done.rc == 1 and "Rollback: 0 ok, 3 not" in done.shown()
    assert run(staged, "stage").rc == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"inventory": "/nowhere/hosts.yml"}, "there is no such file"),
        ({"limit": "web9"}, "no host that matches 'web9'"),
        ({"variables": {"piquet_hosts": "nobody"}}, "no host that matches 'nobody'"),
        ({"variables": {"piquet_become": "perhaps"}}, "`piquet_become` is not usable"),
        ({"inventory": 3}, "not in the agreed form"),
    ],
)
def test_what_cannot_run_says_so_and_ends_with_2(staged: Place, more: dict[str, object], said: str) -> None:
    """No event, no host asked, the reason on standard error."""
    done = run(staged, "rollback", **more)
    assert (done.rc, done.events) == (2, ()), done.text
    assert said in done.text
    assert [staged.verbs(host)[2:] for host in HOSTS] == [[], [], []]


def test_a_host_without_python_is_told(place: Place) -> None:
    """The message of all engines, with what to do."""
    done = run(place, "survey", variables={"piquet_python": "/nowhere/python3"})
    assert done.rc == 1 and "there is no Python at /nowhere/python3" in done.results("web1")[0]["msg"]
    assert "hint: install python3 there" in done.results("web1")[0]["msg"]
