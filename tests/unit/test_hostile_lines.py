# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host writes makes no line that passes for one of ours: by the command line, Ansible or pyinfra."""

from __future__ import annotations

import json
from typing import Any

import pytest

from piquet.cli import run_summary_text
from piquet.cli.run_summary import RunSummary
from piquet.controller.answer import CommandOutcome, parse_answer
from piquet.controller.events import Event
from piquet.controller.rehearsal import links_text
from piquet.controller.result import as_result
from piquet.controller.survey import survey_text
from piquet.deploys.telling import lines_of
from piquet.engines.ansible_events import Translator
from piquet.errors import HostError, Problem
from piquet.findings import as_text, as_texts
from piquet.printable import continued, in_one_line
from piquet.protocol.findings import Finding
from piquet.verify.observation import Unreachable

FORGED = (
    "ok: [web9]",
    "web9   ok   armed: 5 sites",
    "done: 16 hosts, 16 changed",
    "Armed: 9 ok",
)
EVIL = "".join(f"x\n{line}\r\n{line}" for line in FORGED) + "\u2028ok: [web9]\x85ok: [web9]\x0bok: [web9]"


def forged(text: str) -> list[str]:
    """Lines of a text that begin as one of ours would."""
    lines = text.splitlines()
    return [line for line in lines if line.startswith(FORGED)]


def evil(value: Any) -> Any:
    """A document with evil in all of its texts."""
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, list):
        return [evil(item) for item in value]
    return {key: evil(item) for key, item in value.items()} if isinstance(value, dict) else value


PROBLEM = {name: "n" for name in ("severity", "code", "subject", "message", "expected", "got", "hint")}
SURVEY = {
    "os": {"id": "debian", "version": "12"},
    "init": "systemd",
    "python": "3.11",
    "timezone": "UTC",
    "skew_s": 0.0,
    "caches": ["varnish"],
    "findings": [PROBLEM],
    "nginx": {"version": "1.22", "running": True, "test": {"ok": True}, "blocks": []},
}


def answer(**more: Any) -> CommandOutcome:
    """What a host sends, evil in every text but those that are compared."""
    document = {
        "message": "Armed.",
        "problems": [PROBLEM],
        "diff": [{"path": "/etc/x", "before": "a", "after": "b"}],
    }
    return CommandOutcome(0, json.dumps({"piquet": 1, "verb": "arm", **evil(document), **more}), "")


@pytest.mark.parametrize("is_ok", [True, False])
def test_an_answer_of_a_host(is_ok: bool) -> None:
    """Its message, its problems with all their fields, and the names of its files."""
    result = as_result(parse_answer(answer(ok=is_ok), "arm", "web1", "python3"), "", True)
    shown = [
        result["msg"],
        run_summary_text.failure("web1", result),
        run_summary_text.diff_text("web1", result["diff"]),
    ]
    shown += [
        "\n".join(lines_of(Event("result", "agent", "Arm", "web1", result=result | {"show": result["msg"]})))
    ]
    assert [] == [line for text in shown for line in forged(text)]
    assert all("\\r" in text for text in shown)
    headers = {text for change in result["diff"] for key, text in change.items() if "header" in key}
    assert all(text.isprintable() for text in headers)


def test_a_row_of_a_table() -> None:
    """A host has one row, however many lines it writes."""
    course = RunSummary("arm")
    parsed = parse_answer(answer(ok=True, status={"state": EVIL}), "arm", "web1", "python3")
    course.feed(Event("result", "agent", "Arm", "web1", result=as_result(parsed, "", False)))
    table = run_summary_text.host_table(course.rows(), check=False)
    assert len(table.splitlines()) == 2 and forged(table) == []


def test_a_survey_and_a_rehearsal() -> None:
    """System, servers, caches, findings; links."""
    hostile = evil(SURVEY)
    hostile["findings"][0]["severity"] = "error"
    assert forged(survey_text("web1", hostile)) == []
    assert forged(links_text({"links": [EVIL], "path": EVIL, "sites": 3})) == []


def test_findings_and_problems() -> None:
    """Alone and gathered; errors that quote what was there."""
    finding = Finding("error", *[EVIL] * 6)  # type: ignore[arg-type]
    texts = [as_text(finding), *as_texts([finding, Finding("error", EVIL, "b" + EVIL, *[EVIL] * 4)])]  # type: ignore[arg-type]
    texts += [str(Problem(EVIL, 1, 1, EVIL, EVIL, EVIL, EVIL)), Unreachable("a", "b", EVIL, EVIL).label]
    assert [] == [line for text in texts for line in forged(text)]


@pytest.mark.parametrize(
    "stdout",
    [
        json.dumps({"piquet": EVIL, "verb": "arm"}),
        json.dumps({"piquet": 1, "verb": EVIL}),
        json.dumps({"piquet": 1, "verb": "arm", "status": {"entries": EVIL}}),
        json.dumps({"piquet": 1, "verb": "arm", "rehearsal": {EVIL: 1}}),
        json.dumps({"piquet": 1, "verb": "arm", "problems": [{"severity": "error"}, EVIL]}),
        EVIL,
    ],
)
def test_no_answer_in_the_agreed_form(stdout: str) -> None:
    """What was there instead is quoted."""
    with pytest.raises(HostError) as caught:
        parse_answer(CommandOutcome(1, stdout, EVIL), "arm", "web1", "python3")
    assert forged(str(caught.value)) == []


@pytest.mark.parametrize(
    ("kind", "action"),
    [("runner_on_unreachable", "piquet.fleet.agent"), ("runner_on_failed", "ansible.builtin.raw")],
)
def test_what_ssh_or_another_module_says(kind: str, action: str) -> None:
    """A banner of sshd, the output of a package manager: by ansible-runner's events."""
    detail = {"host": "web1", "resolved_action": action, "task": "Arm", "res": {"msg": EVIL}}
    events = list(Translator().events({"event": kind, "event_data": detail}))
    assert events and forged(run_summary_text.failure("web1", events[-1].result)) == []


def test_the_two_ways_to_write_a_text_of_others() -> None:
    """As a part of a line; as a part of a message."""
    assert in_one_line("a\tb\nc\x1b") == "a\\tb\\nc\\x1b"
    assert continued("a\nb\n\nc\n") == "a\n  | b\n  | \n  | c"
    assert continued("é one line") == "é one line"
