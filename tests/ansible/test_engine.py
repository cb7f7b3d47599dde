# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugins wrap: requests, answers, results, clock skew, tallies; without Ansible and without hosts."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from piquet.controller.answer import AgentAnswer, CommandOutcome, ToldChange, parse_answer
from piquet.controller.clock import judged_by_clock
from piquet.controller.host_results import as_table, attempt, bad, good, tally
from piquet.controller.rehearsal import links_text
from piquet.controller.request import hook_fields, make_request
from piquet.controller.result import as_result
from piquet.controller.store import read_members, write_members
from piquet.controller.survey import is_broken, survey_findings, survey_text, with_skew
from piquet.controller.verify import attempt as verify_attempt
from piquet.controller.verify import verify_command
from piquet.errors import BundleError, FleetError, HostError
from piquet.fleet.workdir import Workdir
from piquet.protocol.findings import Finding
from tests.unit.samples import block, nginx

PYTHON = "/usr/bin/python3"
FILES = {"/etc/nginx/nginx.conf": "ab"}


def document(**fields: Any) -> str:
    """An agent's answer to status, as it prints it."""
    base = {
        "piquet": 1,
        "verb": "status",
        "ok": True,
        "changed": False,
        "message": "all is well",
        "problems": [],
    }
    return json.dumps(base | fields)


def parse(rc: int, stdout: str, stderr: str = "") -> AgentAnswer:
    """Read an answer of host `web1` to status."""
    return parse_answer(CommandOutcome(rc, stdout, stderr), "status", "web1", PYTHON)


def test_answer_is_found_among_what_a_login_shell_prints() -> None:
    """Greetings before and after do not matter, nor does JSON that is not ours."""
    answer = parse(0, "Welcome {to} us\n{}\n" + document(message="here") + "\nbye\n")
    assert (answer.ok, answer.message) == (True, "here")


def test_a_failed_answer_keeps_its_problems() -> None:
    """Exit status 1 with an answer is an answer: the problems and hints reach people."""
    problem = {
        "severity": "error",
        "code": "config-broken",
        "subject": "web1",
        "message": "no",
        "hint": "mend it",
    }
    answer = parse(1, document(ok=False, problems=[problem]))
    assert answer.problems == (Finding("error", "config-broken", "web1", "no", hint="mend it"),)
    assert answer.text() == "all is well\nerror: web1: no [config-broken]\n\n  hint: mend it"


@pytest.mark.parametrize(
    ("rc", "stdout", "stderr", "said"),
    [
        (9, "", "mktemp: No space left on device", "hint: free space there"),
        (127, "", "sh: 1: /usr/bin/python3: not found", "hint: install python3 there"),
        (1, "", "sudo: a password is required", "hint: let the login become root"),
        (1, "", "ModuleNotFoundError: No module named 'zlib'", "cannot run the agent"),
        (1, "", "SyntaxError: invalid syntax", "hint: set piquet_python to a complete Python 3.8"),
        (137, "", "Killed", "ended with status 137 and no answer"),
        (0, document(ok=True, verb="arm"), "", "verb 'arm'; expected protocol 1, verb 'status'"),
        (0, document(piquet=2), "", "answered protocol 2"),
        (3, document(), "Traceback: late", "said ok but the agent ended with status 3"),
    ],
)
def test_no_answer_says_why_and_what_to_do(rc: int, stdout: str, stderr: str, said: str) -> None:
    """The host is named, the likely reason too, and what the host printed is shown."""
    with pytest.raises(HostError) as caught:
        parse(rc, stdout, stderr)
    assert said in str(caught.value) and "web1" in str(caught.value)
    assert stderr in str(caught.value)


def test_an_answer_is_not_ok_by_being_truthy() -> None:
    """Only a JSON true is a yes: a broken agent does not pass."""
    assert parse(1, document(ok="false")).ok is False


TRICKS = "\x1b]0;title\x07\x9b2J\nweb9  ok  armed"


REHEARSAL = {"phase": 1, "until": 1_800_000_000, "path": "/x", "sites": 2, "links": ["http://a.example/x"]}


def test_a_hostile_host_writes_nothing_that_a_terminal_obeys() -> None:
    """Escape sequences in an answer, or in what is printed instead of one, are shown, not carried out."""
    problem = {"severity": "error", "code": "c", "subject": TRICKS, "message": TRICKS, "got": TRICKS}
    status = {"state": TRICKS, "entries": []}
    answer = parse(1, document(ok=False, message=TRICKS, problems=[problem], status=status))
    table = as_table(tally(["web1"], [{"web1": as_result(answer, "piped", False)}], {}))
    with pytest.raises(HostError) as caught:
        parse(4, TRICKS, TRICKS)
    for text in (answer.text(), table, str(caught.value)):
        assert "\\x1b]0;title\\x07" in text
        assert not [char for char in text if not char.isprintable() and char != "\n"]
    assert len(table.splitlines()) == 2
    told = parse(0, document(rehearsal=REHEARSAL | {"links": [TRICKS]})).rehearsal
    assert links_text(told).startswith("  ") and "\x1b" not in links_text(told)


@pytest.mark.parametrize(
    "fields",
    [
        {"problems": [5]},
        {"problems": [{}]},
        {"status": [1]},
        {"status": {"state": "armed", "entries": [1]}},
        {"status": {"state": "armed", "entries": "many"}},
        {"survey": 3},
        {"diff": [{}]},
        {"rehearsal": [1]},
        {"rehearsal": {"phase": 1}},
        {"rehearsal": REHEARSAL | {"links": "https://a.example/"}},
        {"rehearsal": REHEARSAL | {"until": 10**30}},
        {"rehearsal": REHEARSAL | {"path": None}},
    ],
)
def test_an_answer_in_another_form_is_that_hosts_failure_alone(fields: dict[str, Any]) -> None:
    """It never gets as far as the table over all hosts, which would fail for everybody."""
    with pytest.raises(HostError, match="web1 answered, but not in the agreed form"):
        parse(0, document(**fields))


def test_an_answer_nested_without_end_is_no_answer() -> None:
    """It is skipped like any other text that is not ours."""
    assert parse(0, '{"a":' * 100_000 + "\n" + document()).ok


def test_a_problem_without_words_does_not_spoil_the_table() -> None:
    """Empty fields are left out of JSON, so none of them is taken for granted."""
    problem = {"severity": "error", "code": "c", "subject": "", "message": ""}
    answer = parse(1, document(ok=False, problems=[problem]))
    (row,) = tally(["web1"], [{"web1": as_result(answer, "piped", False)}], {})
    assert (row.word, row.detail) == ("failed", "all is well")


def test_request_holds_what_the_agent_needs_and_refuses_unknown_verbs() -> None:
    """Check and diff travel in the request; a typing mistake never reaches a host."""
    assert make_request("arm", "web1", 5.5, check=True, plan_digest="d") == {
        "verb": "arm", "check": True, "diff": False, "at": 5.5, "host": "web1", "plan_digest": "d",
    }  # fmt: skip
    with pytest.raises(HostError, match="no verb of the agent"):
        make_request("armed", "web1", 0.0)


def test_hook_sends_surveyed_digests_and_wants_a_survey() -> None:
    """Without a survey nothing is edited; an Apache host has no file to edit."""
    assert hook_fields("web1", {"nginx": {"files": FILES}}, {}) == {"files": FILES, "is_by_lua": False}
    assert hook_fields("web1", {"nginx": None}, {}) == {"files": {}, "is_by_lua": False}
    with pytest.raises(HostError, match=r"(?s)web1 has not been surveyed.*hint: first: piquet survey"):
        hook_fields("web1", None, {})


@pytest.mark.parametrize(
    ("wanted", "own", "is_by_lua"),
    [
        ("auto", [], True),
        ("auto", ["http sub_filter"], False),
        ("lua", ["http sub_filter"], True),
        ("include", [], False),
    ],
)
def test_nothing_is_hooked_where_lua_will_do(wanted: str, own: list[str], is_by_lua: bool) -> None:
    """As the plan chooses: by the inventory's word, else by what the survey says."""
    server = nginx(block(1, "www.example.org"), lua={"usable": True}, own=own, files=FILES)
    files = {} if is_by_lua else FILES
    assert hook_fields("web1", {"nginx": server}, {"piquet_nginx": wanted}) == {
        "files": files,
        "is_by_lua": is_by_lua,
    }


def test_an_unknown_way_is_an_error() -> None:
    """Nobody's files are edited for a slip of the pen."""
    with pytest.raises(
        FleetError, match=r"(?s)piquet_nginx.*expected: auto, include, lua.*luna.*did you mean lua"
    ):
        hook_fields("web1", {"nginx": None}, {"piquet_nginx": "luna"})


def test_result_is_in_ansibles_terms() -> None:
    """Changed and failed are the agent's, the diff has Ansible's keys and only when asked for."""
    changes = (ToldChange("/b", None, "new\n"), ToldChange("/a", "old\n", None))
    answer = AgentAnswer("hook", True, True, "hooked", (), changes, {"state": "absent"}, {})
    result = as_result(answer, "piped", show_diff=True)
    assert (result["changed"], result["failed"], result["msg"]) == (True, False, "hooked")
    assert result["diff"] == [
        {"before_header": "/a", "after_header": "/dev/null", "before": "old\n", "after": ""},
        {"before_header": "/dev/null", "after_header": "/b", "before": "", "after": "new\n"},
    ]
    assert "diff" not in as_result(answer, "piped", show_diff=False)


@pytest.mark.parametrize(
    ("at", "now", "expected"),
    [
        (1000.5, 1003.5, 0.0),  # read within the round trip: nothing proved
        (1005.0, 1008.0, 4.0),  # ahead: at least by what the round trip cannot explain
        (995.0, 998.0, -5.0),  # behind, read at once at the earliest
        (1001.5, 1004.5, 0.5),  # the survey itself took 3 of the 4 seconds
    ],
)
def test_skew_is_what_one_round_trip_proves(at: float, now: float, expected: float) -> None:
    """A slow connection or a long survey never looks like a wrong clock; a wrong clock does."""
    survey = {"at": at, "status": {"now": now}}
    assert with_skew(survey, 1000.0, 1004.0) == {**survey, "skew_s": expected}


@pytest.mark.parametrize(("now", "is_ok"), [(1000.0, True), (1006.0, True), (1006.1, False), (997.9, False)])
def test_arm_is_refused_only_for_a_skew_that_is_proven(now: float, is_ok: bool) -> None:
    """A round trip of 4 s and a limit of 2 s: what could be the way there is no reason, the rest is."""
    answer = AgentAnswer("arm", True, False, "could be armed", (), (), {"now": now}, {})
    judged = judged_by_clock(answer, 1000.0, 1004.0, 2.0)
    assert judged.ok is is_ok
    assert [problem.code for problem in judged.problems] == ([] if is_ok else ["clock-skew"])


def test_survey_summary_tells_what_matters() -> None:
    """Servers, counts, hooks, clock and findings, the worst first."""
    finding = {
        "severity": "warning",
        "code": "cache",
        "subject": "web1",
        "message": "a cache",
        "hint": "purge",
    }
    survey = {
        "os": {"id": "debian", "version": "12"}, "init": "systemd", "python": "3.11.2", "timezone": "UTC",
        "skew_s": -3.0, "caches": ["varnish"], "findings": [finding], "apache": None,
        "nginx": {"version": "1.22.1", "running": True, "test": {"ok": False},
                  "blocks": [{"names": ["a.example", "b.example"], "hooked": "ours"}, {"names": ["a.example"]}]},
    }  # fmt: skip
    assert survey_text("web1", survey) == (
        "web1: debian 12, systemd, Python 3.11.2, clock -3.0 s, UTC\n"
        "  nginx 1.22.1, running, test FAILS, 2 virtual hosts, 2 names, 1 hooked\n"
        "  caches: varnish\n"
        "  warning: web1: a cache [cache]\n  \n    hint: purge\n"
        "  warning: web1: what it says of nginx is not in the agreed form, so nothing of it was judged [not-judged]\n"
        "  \n    hint: survey it again with this version of piquet"
    )


@pytest.mark.parametrize(("is_apache_running", "codes"), [(True, {"config-broken"}), (False, set())])
def test_a_server_that_is_not_used_is_no_alarm(is_apache_running: bool, codes: set[str]) -> None:
    """Broken and running is an error; installed, broken and idle beside another that serves is passed over."""
    common = {"version": "1", "dropin_dir": "/x", "running": True, "test": {"ok": True}}
    nginx = {**common, "modules": ["http_geo", "http_map", "http_rewrite"], "blocks": []}
    apache = {**common, "modules": [], "vhosts": [], "test": {"ok": False}, "running": is_apache_running}
    survey = {"findings": [], "nginx": nginx, "apache": apache}
    assert {finding.code for finding in survey_findings("web1", survey)} == codes
    assert is_broken("web1", survey) is bool(codes)


def test_members_are_kept_privately_and_come_back_the_same(tmp_path: Path) -> None:
    """Bundles hold the bypass secret: nobody else reads them; a missing one says what to do."""
    page = bytes(range(256))
    name = f"files/{hashlib.sha256(page).hexdigest()}"
    workdir, members = Workdir(tmp_path / "w"), {"plan.json": b"{}\n", "manifest.json": b"1", name: page}
    file = write_members(workdir, "d" * 64, "web/1", members)
    write_members(workdir, "d" * 64, "web3", {**members, "manifest.json": b"3"})
    for kept in (file, file.parent / name):
        assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o077 == 0
    assert read_members(workdir, "d" * 64, "web/1") == members
    assert read_members(workdir, "d" * 64, "web3")["manifest.json"] == b"3"
    with pytest.raises(BundleError, match="no bundle for web2"):
        read_members(workdir, "d" * 64, "web2")
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(BundleError, match="damaged"):
        read_members(workdir, "d" * 64, "web/1")
    (file.parent / name).write_bytes(b"half")
    with pytest.raises(BundleError, match="damaged"):
        read_members(workdir, "d" * 64, "web3")
    (file.parent / name).unlink()
    with pytest.raises(BundleError, match="missing"):
        read_members(workdir, "d" * 64, "web3")


def test_what_hosts_have_in_common_is_kept_once(tmp_path: Path) -> None:
    """Three hundred hosts are not three hundred times the agent and the pages."""
    workdir, pages = Workdir(tmp_path / "w"), {f"files/{number}": bytes(9999) for number in range(3)}
    for host in range(30):
        write_members(workdir, "d" * 64, f"web{host}", {**pages, "manifest.json": b"%d" % host})
    kept = [path for path in workdir.bundle_dir("d" * 64).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size > 9000 for path in kept) == 3


def ok(state: str = "armed") -> dict[str, Any]:
    """A registered result of a host that did well."""
    entries = [{"key": "a", "flag": True}, {"key": "b", "flag": False}]
    return {"changed": True, "piquet": {"message": "done", "status": {"state": state, "entries": entries}}}


SKIPPED = {"skipped": True, "changed": False}
UNREACHABLE = {"unreachable": True, "msg": "Connection refused\nmore"}
FAILED = {"failed": True, "msg": "no"}


def test_every_host_is_in_the_table_with_its_own_word() -> None:
    """Unreachable, failed, skipped and lost hosts are told apart, and counted right."""
    rows = tally("edcba", [{"a": ok(), "b": UNREACHABLE, "c": FAILED, "d": SKIPPED}], {})
    assert [(row.host, row.word) for row in rows] == [
        ("a", "ok"), ("b", "unreachable"), ("c", "failed"), ("d", "skipped"), ("e", "not run"),
    ]  # fmt: skip
    assert (good(rows), bad(rows)) == (("a",), ("b", "c", "e"))
    assert as_table(rows).splitlines()[:3] == [
        "host  result       state",
        "a     ok           armed: 1 site, 1 WITHOUT A FLAG  done",
        "b     unreachable  unknown                          Connection refused",
    ]


def test_the_last_step_that_was_not_skipped_counts() -> None:
    """A host that failed the check and was then left out is still a failure."""
    rows = tally("ab", [{"a": FAILED, "b": ok("staged")}, {"a": SKIPPED, "b": ok()}], {})
    assert [(row.word, row.state) for row in rows] == [
        ("failed", "unknown"),
        ("ok", "armed: 1 site, 1 WITHOUT A FLAG"),
    ]


def test_a_host_whose_work_was_taken_back_is_no_success() -> None:
    """Undone hosts show the state after the undoing; an undoing that failed shows."""
    arm, undo = {"a": ok(), "b": FAILED, "c": ok(), "d": SKIPPED}, {"a": ok("stopped"), "b": ok("stopped")}
    rows = tally("abcd", [arm], undo | {"c": UNREACHABLE, "d": SKIPPED})
    assert [(row.word, row.state) for row in rows] == [
        ("undone", "stopped"), ("failed", "stopped"), ("unreachable", "unknown"), ("skipped", "-"),
    ]  # fmt: skip
    assert bad(rows) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("fail", "show", "failed", "is_shown"), [(True, "bad", True, True), (False, "never", False, False)]
)
def test_verdict_fails_only_when_asked(fail: bool, show: str, failed: bool, is_shown: bool) -> None:
    """A tally in the middle of a role counts silently; the one at its end decides."""
    arguments = {"title": "Armed", "fail": fail, "show": show, "advice": "look"}
    result = attempt(arguments, "ab", [{"a": ok(), "b": FAILED}], {})
    assert (result["failed"], bool(result["show"]), result["ok"], result["bad"]) == (
        failed,
        is_shown,
        ["a"],
        ["b"],
    )
    assert attempt(arguments, "a", [{"a": ok()}], {})["failed"] is False


def test_verify_runs_this_pythons_own_piquet_on_the_engines_hosts(tmp_path: Path) -> None:
    """Only what was asked for is on the command line; the baseline is compared by default if there is one."""
    given = {"campaign": "c.yml", "workdir": "w", "moment": "during", "baseline": "auto", "ca": ""}
    plain = verify_command(given, tmp_path / "hosts.json")
    assert plain[0] == sys.executable
    assert plain[3:] == ["verify", "c.yml", "-i", str(tmp_path / "hosts.json"), "--workdir", "w", "--during"]
    more = verify_command(given | {"baseline": "take", "ca": "ca.pem"}, tmp_path / "hosts.json")
    public = verify_command(given | {"public": True, "resolver": "9.9.9.9"}, tmp_path / "hosts.json")
    assert public[-3:] == ["--public", "--resolver", "9.9.9.9"]
    assert more[len(plain) :] == ["--baseline", "take", "--ca", "ca.pem"]


def test_verify_fails_with_the_reason_that_the_command_gives(tmp_path: Path) -> None:
    """A campaign that is not there is an error for people, and a failed result for the engine."""
    given = {
        "campaign": str(tmp_path / "none.yml"),
        "workdir": str(tmp_path),
        "moment": "now",
        "baseline": "auto",
    }
    result = verify_attempt(given | {"ca": ""}, {"web1": {}})
    assert result["failed"] is True and "none.yml" in result["show"]


def test_an_nginx_that_does_not_run_is_not_hooked() -> None:
    """Its files are nobody's sites, and stay untouched."""
    for running, files in ((True, FILES), (False, {})):
        server = nginx(block(1, "www.example.org"), running=running, files=FILES)
        assert hook_fields("web1", {"nginx": server}, {})["files"] == files
