# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading side of an engine in a process of its own: hostile lines, early death, stopping, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from piquet.controller.events import Event
from piquet.engines import EngineRequest, start_engine
from piquet.engines.ansible_events import Translator
from piquet.engines.base import PATIENCE_S
from piquet.engines.processes import family, kill, mentioning
from piquet.engines.pyinfra import PyinfraDrive
from piquet.errors import EngineError

REQUEST = EngineRequest("hosts.yml", "web*", {"piquet_become": False}, check=True)


def runner(code: str) -> list[str]:
    """A program that writes what an engine's runner could write."""
    return [sys.executable, "-c", "import os, sys, signal, time\n" + textwrap.dedent(code)]


def heard(command: Sequence[str]) -> list[Event]:
    """All events up to the end."""
    with PyinfraDrive(command, REQUEST) as drive:
        return [event for event in drive.events() if event is not None]


def result(host: str, **values: object) -> Event:
    """A result of one host."""
    return Event("result", "agent", "Arm", host, result={"changed": True, **values})


def test_the_request_is_one_json_object_on_standard_input() -> None:
    """As agreed between the two."""
    (event,) = heard(
        runner(f"""
        import json
        line = {result("a").to_line()!r}
        value = json.loads(line)
        value["result"] = json.loads(sys.stdin.read())
        print(json.dumps(value))
    """)
    )
    expected = {"inventory": "hosts.yml", "limit": "web*", "variables": {"piquet_become": False}}
    assert event.result == expected | {"check": True, "diff": False}


def test_events_among_noise_are_heard_in_their_order() -> None:
    """Whatever else is written, between them or on standard error, is no event and stops nothing."""
    lines = [
        "", "{}", "[]", "null", "5", '{"kind": "result"}', "not json", "\\x1b[2J", "[" * 5_000,
        '{"kind": "kill", "action": "a", "step": "s"}', '{"kind": "start", "action": 1, "step": "s"}',
        '{"kind": "start", "action": "a", "step": "s", "names": 5}', '{"kind": "result", "action": "a", "step": "s", '
        '"result": []}', '{"kind": "start", "action": "a", "step": "s", "evil": 1}',
    ]  # fmt: skip
    events = [
        Event("start", "agent", "Arm", hosts=2, names=("a", "b")),
        result("b"),
        result("a", msg="\x1b[2J\n{}"),
    ]
    told = [line for event in events for line in (*lines, event.to_line())]
    assert events == heard(
        runner(f"""
        for line in {told!r}:
            print(line, flush=True)
            print("noise " + line[:40], file=sys.stderr, flush=True)
    """)
    )


def test_lines_that_are_cut_or_not_utf_8_are_no_events() -> None:
    """A runner that dies in the middle of a line tells what it told before."""
    whole = result("a").to_line()
    code = (
        f"os.write(1, {whole.encode()!r} + b'\\n' + b'\\xff\\xfe\\n' + {whole[:30].encode()!r}); os._exit(1)"
    )
    assert heard(runner(code)) == [result("a")]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("sys.exit('no inventory\\n')", "pyinfra could not run (it ended with 1)\n  | no inventory"),
        ("print('bad \\x1b[2J', file=sys.stderr); sys.exit(2)", "ended with 2)\n  | bad \\x1b[2J"),
        ("os.kill(os.getpid(), 9)", "ended with -9"),
    ],
)
def test_a_runner_without_results_is_an_error_with_its_words(code: str, said: str) -> None:
    """What it wrote is shown, not obeyed."""
    with pytest.raises(EngineError) as caught:
        heard(runner(code))
    assert said in str(caught.value)


def test_a_runner_that_dies_late_is_an_error_after_its_events() -> None:
    """What it told is heard first."""
    line = result("a").to_line()
    events = []
    with (
        PyinfraDrive(runner(f"print({line!r}, flush=True); os.kill(os.getpid(), 9)"), REQUEST) as drive,
        pytest.raises(EngineError, match="ended with -9"),
    ):
        events.extend(drive.events())
    assert [event for event in events if event] == [result("a")]


def test_a_runner_that_stops_when_asked() -> None:
    """It tells what it still has to tell; that it ends early is no error then."""
    line = result("late").to_line()
    code = f"""
        def end(*_):
            print({line!r}, flush=True)
            sys.exit(1)
        signal.signal(signal.SIGINT, end)
        print({result("early").to_line()!r}, flush=True)
        time.sleep(60)
    """
    with PyinfraDrive(runner(code), REQUEST) as drive:
        events = drive.events()
        assert next(event for event in events if event) == result("early")
        drive.stop()
        assert [event for event in events if event] == [result("late")]


def test_a_runner_that_will_not_stop_is_ended_with_its_children() -> None:
    """After its time is up; no process of its family stays."""
    code = """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        import subprocess
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        print(child.pid, file=sys.stderr, flush=True)
        print('{"kind": "start", "action": "agent", "step": "s"}', flush=True)
        time.sleep(600)
    """
    with PyinfraDrive(runner(code), REQUEST) as drive:
        events = drive.events()
        next(event for event in events if event)
        pid = int(noise_of(drive))
        begin = time.monotonic()
        drive.stop()
        assert time.monotonic() - begin >= PATIENCE_S
        assert list(events) in ([], [None])
    assert not family(pid)


def noise_of(drive: PyinfraDrive) -> str:
    """What the runner has said beside its events, which another thread reads: as soon as there is any."""
    until = time.monotonic() + PATIENCE_S
    while not (said := drive.noise()) and time.monotonic() < until:
        time.sleep(0.01)
    return said


def test_leaving_the_context_ends_everything() -> None:
    """Also when an error of ours ends it."""
    with pytest.raises(ZeroDivisionError), PyinfraDrive(runner("time.sleep(600)"), REQUEST) as drive:
        (pid,) = drive._pids()
        raise ZeroDivisionError
    assert not family(pid)


def test_a_nudge_wakes_the_reader_at_once() -> None:
    """A signal handler needs no patience."""
    with PyinfraDrive(runner("time.sleep(600)"), REQUEST) as drive:
        drive.nudge()
        begin = time.monotonic()
        assert next(drive.events()) is None
        assert time.monotonic() - begin < 0.9


def test_an_engine_that_does_not_exist_is_said() -> None:
    """And which there are."""
    with pytest.raises(EngineError, match="there are ansible, pyinfra"):
        start_engine("salt", "arm", REQUEST)


def test_processes_are_known_by_more_than_their_number(tmp_path: Path) -> None:
    """One that ended is not found; one that only has the same number is not killed."""
    child = subprocess.Popen(["sleep", "600"])
    (process,) = family(child.pid)
    other = type(process)(process.pid, process.parent, process.started + 1)
    kill([other])
    assert child.poll() is None and process.parent == os.getpid()
    kill([process])
    assert child.wait() == -signal.SIGKILL
    kill([process])
    assert mentioning(str(tmp_path / "nobody")) == []


def told(kind: str, action: str, task: str, **detail: object) -> dict[str, object]:
    """One event as ansible-runner hands it over."""
    return {"event": kind, "event_data": {"task_action": action, "task": task, **detail}}


SPEC, AGENT = "ansible.builtin.validate_argument_spec", "piquet.fleet.agent"


def test_ansibles_events_become_ours() -> None:
    """Hosts are known from the first task; steps lose the role's name, messages Ansible's introductions."""
    translator = Translator()
    stream = [
        told("runner_on_start", SPEC, "Validating", host="b"),
        told("runner_on_ok", SPEC, "Validating", host="b", res={"changed": False}),
        told("runner_on_ok", SPEC, "Validating", host="a", res={"changed": False}),
        told("playbook_on_task_start", AGENT, "piquet.fleet.arm : Arm"),
        told("runner_on_start", AGENT, "Arm", host="a"),
        told("runner_on_ok", AGENT, "Arm", host="a", res={"changed": True, "_ansible_no_log": False, "invocation": {}}),
        told("runner_on_unreachable", AGENT, "Arm", host="b",
             res={"msg": "Task failed: Failed to connect to the host via ssh: no route\x07"}),
        told("playbook_on_task_start", "piquet.fleet.tally", "arm : Count"),
        told("runner_on_failed", "piquet.fleet.tally", "Count", host="a",
             res={"msg": "Task failed: Action failed: 1 not"}),
    ]  # fmt: skip
    events = [event for data in stream for event in translator.events(data)]
    assert events == [
        Event("start", "agent", "Arm", hosts=2, names=("a", "b")),
        Event("start", "agent", "Arm", "a"),
        Event("result", "agent", "Arm", "a", result={"changed": True}),
        Event(
            "result",
            "agent",
            "Arm",
            "b",
            result={"msg": "no route\\x07", "unreachable": True, "changed": False},
        ),
        Event("start", "tally", "Count"),
        Event("result", "tally", "Count", result={"msg": "1 not", "failed": True}),
    ]


def test_a_wrong_variable_is_the_inventorys_fault() -> None:
    """Ansible's check of arguments is no step of ours, but its failure must not get lost."""
    data = told(
        "runner_on_failed", SPEC, "Validating", host="a", res={"msg": "Validation of arguments failed"}
    )
    (event,) = Translator().events(data)
    assert (event.host, event.result["failed"], event.result["kind"]) == ("a", True, "fleet")


@pytest.mark.parametrize("kind", ["verbose", "playbook_on_stats", "runner_on_ok", "runner_on_skipped", "EOF"])
def test_what_is_not_ours_is_no_event(kind: str) -> None:
    """Nor is what lacks everything."""
    assert list(Translator().events(told(kind, "ansible.builtin.debug", "x", host="a"))) == []
    assert list(Translator().events({"event": kind})) == []


def test_events_survive_the_way_through_a_pipe() -> None:
    """Any text, any host name."""
    event = Event("start", "agent", "x\n\u2028", "h\x00ö", 3, ("a", "b"), {"msg": "\ud800"})
    line = event.to_line()
    assert "\n" not in line and line.isascii()
    assert Event.from_line(line) == event
    with pytest.raises(ValueError, match="not an event"):
        Event.from_line(json.dumps({"kind": "start"}))


def test_an_engine_that_ends_before_all_is_set_up_is_no_endless_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the engine can be over before the last reader has begun: its end is heard nevertheless."""
    begin = threading.Thread.start

    def begin_and_dawdle(self: threading.Thread) -> None:
        begin(self)
        time.sleep(0.5)

    monkeypatch.setattr(threading.Thread, "start", begin_and_dawdle)
    event = result("a")
    assert heard(runner(f"print({event.to_line()!r})")) == [event]
