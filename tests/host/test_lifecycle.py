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
from tests.host.codes import codes
from tests.host.folder_host import AGENT, DROPIN, HOUR_S, PAGE, SITES, FolderHost


def test_a_round_leaves_everything_as_it_was(host: FolderHost) -> None:
    """survey, hook, stage, arm, rollback, remove: usual, strike, usual; then not one byte or file is different."""
    before = host.tree()
    digest = host.arm()
    assert host.answer().mark == "test/1/block"
    assert host.good("rollback").is_changed
    assert host.answer().mark is None
    assert host.answer().status == 200
    outcome = host.good("remove")
    assert outcome.message == "Removed: nothing of piquet is left."
    assert host.tree() == before
    assert not host.paths.lib.exists()
    assert not host.paths.etc.exists()
    assert not (host.root / "usr").exists(), "folders that were made for one file go with it"
    assert len(digest) == 64


def test_the_journal_leaves_before_it_is_removed(host: FolderHost) -> None:
    """Who keeps it is told all that is new, what remove itself does too; who does not ask is told nothing more."""
    host.arm()
    armed_at, host.now = host.now, host.now + 10
    asked = request.parse_request({"verb": "remove", "at": host.now, "journal_since": armed_at + 5})
    told = request.respond(host.machine(), asked)["journal"]
    assert not host.paths.journal.exists()
    assert ([line["event"] for line in told["records"]], told["cut"]) == (
        ["disarmed", "release-confirmed"],
        False,
    )
    assert "journal" not in request.respond(host.machine(), request.parse_request({"verb": "status"}))


def test_a_journal_tells_what_it_has_lost(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """One older file is kept; lines before that, and more than one answer holds, are said to be missing."""
    host.paths.lib.mkdir(parents=True)
    monkeypatch.setattr(journal, "ANSWER_MAX_RECORDS", 3)
    for number in range(4):
        journal.append(host.paths, float(number), "root", "arm", f"event-{number}")
    told, is_cut = journal.since(host.paths, 1.0)
    assert ([line["at"] for line in told], is_cut) == ([1.0, 2.0, 3.0], False)
    assert journal.since(host.paths, 0.0)[1]
    monkeypatch.setattr(journal, "JOURNAL_MAX_BYTES", 1)
    journal.append(host.paths, 4.0, "root", "arm", "event-4")
    assert [line["at"] for line in journal.since(host.paths, 3.0)[0]] == [3.0, 4.0]
    journal.append(host.paths, 5.0, "root", "arm", "event-5")
    told, is_cut = journal.since(host.paths, 3.0)
    assert ([line["at"] for line in told], is_cut) == ([4.0, 5.0], True)


def test_every_verb_is_idempotent(host: FolderHost) -> None:
    """The second time nothing changes and nothing is written."""
    digest = host.arm()
    _, members = host.bundle()
    before = host.tree()
    assert not host.hook().is_changed
    assert not host.good("arm", plan_digest=digest).is_changed
    assert host.tree() == before
    host.good("rollback")
    assert not host.good("rollback").is_changed
    assert not host.good("stage", members, plan_digest=digest).is_changed
    assert host.good("unhook").is_changed
    assert not host.good("unhook").is_changed
    host.good("remove")
    assert not host.good("remove").is_changed


def test_check_mode_writes_nothing_and_shows_all(host: FolderHost) -> None:
    """Check mode names every file that the real run changes, with text before and after, and touches none."""
    survey = host.good("survey").survey
    assert survey is not None
    files = survey["nginx"]["files"]
    digest, members = host.bundle()
    before, paths = host.tree(), set()
    for verb, options, extra in (
        ("hook", {"files": files}, None),
        ("stage", {"plan_digest": digest}, members),
    ):
        outcome = host.good(verb, extra, check=True, diff=True, **options)
        assert outcome.is_changed
        paths |= {row["path"] for row in outcome.diff}
        assert host.tree() == before
        assert not host.paths.lib.exists()
    host.good("hook", files=files)
    host.good("stage", members, plan_digest=digest)
    changed = {str(host.root / name) for name, row in host.tree().items() if before.get(name) != row}
    own = {str(host.paths.hooks), str(host.paths.installed)}
    assert changed - own == paths


def test_the_page_says_which_plan_it_belongs_to(host: FolderHost) -> None:
    """The digest is filled in when the file is written."""
    digest = host.stage()
    assert host.paths.at(PAGE).read_text() == f"<h1>On strike</h1> plan {digest}\n"


def test_a_new_bundle_replaces_the_old_one_but_not_an_armed_one(host: FolderHost) -> None:
    """Staging over an armed host is refused, over a stopped one it replaces every file."""
    host.arm()
    digest, members = host.bundle(page=b"other")
    refused = host.ask("stage", members, plan_digest=digest)
    assert codes(refused) == {"armed"}
    host.good("rollback")
    host.good("stage", members, plan_digest=digest)
    assert host.paths.at(PAGE).read_text().startswith("other")
    assert host.machine().paths.ended.exists()
    assert status(host)["state"] == "staged"


def test_the_armed_plan_can_be_staged_again_while_nothing_is_to_do(host: FolderHost) -> None:
    """A playbook of all steps can run twice; a file that somebody changed is not put back under a running picket."""
    digest = host.arm()
    members = host.bundle()[1]
    for check in (True, False):
        again = host.ask("stage", members, plan_digest=digest, check=check)
        assert (again.is_ok, again.is_changed) == (True, False)
    assert status(host)["state"] == "armed"
    host.paths.at(PAGE).write_text("changed", "utf-8")
    assert codes(host.ask("stage", members, plan_digest=digest)) == {"armed"}
    assert host.paths.at(PAGE).read_text("utf-8") == "changed"


def test_arming_another_plan_is_refused(host: FolderHost) -> None:
    """Only the plan that is staged can be armed, and only one at a time."""
    host.arm()
    assert codes(host.ask("arm", plan_digest="0" * 64)) == {"armed"}
    host.good("rollback")
    assert codes(host.ask("arm", plan_digest="0" * 64)) == {"other-plan"}


def status(host: FolderHost) -> dict[str, object]:
    """The status document."""
    from piquet.host import status_document

    return status_document.status_of(host.machine())


def tamper(host: FolderHost) -> None:
    """Change a staged file."""
    host.paths.at(PAGE).write_text("somebody was here")


def break_configuration(host: FolderHost) -> None:
    """As a hurried edit leaves it."""
    (host.root / "etc/nginx/conf.d/broken.conf").write_text("no such directive;\n")


def unhook(host: FolderHost) -> None:
    """A deploy of the owner's own text."""
    path = host.root / f"etc/nginx/sites-available/{SITES[1]}"
    path.write_text(path.read_text().replace("# piquet hook", "").replace("include /", "#"))


def hook_late(host: FolderHost) -> None:
    """The owner moves a return before the hook."""
    path = host.root / f"etc/nginx/sites-available/{SITES[1]}"
    text = path.read_text()
    path.write_text(text.replace("server {", "server { if ($host = x) { return 404; }"))


def let_it_pass(host: FolderHost) -> None:
    """The whole window is over."""
    host.now += 2 * HOUR_S


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (tamper, "not-intact"),
        (break_configuration, "configuration-broken"),
        (unhook, "not-hooked"),
        (hook_late, "hook-not-first"),
        (let_it_pass, "past"),
        (FolderHost.stop, "not-running"),
    ],
)
def test_arming_is_refused(host: FolderHost, spoil: object, code: str) -> None:
    """Each thing that would make a picket fail to start, or to end, is a reason of its own; nothing goes live."""
    host.hook()
    digest = host.stage()
    host.good("arm", plan_digest=digest, only_check=True)
    spoil(host)  # type: ignore[operator]
    for only_check in (True, False):
        assert code in codes(host.ask("arm", plan_digest=digest, only_check=only_check))
    assert not host.paths.live.is_symlink()
    assert not host.paths.armed.exists()


def test_a_wrong_clock_is_refused(host: FolderHost) -> None:
    """The window is measured by the host's clock, so it must be the controller's."""
    host.hook()
    digest = host.stage()
    assert "clock-skew" in codes(host.ask("arm", plan_digest=digest, at=host.now - 3))
    assert host.good("arm", plan_digest=digest, at=host.now + 1.9).is_changed


def test_a_server_that_has_not_loaded_the_bundle_is_refused(host: FolderHost) -> None:
    """Workers older than what was staged would show nothing."""
    host.hook()
    digest = host.stage()
    record = json.loads(host.paths.installed.read_text())
    time.sleep(0.2)
    record["staged"]["uptime_s"] = time.clock_gettime(time.CLOCK_BOOTTIME)
    host.paths.installed.write_text(json.dumps(record))
    assert "not-loaded" in codes(host.ask("arm", plan_digest=digest))
    host.good("stage", host.bundle()[1], plan_digest=digest)
    assert host.good("arm", plan_digest=digest).is_changed


def test_a_bundle_that_nginx_refuses_is_taken_back(host: FolderHost) -> None:
    """The whole configuration is tested; on failure every file is as before and nginx serves as before."""
    host.hook()
    before = host.tree()
    digest, members = host.bundle(dropin="no_such_directive on;\n")
    outcome = host.ask("stage", members, plan_digest=digest)
    assert "configuration-broken" in codes(outcome)
    assert host.tree() == before
    assert host.answer().status == 200
    assert status(host)["servers"]["nginx"]["test_ok"]  # type: ignore[index]


def test_a_bundle_that_nginx_cannot_load_is_taken_back(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx -t passes, the reload fails (a port that is taken): seen, since no new worker appears."""
    import socket

    from piquet.host.servers import web_server

    monkeypatch.setattr(web_server, "RELOAD_TIMEOUT_S", 2.0)
    host.hook()
    before = host.tree()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        digest, members = host.bundle(dropin=f"server {{ listen 127.0.0.1:{port}; }}\n")
        outcome = host.ask("stage", members, plan_digest=digest)
    assert {"configuration-broken", "not-reloaded"} & codes(outcome)
    assert host.tree() == before


@pytest.mark.parametrize("name", ["plan.json", "manifest.json", "files"])
def test_a_payload_that_is_not_what_was_promised_is_refused(still: FolderHost, name: str) -> None:
    """plan digest → plan → manifest → file: one wrong byte anywhere and nothing is written."""
    digest, members = still.bundle()
    key = next(key for key in members if key.startswith(name))
    before = still.tree()
    outcome = still.ask("stage", {**members, key: members[key] + b" "}, plan_digest=digest)
    assert codes(outcome) == {"payload-mismatch"}
    assert still.tree() == before


def test_a_bundle_for_another_host_is_refused(still: FolderHost) -> None:
    """The controller sends the wrong file: seen."""
    digest, members = still.bundle(name="other")
    assert codes(still.ask("stage", members, plan_digest=digest, host="host")) == {"payload-mismatch"}


def test_a_file_changed_since_the_survey_is_not_hooked(host: FolderHost) -> None:
    """Somebody is working on it: nothing at all is hooked."""
    survey = host.good("survey").survey
    assert survey is not None
    path = host.root / f"etc/nginx/sites-available/{SITES[1]}"
    path.write_text(path.read_text() + "# edited\n")
    before = host.tree()
    assert codes(host.ask("hook", files=survey["nginx"]["files"])) == {"file-changed"}
    assert host.tree() == before


def test_a_survey_of_hooked_files_serves_after_a_remove(host: FolderHost) -> None:
    """The owner has changed nothing, so the operator need not survey again to begin anew."""
    host.hook()
    survey = host.good("survey").survey
    assert survey is not None
    host.good("remove")
    assert host.good("hook", files=survey["nginx"]["files"]).is_changed
    host.good("unhook")


def test_what_an_owner_writes_after_the_hook_stays(host: FolderHost) -> None:
    """Unhook takes out the line and nothing else; mode and symlinks stay; a site that was disabled is found too."""
    path = host.root / f"etc/nginx/sites-available/{SITES[0]}"
    path.chmod(0o640)
    host.hook()
    edited = path.read_bytes().replace(b"return 200", b"# new\r\n\treturn 200")
    path.write_bytes(edited)
    (host.root / f"etc/nginx/sites-enabled/{SITES[0]}").unlink()
    host.good("unhook")
    assert b"piquet" not in path.read_bytes()
    assert path.read_bytes().count(b"# new\r\n") == 1
    assert path.stat().st_mode & 0o777 == 0o640
    assert (host.root / f"etc/nginx/sites-enabled/{SITES[1]}").is_symlink()


def test_an_owners_own_hook_counts_and_stays(host: FolderHost) -> None:
    """A template may carry the line; then we write nothing, and take nothing out."""
    path = host.root / f"etc/nginx/sites-available/{SITES[0]}"
    path.write_text(path.read_text().replace("{\n", f"{{\n\tinclude {host.paths.hook_include};\n", 1))
    text = path.read_text()
    host.hook()
    assert path.read_text() == text
    survey = host.good("survey").survey
    assert survey is not None
    assert {tuple(b["names"]): b["hooked"] for b in survey["nginx"]["blocks"]}[(SITES[0],)] == "owner"
    host.good("remove")
    assert path.read_text() == text


def test_rollback_works_with_a_broken_configuration_and_says_so(host: FolderHost) -> None:
    """A release needs no test and no reload."""
    host.arm()
    assert host.is_ours()
    break_configuration(host)
    outcome = host.good("rollback")
    assert codes(outcome) == {"configuration-broken"}
    assert not host.is_ours()


def test_status_names_a_configuration_that_is_refused(host: FolderHost) -> None:
    """An owner's directive that ours makes a duplicate, say: seen before the next reload, and by what it says."""
    host.hook()
    digest = host.stage()
    assert codes(host.good("status")) == set()
    break_configuration(host)
    (found,) = host.good("status").findings
    assert (found.code, found.severity) == ("configuration-broken", "warning")
    assert 'unknown directive "no"' in found.got
    (host.root / "etc/nginx/conf.d/broken.conf").unlink()
    host.good("arm", plan_digest=digest)
    assert codes(host.good("status")) == set()


def test_rollback_reloads_where_flags_are_cached(host: FolderHost) -> None:
    """With open_file_cache a removed flag is seen late; a reload makes nginx forget it."""
    (host.root / "etc/nginx/conf.d/cache.conf").write_text(
        "open_file_cache max=100;\nopen_file_cache_valid 600s;\n"
    )
    host.arm()
    assert host.is_ours()
    assert "open-file-cache" in codes(host.good("rollback"))
    assert not host.is_ours()


def test_rollback_goes_on_while_somebody_holds_the_lock(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hanging agent must not keep a picket up: released, and the holder named."""
    host.arm()
    with lock.locked(host.paths):
        machine = host.machine()
        real = lock.locked
        monkeypatch.setattr(stop_now, "locked", lambda paths: real(paths, wait_s=0.1))
        from piquet.host.outcome import Request

        outcome = rollback.run(machine, Request("rollback"))
    assert codes(outcome) == {"locked"}
    assert str(os.getpid()) in outcome.findings[0].message
    assert not host.is_ours()
    assert not host.paths.armed.exists()


def test_remove_works_with_a_broken_configuration(host: FolderHost) -> None:
    """What somebody else broke stays theirs; everything of ours goes, and what still runs is inert."""
    before = host.tree()
    host.arm()
    break_configuration(host)
    assert codes(host.good("remove")) >= {"not-reloaded"}
    (host.root / "etc/nginx/conf.d/broken.conf").unlink()
    assert host.tree() == before
    assert not host.is_ours()


def test_the_survey_document(host: FolderHost) -> None:
    """What the plan needs of nginx."""
    (host.root / "etc/nginx/conf.d/hash.conf").write_text("map_hash_bucket_size 128;\n")
    survey = host.good("survey").survey
    assert survey is not None
    nginx = survey["nginx"]
    sizes = {"map_hash_max_size": None, "map_hash_bucket_size": 128}
    assert nginx["http"] == {**sizes, "flag_lag_s": 0, "timer_resolution_ms": None}
    assert nginx["dropin_dir"] == str(host.root / "etc/nginx/conf.d")
    assert {"http_map", "http_rewrite", "http_auth_request", "http_ssl"} <= set(nginx["modules"])
    assert "http_geoip" not in nginx["modules"], "built as a dynamic module, but not loaded"
    blocks = {tuple(block["names"]): block for block in nginx["blocks"]}
    assert set(blocks) == {(), (SITES[0],), (SITES[1],)}
    assert blocks[()]["listens"] == [
        {"address": "127.0.0.1", "port": host.port, "tls": False, "default": True, "proxy_protocol": False}
    ]
    assert Path(blocks[(SITES[0],)]["file"]).parent.name == "sites-available", "symlinks are resolved"
    assert nginx["running"]
    assert nginx["test"]["ok"]
    assert survey["status"]["state"] == "absent"
    assert not host.paths.lib.exists(), "a survey writes nothing"


def test_the_survey_of_apache(host: FolderHost) -> None:
    """Names, aliases, wildcards and ports come from Apache itself; TLS is found in a snippet."""
    text = host.apache_conf.read_text()
    host.apache_conf.write_text(
        text.replace("  ServerName two.test:80", "  Include tls.inc\n  ServerName two.test:80")
    )
    survey = host.good("survey").survey
    assert survey is not None
    apache = survey["apache"]
    assert apache["dropin_dir"] == str(host.root / "etc/apache2/conf-enabled")
    found = {tuple(v["names"]): v["listens"][0] for v in apache["vhosts"]}
    assert set(found) == {("one.test", "*.one.test"), ("two.test", "alias.two.test")}
    assert found[("two.test", "alias.two.test")]["tls"]
    assert not found[("one.test", "*.one.test")]["tls"]
    assert found[("one.test", "*.one.test")] == {
        "address": "0.0.0.0", "port": host.apache_port, "tls": False, "default": True, "proxy_protocol": False
    }  # fmt: skip
    assert apache["trace"]
    assert {"headers_module", "rewrite_module"} <= set(apache["modules"])
    codes_found = {finding["code"] for finding in survey["findings"]}
    assert "name-not-selectable" in codes_found


def test_apache_is_reloaded_gracefully(still: FolderHost) -> None:
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


def test_the_drop_in_is_the_only_file_beside_the_owners(host: FolderHost) -> None:
    """Before hooks, staging adds one file to nginx's own folder and changes none."""
    before = {k: v for k, v in host.tree().items() if k.startswith("etc/nginx")}
    host.stage()
    after = {k: v for k, v in host.tree().items() if k.startswith("etc/nginx")}
    assert set(after) - set(before) == {DROPIN.lstrip("/")}
    assert {k: after[k] for k in before} == before


@pytest.mark.parametrize("agent", [b"#!/nonexistent/python3\n", b"#!/bin/sh\necho SyntaxError >&2; exit 1\n"])
def test_an_agent_that_the_schedule_cannot_run_is_not_armed(host: FolderHost, agent: bytes) -> None:
    """The controller's own Python says nothing of the one that is named in the installed file."""
    host.hook()
    digest = host.stage(extra={AGENT: agent})
    outcome = host.ask("arm", plan_digest=digest)
    assert codes(outcome) == {"agent-does-not-run"}
    assert not host.is_ours()
