# SPDX-License-Identifier: GPL-3.0-or-later
"""From events to words, exit codes, texts and JSON: the same events, the same output, whichever engine told them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from piquet.cli import exit_codes, run_summary_json, run_summary_text
from piquet.cli.run_summary import ARM_CHECK, RunSummary
from piquet.controller.events import Event
from piquet.errors import EngineError

ARM, UNDO = "Arm", "Undo the arming of this run where it must not stay"
PLAN = Event("result", "plan", "Plan", result={"changed": False, "digest": "d" * 64, "involved": ["a", "b"]})


def begin(step: str, *names: str, **more: Any) -> Event:
    """A step begins on these hosts."""
    return Event("start", "agent", step, hosts=len(names), names=names, **more)


def ended(step: str, host: str, verb: str = "arm", **result: Any) -> Event:
    """A step has ended on a host whose agent answered."""
    answer = {"verb": verb, "message": f"{verb}: done", "problems": [], "status": {"state": "staged"}}
    return Event(
        "result", "agent", step, host, result={"changed": False, "msg": "x", "piquet": answer} | result
    )


def lost(step: str, host: str) -> Event:
    """A host could not be reached."""
    return Event(
        "result", "agent", step, host, result={"unreachable": True, "changed": False, "msg": "no route"}
    )


def skipped(step: str, host: str) -> Event:
    """A step was not for a host."""
    return Event("result", "agent", step, host, result={"skipped": True, "changed": False})


def refused(action: str, **result: Any) -> Event:
    """A step of the controller failed."""
    return Event("result", action, action, result={"failed": True, "changed": False, "msg": "no"} | result)


CASES: dict[str, tuple[str, list[Event], dict[str, str], int]] = {
    "changed and ok": (
        "hook", [begin("H", "a", "b"), ended("H", "a", changed=True), ended("H", "b")], {"a": "changed", "b": "ok"}, 0,
    ),
    "one failed": ("hook", [ended("H", "a", failed=True), lost("H", "b")], {"a": "failed", "b": "unreachable"}, 7),
    "one out of reach": ("status", [ended("S", "a"), lost("S", "b")], {"a": "ok", "b": "unreachable"}, 8),
    "held back": (
        "arm", [PLAN, ended(ARM_CHECK, "a"), lost(ARM_CHECK, "b"), refused("tally", bad=["b"])],
        {"a": "not armed", "b": "unreachable"}, 7,
    ),
    "left out": (
        "arm", [PLAN, ended(ARM_CHECK, "a"), lost(ARM_CHECK, "b"), ended(ARM, "a", changed=True), refused("tally")],
        {"a": "changed", "b": "unreachable"}, 8,
    ),
    "taken back": (
        "arm",
        [PLAN, ended(ARM, "a", changed=True), ended(ARM, "b", failed=True), ended(UNDO, "a", "rollback", changed=True),
         ended(UNDO, "b", "rollback"), refused("tally")],
        {"a": "undone", "b": "failed"}, 7,
    ),
    "not taken back": (
        "arm", [PLAN, ended(ARM, "a"), ended(ARM, "b", failed=True), lost(UNDO, "a")],
        {"a": "unreachable", "b": "failed"}, 7,
    ),
    "not meant": ("stage", [PLAN, begin("S", "a", "b", "c"), *(ended("S", h) for h in "ab"), skipped("S", "c")],
        {"a": "ok", "b": "ok", "c": "skipped"}, 0),
    "spared": ("stage", [PLAN, begin("S", "a", "b"), skipped("S", "b"), ended("S", "a", failed=True)],
        {"a": "failed", "b": "not begun"}, 7),
    "plan unsafe": ("stage", [refused("plan", kind="plan")], {}, 5),
    "campaign wrong": ("arm", [refused("plan", kind="campaign")], {}, 3),
    "no survey": ("arm", [refused("plan", kind="fleet")], {}, 4),
    "page wrong": ("stage", [refused("plan", kind="bundle")], {}, 6),
    "an engine without kinds": ("stage", [refused("plan")], {}, 1),
    "baseline": ("stage", [PLAN, refused("verify", rc=1)], {"a": "not begun", "b": "not begun"}, 1),
    "a variable": ("hook", [ended("H", "a", failed=True, kind="fleet")], {"a": "failed"}, 4),
    "a table that nobody explains": ("remove", [ended("R", "a"), refused("tally")], {"a": "ok"}, 7),
}  # fmt: skip


def course_of(verb: str, events: list[Event], **more: Any) -> RunSummary:
    """A course that heard these."""
    course = RunSummary(verb, **more)
    for event in events:
        course.feed(event)
    return course


@pytest.mark.parametrize("case", CASES)
def test_words_and_codes(case: str) -> None:
    """What hosts answered decides, and nothing else."""
    verb, events, words, code = CASES[case]
    course = course_of(verb, events)
    assert (words, code) == ({row.host: row.word for row in course.rows()}, course.exit_code())
    assert course.is_done is (code == exit_codes.OK)


@pytest.mark.parametrize("case", CASES)
def test_json_is_json_and_says_the_same(case: str) -> None:
    """Each host's word, each error's kind, one code."""
    verb, events, words, code = CASES[case]
    course = course_of(verb, events)
    document = json.loads(json.dumps(run_summary_json.run_document(course, "ansible", 1.25, code)))
    assert words == {host: value["result"] for host, value in document["hosts"].items()}
    assert (document["exit_code"], document["done"]) == (code, code == 0)
    assert len(document["errors"]) == len(course.losses)


def test_json_of_an_engine_that_could_not_run() -> None:
    """The reason is in it, and nothing is called done."""
    document = run_summary_json.run_document(RunSummary("arm"), "pyinfra", 0.1, 70, EngineError("no engine"))
    assert document["errors"] == [{"kind": "engine", "message": "no engine"}]
    assert (document["done"], document["hosts"], document["digest"]) == (False, {}, None)


def test_the_order_of_hosts_in_which_they_answer_does_not_matter() -> None:
    """Both engines print the same."""
    events = [ended("H", "a", changed=True), ended("H", "b"), lost("H", "c")]
    there, back = course_of("hook", events), course_of("hook", events[::-1])
    for text in (
        lambda c: run_summary_text.last_line(c, 1.0),
        lambda c: run_summary_text.host_table(c.rows(), False),
    ):
        assert text(there) == text(back)


@pytest.mark.parametrize(
    ("events", "check", "expected"),
    [
        ([ended("H", "a", changed=True)], False, "done: 1 host, 1 changed, 0 failed, 4.2 s"),
        ([ended("H", "a"), ended("H", "b")], False, "done: 2 hosts, 0 changed, 0 failed, 4.2 s"),
        (
            [ended("H", "a", changed=True)],
            True,
            "done (check: nothing was changed): 1 host, 1 would change, 0 failed, 4.2 s",
        ),
        ([lost("H", "a")], False, "NOT done: 1 host, 0 changed, 0 failed, 1 unreachable (a), 4.2 s"),
        ([refused("plan")], False, "NOT done: no host was touched, 4.2 s"),
        (
            [lost("H", f"w{n:02}") for n in range(10)],
            False,
            "NOT done: 10 hosts, 0 changed, 0 failed, "
            "10 unreachable (w00, w01, w02, w03, w04, w05, w06, w07, and 2 more), 4.2 s",
        ),
    ],
)
def test_the_last_line(events: list[Event], check: bool, expected: str) -> None:
    """Done, or not done and by whom."""
    assert expected == run_summary_text.last_line(course_of("hook", events, check=check), 4.2)


HALF_ARMED = [
    PLAN,
    begin(ARM_CHECK, "a", "b"),
    ended(ARM_CHECK, "a"),
    ended(ARM_CHECK, "b"),
    begin(ARM, "a", "b"),
]


def test_interrupted_while_arming() -> None:
    """Who is armed, who may be, and the two commands that come next; inventory and engine as given, quoted."""
    course = course_of("arm", [*HALF_ARMED, ended(ARM, "a", changed=True)], is_interrupted=True)
    assert course.exit_code() == exit_codes.INTERRUPTED
    assert run_summary_text.where(course, "my hosts.yml", "pyinfra") == (
        "interrupted in the step: Arm\n"
        "  done: a\n"
        "  unknown: b\n"
        "\n"
        "what was begun on a host goes on there by itself: to its end, or back to where it was\n"
        "\n"
        "armed: a; perhaps armed: b\n"
        "next: piquet status -i 'my hosts.yml' --engine pyinfra    (what every host is doing)\n"
        "then: piquet rollback -i 'my hosts.yml' --engine pyinfra  (back to normal everywhere), or arm again"
    )


def test_an_engine_that_names_beginnings_leaves_less_unknown() -> None:
    """With fewer processes than hosts, the host whose turn had not come is not begun: it was only checked."""
    events = [*HALF_ARMED, Event("start", "agent", ARM, "a"), ended(ARM, "a", changed=True)]
    course = course_of("arm", events, is_interrupted=True)
    assert {"a": "changed", "b": "not armed"} == {row.host: row.word for row in course.rows()}


def test_interrupted_before_anything_is_armed() -> None:
    """It says so, and calls no host armed."""
    checking = course_of(
        "arm", [PLAN, begin(ARM_CHECK, "a", "b"), ended(ARM_CHECK, "a")], is_interrupted=True
    )
    assert "\nthis run has armed no host\n" in run_summary_text.where(checking, "i", "ansible")
    nothing = run_summary_text.where(course_of("arm", [], is_interrupted=True), "i", "ansible")
    assert nothing.startswith("interrupted before the first step\n  no host was begun\n")


@pytest.mark.parametrize("verb", ["survey", "status"])
def test_an_interrupted_look_needs_no_advice(verb: str) -> None:
    """Nothing was to be changed."""
    course = course_of(verb, [begin("S", "a")], is_interrupted=True)
    assert run_summary_text.where(course, "i", "ansible").endswith(
        "nothing was to be changed; run it again whenever you like"
    )


def test_a_failure_names_its_host_once_and_hides_nothing() -> None:
    """In full, with its hint; what a host wrote is never obeyed by a terminal."""
    assert (
        run_summary_text.failure("a", {"failed": True, "msg": "a: no\n\n  hint: mend"})
        == "failed: a: no\n\n  hint: mend"
    )
    assert run_summary_text.failure("a", {"unreachable": True, "msg": "no \x1b[31mroute"}) == (
        "unreachable: a: no \\x1b[31mroute"
    )
    assert run_summary_text.failure("a", {"failed": True}) == "failed: a: no reason was given"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"before_header": "/dev/null", "after_header": "/x", "before": "", "after": "1\n"},
            "--- /dev/null\n+++ a:/x\n@@ -0,0 +1 @@\n+1\n",
        ),
        (
            {"before_header": "/x", "after_header": "/x", "before": "1\n2", "after": "1\n3"},
            "--- a:/x\n+++ a:/x\n@@ -1,2 +1,2 @@\n 1\n-2\n\\ No newline at end of file\n+3\n"
            "\\ No newline at end of file\n",
        ),
        ({"before_header": "/x", "after_header": "/x", "before": "1\n", "after": "1\n"}, ""),
    ],
)
def test_diffs(change: dict[str, str], expected: str) -> None:
    """As `diff -u` writes them, the host in the files' names."""
    assert expected == run_summary_text.diff_text("a", [change])


@pytest.mark.parametrize("changes", [None, "x", {}, [1], ["x"]])
def test_what_is_no_diff_is_none(changes: object) -> None:
    """An engine that tells nonsense spoils nothing."""
    assert run_summary_text.diff_text("a", changes) == ""
