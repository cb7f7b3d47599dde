# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs on a real nginx: what they promise, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from piquet.host import request, stop_now
from piquet.host.state import journal
from piquet.host.system import lock
from piquet.host.verbs import rollback
from tests.host.box import AGENT, DROPIN, HOUR_S, PAGE, SITES, Box
from tests.host.codes import codes


def test_a_round_leaves_everything_as_it_was(box: Box) -> None:
    """survey, hook, stage, arm, rollback, remove: usual, strike, usual; then not one byte or file is different."""
    before = box.tree()
    digest = box.arm()
    assert box.answer().mark == "test/1/block"
    assert box.good("rollback").is_changed
    assert box.answer().mark is None
    assert box.answer().status == 200
    outcome = box.good("remove")
    assert outcome.message == "Removed: nothing of piquet is left."
    assert box.tree() == before
    assert not box.paths.lib.exists()
    assert not box.paths.etc.exists()
    assert not (box.root / "usr").exists(), "folders that were made for one file go with it"
    assert len(digest) == 64


def test_the_journal_leaves_before_it_is_removed(box: Box) -> None:
    """Who keeps it is told all that is new, what remove itself does too; who does not ask is told nothing more."""
    box.arm()
    armed_at, box.now = box.now, box.now + 10
    asked = request.parse_request({"verb": "remove", "at": box.now, "journal_since": armed_at + 5})
    told = request.respond(box.machine(), asked)["journal"]
    assert not box.paths.journal.exists()
    assert ([line["event"] for line in told["records"]], told["cut"]) == (
        ["disarmed", "release-confirmed"],
        False,
    )
    assert "journal" not in request.respond(box.machine(), request.parse_request({"verb": "status"}))


def test_a_journal_tells_what_it_has_lost(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """One older file is kept; lines before that, and more than one answer holds, are said to be missing."""
    box.paths.lib.mkdir(parents=True)
    monkeypatch.setattr(journal, "ANSWER_MAX_RECORDS", 3)
    for number in range(4):
        journal.append(box.paths, float(number), "root", "arm", f"event-{number}")
    told, is_cut = journal.since(box.paths, 1.0)
    assert ([line["at"] for line in told], is_cut) == ([1.0, 2.0, 3.0], False)
    assert journal.since(box.paths, 0.0)[1]
    monkeypatch.setattr(journal, "JOURNAL_MAX_BYTES", 1)
    journal.append(box.paths, 4.0, "root", "arm", "event-4")
    assert [line["at"] for line in journal.since(box.paths, 3.0)[0]] == [3.0, 4.0]
    journal.append(box.paths, 5.0, "root", "arm", "event-5")
    told, is_cut = journal.since(box.paths, 3.0)
    assert ([line["at"] for line in told], is_cut) == ([4.0, 5.0], True)


def test_every_verb_is_idempotent(box: Box) -> None:
    """The second time nothing changes and nothing is written."""
    digest = box.arm()
    _, members = box.bundle()
    before = box.tree()
    assert not box.hook().is_changed
    assert not box.good("arm", plan_digest=digest).is_changed
    assert box.tree() == before
    box.good("rollback")
    assert not box.good("rollback").is_changed
    assert not box.good("stage", members, plan_digest=digest).is_changed
    assert box.good("unhook").is_changed
    assert not box.good("unhook").is_changed
    box.good("remove")
    assert not box.good("remove").is_changed


def test_check_mode_writes_nothing_and_shows_all(box: Box) -> None:
    """Check mode names every file that the real run changes, with text before and after, and touches none."""
    survey = box.good("survey").survey
    assert survey is not None
    files = survey["nginx"]["files"]
    digest, members = box.bundle()
    before, paths = box.tree(), set()
    for verb, options, extra in (
        ("hook", {"files": files}, None),
        ("stage", {"plan_digest": digest}, members),
    ):
        outcome = box.good(verb, extra, check=True, diff=True, **options)
        assert outcome.is_changed
        paths |= {row["path"] for row in outcome.diff}
        assert box.tree() == before
        assert not box.paths.lib.exists()
    box.good("hook", files=files)
    box.good("stage", members, plan_digest=digest)
    changed = {str(box.root / name) for name, row in box.tree().items() if before.get(name) != row}
    own = {str(box.paths.hooks), str(box.paths.installed)}
    assert changed - own == paths


def test_the_page_says_which_plan_it_belongs_to(box: Box) -> None:
    """The digest is filled in when the file is written."""
    digest = box.stage()
    assert box.paths.at(PAGE).read_text() == f"<h1>On strike</h1> plan {digest}\n"


def test_a_new_bundle_replaces_the_old_one_but_not_an_armed_one(box: Box) -> None:
    """Staging over an armed host is refused, over a stopped one it replaces every file."""
    box.arm()
    digest, members = box.bundle(page=b"other")
    refused = box.ask("stage", members, plan_digest=digest)
    assert codes(refused) == {"armed"}
    box.good("rollback")
    box.good("stage", members, plan_digest=digest)
    assert box.paths.at(PAGE).read_text().startswith("other")
    assert box.machine().paths.ended.exists()
    assert status(box)["state"] == "staged"


def test_the_armed_plan_can_be_staged_again_while_nothing_is_to_do(box: Box) -> None:
    """A playbook of all steps can run twice; a file that somebody changed is not put back under a running picket."""
    digest = box.arm()
    members = box.bundle()[1]
    for check in (True, False):
        again = box.ask("stage", members, plan_digest=digest, check=check)
        assert (again.is_ok, again.is_changed) == (True, False)
    assert status(box)["state"] == "armed"
    box.paths.at(PAGE).write_text("changed", "utf-8")
    assert codes(box.ask("stage", members, plan_digest=digest)) == {"armed"}
    assert box.paths.at(PAGE).read_text("utf-8") == "changed"


def test_arming_another_plan_is_refused(box: Box) -> None:
    """Only the plan that is staged can be armed, and only one at a time."""
    box.arm()
    assert codes(box.ask("arm", plan_digest="0" * 64)) == {"armed"}
    box.good("rollback")
    assert codes(box.ask("arm", plan_digest="0" * 64)) == {"other-plan"}


def status(box: Box) -> dict[str, object]:
    """The status document."""
    from piquet.host import status_document

    return status_document.status_of(box.machine())


def tamper(box: Box) -> None:
    """Change a staged file."""
    box.paths.at(PAGE).write_text("somebody was here")


def break_configuration(box: Box) -> None:
    """As a hurried edit leaves it."""
    (box.root / "etc/nginx/conf.d/broken.conf").write_text("no such directive;\n")


def unhook(box: Box) -> None:
    """A deploy of the owner's own text."""
    path = box.root / f"etc/nginx/sites-available/{SITES[1]}"
    path.write_text(path.read_text().replace("# piquet hook", "").replace("include /", "#"))


def hook_late(box: Box) -> None:
    """The owner moves a return before the hook."""
    path = box.root / f"etc/nginx/sites-available/{SITES[1]}"
    text = path.read_text()
    path.write_text(text.replace("server {", "server { if ($host = x) { return 404; }"))


def let_it_pass(box: Box) -> None:
    """The whole window is over."""
    box.now += 2 * HOUR_S


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (tamper, "not-intact"),
        (break_configuration, "configuration-broken"),
        (unhook, "not-hooked"),
        (hook_late, "hook-not-first"),
        (let_it_pass, "past"),
        (Box.stop, "not-running"),
    ],
)
def test_arming_is_refused(box: Box, spoil: object, code: str) -> None:
    """Each thing that would make a picket fail to start, or to end, is a reason of its own; nothing goes live."""
    box.hook()
    digest = box.stage()
    box.good("arm", plan_digest=digest, only_check=True)
    spoil(box)  # type: ignore[operator]
    for only_check in (True, False):
        assert code in codes(box.ask("arm", plan_digest=digest, only_check=only_check))
    assert not box.paths.live.is_symlink()
    assert not box.paths.armed.exists()


def test_a_wrong_clock_is_refused(box: Box) -> None:
    """The window is measured by the host's clock, so it must be the controller's."""
    box.hook()
    digest = box.stage()
    assert "clock-skew" in codes(box.ask("arm", plan_digest=digest, at=box.now - 3))
    assert box.good("arm", plan_digest=digest, at=box.now + 1.9).is_changed


def test_a_server_that_has_not_loaded_the_bundle_is_refused(box: Box) -> None:
    """Workers older than what was staged would show nothing."""
    box.hook()
    digest = box.stage()
    record = json.loads(box.paths.installed.read_text())
    time.sleep(0.2)
    record["staged"]["uptime_s"] = time.clock_gettime(time.CLOCK_BOOTTIME)
    box.paths.installed.write_text(json.dumps(record))
    assert "not-loaded" in codes(box.ask("arm", plan_digest=digest))
    box.good("stage", box.bundle()[1], plan_digest=digest)
    assert box.good("arm", plan_digest=digest).is_changed


def test_a_bundle_that_nginx_refuses_is_taken_back(box: Box) -> None:
    """The whole configuration is tested; on failure every file is as before and nginx serves as before."""
    box.hook()
    before = box.tree()
    digest, members = box.bundle(dropin="no_such_directive on;\n")
    outcome = box.ask("stage", members, plan_digest=digest)
    assert "configuration-broken" in codes(outcome)
    assert box.tree() == before
    assert box.answer().status == 200
    assert status(box)["servers"]["nginx"]["test_ok"]  # type: ignore[index]


def test_a_bundle_that_nginx_cannot_load_is_taken_back(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """nginx -t passes, the reload fails (a port that is taken): seen, since no new worker appears."""
    import socket

    from piquet.host.servers import web_server

    monkeypatch.setattr(web_server, "RELOAD_TIMEOUT_S", 2.0)
    box.hook()
    before = box.tree()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        digest, members = box.bundle(dropin=f"server {{ listen 127.0.0.1:{port}; }}\n")
        outcome = box.ask("stage", members, plan_digest=digest)
    assert {"configuration-broken", "not-reloaded"} & codes(outcome)
    assert box.tree() == before


@pytest.mark.parametrize("name", ["plan.json", "manifest.json", "files"])
def test_a_payload_that_is_not_what_was_promised_is_refused(still: Box, name: str) -> None:
    """plan digest → plan → manifest → file: one wrong byte anywhere and nothing is written."""
    digest, members = still.bundle()
    key = next(key for key in members if key.startswith(name))
    before = still.tree()
    outcome = still.ask("stage", {**members, key: members[key] + b" "}, plan_digest=digest)
    assert codes(outcome) == {"payload-mismatch"}
    assert still.tree() == before


def test_a_bundle_for_another_host_is_refused(still: Box) -> None:
    """The controller sends the wrong file: seen."""
    digest, members = still.bundle(host="other")
    assert codes(still.ask("stage", members, plan_digest=digest, host="box")) == {"payload-mismatch"}


def test_a_file_changed_since_the_survey_is_not_hooked(box: Box) -> None:
    """Somebody is working on it: nothing at all is hooked."""
    survey = box.good("survey").survey
    assert survey is not None
    path = box.root / f"etc/nginx/sites-available/{SITES[1]}"
    path.write_text(path.read_text() + "# edited\n")
    before = box.tree()
    assert codes(box.ask("hook", files=survey["nginx"]["files"])) == {"file-changed"}
    assert box.tree() == before


def test_a_survey_of_hooked_files_serves_after_a_remove(box: Box) -> None:
    """The owner has changed nothing, so the operator need not survey again to begin anew."""
    box.hook()
    survey = box.good("survey").survey
    assert survey is not None
    box.good("remove")
    assert box.good("hook", files=survey["nginx"]["files"]).is_changed
    box.good("unhook")


def test_what_an_owner_writes_after_the_hook_stays(box: Box) -> None:
    """Unhook takes out the line and nothing else; mode and symlinks stay; a site that was disabled is found too."""
    path = box.root / f"etc/nginx/sites-available/{SITES[0]}"
    path.chmod(0o640)
    box.hook()
    edited = path.read_bytes().replace(b"return 200", b"# new\r\n\treturn 200")
    path.write_bytes(edited)
    (box.root / f"etc/nginx/sites-enabled/{SITES[0]}").unlink()
    box.good("unhook")
    assert b"piquet" not in path.read_bytes()
    assert path.read_bytes().count(b"# new\r\n") == 1
    assert path.stat().st_mode & 0o777 == 0o640
    assert (box.root / f"etc/nginx/sites-enabled/{SITES[1]}").is_symlink()


def test_an_owners_own_hook_counts_and_stays(box: Box) -> None:
    """A template may carry the line; then we write nothing, and take nothing out."""
    path = box.root / f"etc/nginx/sites-available/{SITES[0]}"
    path.write_text(path.read_text().replace("{\n", f"{{\n\tinclude {box.paths.hook_include};\n", 1))
    text = path.read_text()
    box.hook()
    assert path.read_text() == text
    survey = box.good("survey").survey
    assert survey is not None
    assert {tuple(b["names"]): b["hooked"] for b in survey["nginx"]["blocks"]}[(SITES[0],)] == "owner"
    box.good("remove")
    assert path.read_text() == text


def test_rollback_works_with_a_broken_configuration_and_says_so(box: Box) -> None:
    """A release needs no test and no reload."""
    box.arm()
    assert box.is_ours()
    break_configuration(box)
    outcome = box.good("rollback")
    assert codes(outcome) == {"configuration-broken"}
    assert not box.is_ours()


def test_status_names_a_configuration_that_is_refused(box: Box) -> None:
    """An owner's directive that ours makes a duplicate, say: seen before the next reload, and by what it says."""
    box.hook()
    digest = box.stage()
    assert codes(box.good("status")) == set()
    break_configuration(box)
    (found,) = box.good("status").findings
    assert (found.code, found.severity) == ("configuration-broken", "warning")
    assert 'unknown directive "no"' in found.got
    (box.root / "etc/nginx/conf.d/broken.conf").unlink()
    box.good("arm", plan_digest=digest)
    assert codes(box.good("status")) == set()


def test_rollback_reloads_where_flags_are_cached(box: Box) -> None:
    """With open_file_cache a removed flag is seen late; a reload makes nginx forget it."""
    (box.root / "etc/nginx/conf.d/cache.conf").write_text(
        "open_file_cache max=100;\nopen_file_cache_valid 600s;\n"
    )
    box.arm()
    assert box.is_ours()
    assert "open-file-cache" in codes(box.good("rollback"))
    assert not box.is_ours()


def test_rollback_goes_on_while_somebody_holds_the_lock(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging agent must not keep a picket up: released, and the holder named."""
    box.arm()
    with lock.locked(box.paths):
        machine = box.machine()
        real = lock.locked
        monkeypatch.setattr(stop_now, "locked", lambda paths: real(paths, wait_s=0.1))
        from piquet.host.outcome import Request

        outcome = rollback.run(machine, Request("rollback"))
    assert codes(outcome) == {"locked"}
    assert str(os.getpid()) in outcome.findings[0].message
    assert not box.is_ours()
    assert not box.paths.armed.exists()


def test_remove_works_with_a_broken_configuration(box: Box) -> None:
    """What somebody else broke stays theirs; everything of ours goes, and what still runs is inert."""
    before = box.tree()
    box.arm()
    break_configuration(box)
    assert codes(box.good("remove")) >= {"not-reloaded"}
    (box.root / "etc/nginx/conf.d/broken.conf").unlink()
    assert box.tree() == before
    assert not box.is_ours()


def test_the_survey_document(box: Box) -> None:
    """What the plan needs of nginx."""
    (box.root / "etc/nginx/conf.d/hash.conf").write_text("map_hash_bucket_size 128;\n")
    survey = box.good("survey").survey
    assert survey is not None
    nginx = survey["nginx"]
    sizes = {"map_hash_max_size": None, "map_hash_bucket_size": 128}
    assert nginx["http"] == {**sizes, "flag_lag_s": 0, "timer_resolution_ms": None}
    assert nginx["dropin_dir"] == str(box.root / "etc/nginx/conf.d")
    assert {"http_map", "http_rewrite", "http_auth_request", "http_ssl"} <= set(nginx["modules"])
    assert "http_geoip" not in nginx["modules"], "built as a dynamic module, but not loaded"
    blocks = {tuple(block["names"]): block for block in nginx["blocks"]}
    assert set(blocks) == {(), (SITES[0],), (SITES[1],)}
    assert blocks[()]["listens"] == [
        {"address": "127.0.0.1", "port": box.port, "tls": False, "default": True, "proxy_protocol": False}
    ]
    assert Path(blocks[(SITES[0],)]["file"]).parent.name == "sites-available", "symlinks are resolved"
    assert nginx["running"]
    assert nginx["test"]["ok"]
    assert survey["status"]["state"] == "absent"
    assert not box.paths.lib.exists(), "a survey writes nothing"


def test_the_survey_of_apache(box: Box) -> None:
    """Names, aliases, wildcards and ports come from Apache itself; TLS is found in a snippet."""
    text = box.apache_conf.read_text()
    box.apache_conf.write_text(
        text.replace("  ServerName two.test:80", "  Include tls.inc\n  ServerName two.test:80")
    )
    survey = box.good("survey").survey
    assert survey is not None
    apache = survey["apache"]
    assert apache["dropin_dir"] == str(box.root / "etc/apache2/conf-enabled")
    found = {tuple(v["names"]): v["listens"][0] for v in apache["vhosts"]}
    assert set(found) == {("one.test", "*.one.test"), ("two.test", "alias.two.test")}
    assert found[("two.test", "alias.two.test")]["tls"]
    assert not found[("one.test", "*.one.test")]["tls"]
    assert found[("one.test", "*.one.test")] == {
        "address": "0.0.0.0", "port": box.apache_port, "tls": False, "default": True, "proxy_protocol": False
    }  # fmt: skip
    assert apache["trace"]
    assert {"headers_module", "rewrite_module"} <= set(apache["modules"])
    codes_found = {finding["code"] for finding in survey["findings"]}
    assert "name-not-selectable" in codes_found


def test_apache_is_reloaded_gracefully(still: Box) -> None:
    """New workers serve before reload returns; a stopped Apache is not started by us."""
    server = still.machine().servers["apache"]
    server.reload()
    assert not server.is_running()
    subprocess.run([*still.platform.packaged["apache"].command, "-k", "start"], check=True)
    try:
        deadline = time.monotonic() + 5
        while not still.machine().servers["apache"].is_running() and time.monotonic() < deadline:
            time.sleep(0.05)
        server = still.machine().servers["apache"]
        time.sleep(0.3)
        moment = time.clock_gettime(time.CLOCK_BOOTTIME)
        assert not server.is_loaded_since(moment)
        server.reload()
        assert server.is_loaded_since(moment)
    finally:
        still.stop()


def test_the_drop_in_is_the_only_file_beside_the_owners(box: Box) -> None:
    """Before hooks, staging adds one file to nginx's own folder and changes none."""
    before = {k: v for k, v in box.tree().items() if k.startswith("etc/nginx")}
    box.stage()
    after = {k: v for k, v in box.tree().items() if k.startswith("etc/nginx")}
    assert set(after) - set(before) == {DROPIN.lstrip("/")}
    assert {k: after[k] for k in before} == before


@pytest.mark.parametrize("agent", [b"#!/nonexistent/python3\n", b"#!/bin/sh\necho SyntaxError >&2; exit 1\n"])
def test_an_agent_that_the_schedule_cannot_run_is_not_armed(box: Box, agent: bytes) -> None:
    """The controller's own Python says nothing of the one that is named in the installed file."""
    box.hook()
    digest = box.stage(extra={AGENT: agent})
    outcome = box.ask("arm", plan_digest=digest)
    assert codes(outcome) == {"agent-does-not-run"}
    assert not box.is_ours()
