# SPDX-License-Identifier: GPL-3.0-or-later
"""Each question about a host fires on what it is for, and is silent on a host that is as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from piquet.verify.inside.judge_host import QUESTIONS, Case
from piquet.verify.inside.look import Look
from piquet.verify.inside.moments import InsideMoment, states_at
from tests.render.samples import CAMPAIGN, PHASE, START, host

FILE = "/etc/nginx/conf.d/a.conf"
DURING = START.timestamp() + 10
PLAN = host("a.example.org", "b.example.org")
FLAGS = [{"key": entry.key, "flag": True, "stopped": False} for entry in PLAN.entries]
STATUS: Mapping[str, Any] = {
    "state": "armed",
    "campaign": CAMPAIGN.name,
    "phases": [
        {"number": 1, "mode": "block", "start": int(START.timestamp()), "end": int(PHASE.end_at.timestamp())}
    ],
    "entries": FLAGS,
    "live": True,
    "timer": {"active": True, "next": None},
    "hooked": {"blocks": 2, "hooked": 2, "missing": []},
    "problems": [],
}
MACHINE: Mapping[str, Any] = {
    "at": DURING,
    "is_root": True,
    "agent": True,
    "status": STATUS,
    "error": "",
    "owners": {"nginx": {FILE: "aa"}},
    "running": {"nginx": True},
    "files": {FILE: ["ab", True]},
    "left": ["/etc/piquet"],
    "tests": {"nginx": [True, ""]},
}
GONE: Mapping[str, Any] = {
    "agent": False,
    "status": None,
    "owners": {},
    "left": [],
    "files": {FILE: ["aa", False]},
}


def case(moment: InsideMoment = "now", status: Mapping[str, Any] | None = None, **machine: Any) -> Case:
    """A host as it should be inside the window, with some of its facts replaced."""
    facts = {**MACHINE, **machine}
    if facts["status"]:
        facts["status"] = {**STATUS, **(status or {})}
    return Case(Look("web1", (), facts), PLAN, CAMPAIGN, moment, {FILE: "aa"}, ("nginx",))


def found(case: Case) -> list[str]:
    """Question and code of everything that is wrong."""
    return [f"{name}: {finding.code}" for name, check in QUESTIONS.items() for finding in check(case)]


@pytest.mark.parametrize(
    "good",
    [
        case(),
        case("during"),
        case("before", {"state": "staged", "live": False, "entries": []}, at=DURING - 60) and case("armed"),
        case("after", {"state": "stopped", "live": False, "entries": [{**f, "flag": False} for f in FLAGS]}),
        case("removed", **GONE),
        case(at=PHASE.end_at.timestamp() + 9999, **GONE),
        case(status={"entries": [{**f, "flag": False} for f in FLAGS]}, at=PHASE.end_at.timestamp() + 5),
    ],
)
def test_silent_on_what_is_right(good: Case) -> None:
    """Nothing is said of a host that is what it should be."""
    assert found(good) == []


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (case(is_root=False), ["state: not-root"]),
        (case("removed"), ["state: state"]),
        (case("before", {"state": "ended", "live": False}), ["state: state"]),
        (case(status={"state": "unknown"}), ["state: state"]),
        (case(status={"campaign": "other"}), ["same_campaign: other-campaign"]),
        (case(status={"entries": FLAGS[:1]}), ["same_campaign: not-staged", "flags: flag-missing"]),
        (case(status={"entries": [*FLAGS, {**FLAGS[0], "key": "c"}]}), ["same_campaign: staged-beside"]),
        (case(status={"entries": [FLAGS[0], {**FLAGS[1], "flag": False}]}), ["flags: flag-missing"]),
        (case("after", {"state": "stopped"}), ["flags: flags-up"]),
        (case(status={"timer": {"active": False}}), ["schedule: no-schedule"]),
        (case(running={"nginx": False}), ["servers: not-running"]),
        (case(tests={"nginx": None}), ["servers: no-server"]),
        (case(tests={"nginx": [False, "emerg"]}), ["servers: test-fails"]),
        (case(is_root=False, tests={"nginx": [False, "cannot load key"]}), ["state: not-root"]),
        (case(owners={"nginx": {FILE: "bb"}}), ["owners_files: foreign-change"]),
        (case(owners={}, files={FILE: None}), ["owners_files: foreign-change"]),
        (
            case(status={"hooked": {"missing": [{"file": FILE, "line": 1, "names": ["a.example.org"]}]}}),
            ["owners_files: hook-missing"],
        ),
        (
            case(status={"problems": [{"severity": "warning", "code": "not-intact", "subject": "/x", "message": "m"}]}),
            ["staged_files: not-intact"],
        ),
        (case("removed", **{**GONE, "files": {FILE: ["ab", True]}}), ["owners_files: hook-left"]),
        (case("removed", **{**GONE, "files": {FILE: ["bb", False]}}), ["owners_files: foreign-change"]),
        (case("removed", **{**GONE, "left": ["/run/piquet"]}), ["nothing_left: left"]),
    ],
)  # fmt: skip
def test_each_fault_is_told_once(bad: Case, expected: list[str]) -> None:
    """By the question that it belongs to, with a hint."""
    assert found(bad) == expected
    for check in QUESTIONS.values():
        assert all(finding.hint for finding in check(bad) if finding.code != "not-intact")


def test_a_host_outside_the_campaign_holds_nothing() -> None:
    """Where nothing is to be shown, nothing may be staged."""
    bare = replace(case(), plan=replace(PLAN, entries=()))
    assert "state: state" in found(bare)
    gone = replace(case(**GONE), plan=replace(PLAN, entries=()))
    assert found(gone) == []


def test_states_go_by_the_hosts_clock() -> None:
    """At the start armed, at the end for a moment still armed, later gone; to the second."""
    end = PHASE.end_at.timestamp()
    assert states_at("now", CAMPAIGN, START.timestamp() - 1) == {"staged", "armed"}
    assert states_at("now", CAMPAIGN, START.timestamp()) == {"armed"}
    assert states_at("now", CAMPAIGN, end - 1) == {"armed"}
    assert states_at("now", CAMPAIGN, end) == {"armed", "ended", "stopped", "absent"}
    assert states_at("now", CAMPAIGN, end + timedelta(minutes=5).total_seconds()) == {
        "ended",
        "stopped",
        "absent",
    }
