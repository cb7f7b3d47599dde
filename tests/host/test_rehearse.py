# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal: one secret on this host, half an hour at most, told to nobody but whoever asked; it disturbs no rule."""

from __future__ import annotations

import json
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from piquet import answers
from piquet.host import command_line, readiness, request, status_document
from piquet.host.outcome import Outcome, Request
from piquet.host.servers.nginx import hook_line
from piquet.host.state import manifest, rehearsal_tokens, rollback_stamp
from piquet.host.system import lock, processes
from piquet.host.verbs import reconcile, rehearse
from piquet.protocol.http import REHEARSAL_PREFIX, REHEARSAL_WORD
from tests.host.codes import codes
from tests.host.folder_host import PAGE, SITES, FolderHost

LATER = 2 * rehearsal_tokens.LIFE_S


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FolderHost]:
    """One running host for all tests here: rehearsals leave its configuration alone."""
    made = FolderHost(tmp_path_factory.mktemp("rehearsed"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def ready(shared: FolderHost) -> FolderHost:
    """A host with a staged bundle, whose phase begins in two hours; nothing is rehearsed, whatever was before."""
    shared.now = 1_000_000.0
    shared.reboot()
    shared.good("rollback")
    shared.hook()
    shared.stage(start=LATER * 2, end=LATER * 3)
    return shared


def begin(host: FolderHost, **options: Any) -> dict[str, Any]:
    """Rehearse; what the caller is told."""
    told = host.good("rehearse", **options).rehearsal
    assert told is not None
    return told


def files(host: FolderHost) -> list[str]:
    """Names of all passes."""
    return sorted(path.name for path in host.paths.rehearse.iterdir()) if host.paths.rehearse.is_dir() else []


def test_one_pass_is_made_and_told(ready: FolderHost) -> None:
    """A file that workers can open who know its name, in a folder that nobody can list; a link per sample of sites."""
    told = begin(ready)
    (name,) = files(ready)
    folder, file = ready.paths.rehearse.lstat(), (ready.paths.rehearse / name).lstat()
    modes = [stat.S_IMODE(x.st_mode) for x in (ready.paths.run.lstat(), folder, file)]
    assert (modes, stat.S_ISREG(file.st_mode)) == ([0o711, 0o711, 0o644], True)
    assert told == {
        "phase": 1,
        "until": 1_001_760,
        "path": REHEARSAL_PREFIX + name,
        "sites": 2,
        "links": [f"http://{site}:{ready.port}{REHEARSAL_PREFIX}{name}" for site in SITES],
    }
    assert not ready.paths.live.exists()


def test_the_agents_words_are_those_of_the_table() -> None:
    """What the agent makes is what the configuration looks for, and the cookie lives as long as the file at most."""
    made = (
        f"12-{'0af' * 10}b1{rehearsal_tokens.moments(1_795_880_456, rehearsal_tokens.until(1_795_880_456))}"
    )
    assert rehearsal_tokens._NAME.match(made) and re.fullmatch(REHEARSAL_WORD, made)
    assert f"Max-Age={rehearsal_tokens.LIFE_S};" in answers.rehearsal_cookie(made)
    when = "-1795880456"
    for wrong in (
        f"0-{'a' * 32}{when}",
        f"100-{'a' * 32}{when}",
        f"1-{'A' * 32}{when}",
        f"1-{'a' * 31}{when}",
        f"1-{'a' * 32}",
        f"1-{'a' * 32}{when * 4}",
        f"{made}\n",
        f"{made}/..",
    ):
        assert not rehearsal_tokens._NAME.match(wrong) and not re.fullmatch(REHEARSAL_WORD, wrong)


def test_a_new_rehearsal_replaces_the_old_one(ready: FolderHost) -> None:
    """There is one secret at a time, and never the same twice."""
    first, second = begin(ready), begin(ready)
    assert first["path"] != second["path"]
    assert [REHEARSAL_PREFIX + name for name in files(ready)] == [second["path"]]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 4096, b'{"boot_id": 1}'], ids=range(6))
def test_a_pass_that_cannot_be_read_ends_and_keeps_no_end_back(ready: FolderHost, content: bytes) -> None:
    """Whatever its file holds: it is over, and reconcile goes on to what it is there for."""
    begin(ready)
    (name,) = files(ready)
    (ready.paths.rehearse / name).write_bytes(content)
    assert ready.reconcile().is_changed
    assert files(ready) == []


@pytest.mark.parametrize("at", [1_000_000.0, 1_000_020.0, 1_000_019.999, 1_000_079.5])
def test_it_ends_at_a_full_minute_within_half_an_hour(ready: FolderHost, at: float) -> None:
    """Which is when the timer looks: until then it is good, from then on it is gone."""
    ready.now = at
    until = begin(ready)["until"]
    assert until % 60 == 0 and 1740 < until - at <= 1800
    ready.now = until - 0.001
    assert not ready.reconcile().is_changed and len(files(ready)) == 1
    ready.now = float(until)
    ended = ready.reconcile()
    assert (ended.is_changed, files(ready)) == (True, [])
    assert "EndRehearsal" in ended.message
    assert not ready.reconcile().is_changed


def test_a_clock_set_back_does_not_prolong_it(ready: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own clock counts too; and what lies in the future is over."""
    until, real = begin(ready)["until"], processes.uptime_s
    lasts_s = until - ready.now
    monkeypatch.setattr(processes, "uptime_s", lambda: real() + lasts_s - 5)
    ready.reconcile()
    assert len(files(ready)) == 1
    monkeypatch.setattr(processes, "uptime_s", lambda: real() + lasts_s)
    ready.reconcile()
    assert files(ready) == []
    monkeypatch.undo()
    begin(ready)
    ready.now -= 2
    ready.reconcile()
    assert files(ready) == []


def test_a_clock_set_forward_ends_it(ready: FolderHost) -> None:
    """By a day, say."""
    begin(ready)
    ready.now += 86_400
    ready.reconcile()
    assert files(ready) == []


def test_no_boot_brings_it_back(ready: FolderHost) -> None:
    """`/run` is emptied; where it is not, a pass of another boot is over."""
    begin(ready)
    (ready.root / "proc/sys/kernel/random/boot_id").write_text("another\n")
    ready.reconcile(boot=True)
    assert files(ready) == []


def test_what_is_no_pass_of_ours_is_taken_away(ready: FolderHost) -> None:
    """A file made by hand, a link, a folder, nonsense; the pass itself stays."""
    told = begin(ready)
    folder = ready.paths.rehearse
    (folder / f"1-{'0' * 32}").touch()
    (folder / f"1-{'1' * 32}").write_text("[]")
    (folder / f"1-{'2' * 32}").symlink_to(next(folder.glob("1-*")))
    (folder / "folder").mkdir()
    (folder / "folder/file").touch()
    ready.reconcile()
    assert [REHEARSAL_PREFIX + name for name in files(ready)] == [told["path"]]


@pytest.mark.parametrize("which", ["run", "rehearse", "both"])
def test_links_are_not_followed(ready: FolderHost, tmp_path: Path, which: str) -> None:
    """Where somebody has put a link in our place no secret is made, and nothing behind it is touched."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    (elsewhere / "folder/theirs").touch()
    (elsewhere / "folder").rename(elsewhere / ("folder" if which == "both" else "rehearse"))
    if which == "both":
        (elsewhere / "rehearse").symlink_to("folder")
    if which != "rehearse":
        ready.paths.run.symlink_to(elsewhere)
    else:
        ready.paths.run.mkdir(exist_ok=True)
        ready.paths.rehearse.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    assert codes(ready.ask("rehearse")) == {"not-begun"}
    ready.reconcile()
    ready.ask("rehearse", end=True)
    ready.ask("rollback")
    assert sorted(elsewhere.rglob("*")) == before
    if which != "rehearse":
        ready.paths.run.unlink()


def test_a_folder_that_others_can_write_is_refused(ready: FolderHost) -> None:
    """They could read the names, or take them away."""
    ready.paths.run.mkdir(exist_ok=True)
    ready.paths.rehearse.mkdir()
    ready.paths.rehearse.chmod(0o777)
    assert codes(ready.ask("rehearse")) == {"not-begun"}
    assert files(ready) == []


def _stage_another(host: FolderHost) -> None:
    digest, members = host.bundle(page=b"other", start=LATER * 2, end=LATER * 3)
    host.good("stage", members, plan_digest=digest)


def _fail_to_arm(host: FolderHost) -> None:
    """`armed.json` cannot be read, so reconcile disarms."""
    host.paths.armed.write_text("{")
    host.reconcile()


def _take_configuration_away(host: FolderHost) -> None:
    (host.root / "etc/piquet/nginx/server/piquet.conf").unlink()
    host.reconcile()


ENDS: dict[str, Callable[[FolderHost], object]] = {
    "end": lambda host: host.good("rehearse", end=True),
    "rollback": lambda host: host.good("rollback"),
    "remove": lambda host: host.good("remove"),
    "stage of another plan": _stage_another,
    "disarm": _fail_to_arm,
    "configuration deleted": _take_configuration_away,
    "reboot": lambda host: host.reboot(),
}


@pytest.mark.parametrize("how", ENDS)
def test_ways_to_end_it(ready: FolderHost, how: str) -> None:
    """Each sufficient alone."""
    begin(ready)
    ENDS[how](ready)
    assert files(ready) == []
    assert status_document.status_of(ready.machine())["rehearsal"] is None


def test_ends_say_whether_there_was_one(ready: FolderHost) -> None:
    """Changed the first time, not the second; check mode says what would be and touches nothing."""
    begin(ready)
    for verb in ("rehearse", "rollback"):
        assert ready.good(verb, check=True, end=True).is_changed
    assert len(files(ready)) == 1
    outcomes = [ready.good("rehearse", end=True) for _ in range(2)]
    assert [o.is_changed for o in outcomes] == [True, False]
    assert [o.message for o in outcomes] == ["The rehearsal is over.", "No rehearsal was on."]
    begin(ready)
    rolled = ready.good("rollback")
    assert rolled.is_changed and rolled.message == (
        "Nothing was armed; a rehearsal was ended: nothing will begin here; no site was asked, since nothing had begun."
    )
    assert not ready.good("rollback").is_changed
    assert not ready.good("rehearse", end=True, check=True).is_changed


def test_what_leaves_it_alone(ready: FolderHost) -> None:
    """Staging the same again, arming, and the line on the paper: only its holder sees it, and it ends by itself."""
    told = begin(ready)
    digest, members = ready.bundle(start=LATER * 2, end=LATER * 3)
    assert not ready.good("stage", members, plan_digest=digest).is_changed
    ready.good("arm", plan_digest=digest)
    again = ready.good("rehearse")
    assert codes(again) == {"armed"} and again.rehearsal is not None
    ready.paths.live.unlink()
    ready.paths.armed.unlink()
    ready.reconcile()
    assert len(files(ready)) == 1 and files(ready)[0] not in told["path"]


def test_it_disturbs_no_rule_of_flags(ready: FolderHost) -> None:
    """`/run/piquet` deleted is a stop by hand, with a rehearsal or without; a rehearsal brings no flag back."""
    digest = ready.bundle(start=LATER * 2, end=LATER * 3)[0]
    ready.good("arm", plan_digest=digest)
    begin(ready)
    for path in (ready.paths.live, *ready.paths.rehearse.iterdir()):
        path.unlink()
    begin(ready)  # /run/piquet is there again before anybody has noticed
    assert not ready.paths.live.exists()
    ready.reconcile()
    assert not ready.paths.armed.exists() and files(ready) == []
    assert status_document.status_of(ready.machine())["state"] == "stopped"


def test_a_boot_is_taken_up_behind_a_rehearsal(ready: FolderHost) -> None:
    """A rehearsal between the boot and its first reconcile is no sign of a stop."""
    ready.good("arm", plan_digest=ready.bundle(start=LATER * 2, end=LATER * 3)[0])
    ready.reboot()
    begin(ready)
    assert not ready.paths.live.exists()
    ready.reconcile(boot=True)
    assert ready.paths.live.exists() and len(files(ready)) == 1


def _spoil(host: FolderHost) -> None:
    host.paths.at(PAGE).write_text("other")


def _unhook(host: FolderHost) -> None:
    path = host.root / f"etc/nginx/sites-available/{SITES[1]}"
    path.write_bytes(hook_line.remove_hook(path.read_bytes(), host.paths.hook_include))


def _past(host: FolderHost) -> None:
    host.now += 10 * LATER


REFUSED: dict[str, tuple[Callable[[FolderHost], object], dict[str, Any]]] = {
    "not-staged": (lambda host: host.good("remove"), {}),
    "not-intact": (_spoil, {}),
    "other-plan": (lambda host: None, {"plan_digest": "0" * 64}),
    "not-hooked": (_unhook, {}),
    "no-such-phase": (lambda host: None, {"phase": 7}),
    "past": (_past, {}),
}


@pytest.mark.parametrize("code", REFUSED)
def test_refusals(ready: FolderHost, code: str) -> None:
    """What arm would refuse is no rehearsal; nothing is made, and one that is on goes on."""
    change, options = REFUSED[code]
    change(ready)
    outcome = ready.ask("rehearse", **options)
    assert (code in codes(outcome), outcome.is_ok, outcome.rehearsal) == (True, False, None)
    assert not ready.paths.rehearse.exists()


def test_the_plan_that_was_asked_for(ready: FolderHost) -> None:
    """Its digest is enough to pin it; without one whatever is staged is rehearsed."""
    begin(ready, plan_digest=ready.bundle(start=LATER * 2, end=LATER * 3)[0])
    begin(ready, plan_digest="")
    begin(ready, phase=1)


def test_check_mode_makes_no_secret(ready: FolderHost) -> None:
    """It says what would be."""
    before = ready.tree()
    outcome = ready.good("rehearse", check=True)
    assert (outcome.is_changed, outcome.rehearsal) == (True, None)
    assert outcome.message == "A rehearsal of phase 1 would begin."
    assert not ready.ask("rehearse", check=True, plan_digest="0" * 64).is_ok
    assert ready.tree() == before and not ready.paths.rehearse.exists()


def test_the_secret_is_in_the_answer_alone(ready: FolderHost) -> None:
    """Not in the message, a problem, the status, its sentence or the journal."""
    asked = request.parse_request({"verb": "rehearse", "at": ready.now})
    response = request.respond(ready.machine(), asked)
    secret = response.pop("rehearsal")["path"].split("-")[2]
    assert len(secret) == 32
    assert secret not in json.dumps(response)
    assert response["status"]["rehearsal"] == {"phase": 1, "until": 1_001_760}
    said = ready.good("status").message
    assert said.endswith(
        "Phase 1 is rehearsed until Mon 12 Jan 1970 14:16:00 UTC, seen by whoever has its cookie."
    )
    ready.good("rehearse", end=True)
    assert {"rehearsal-begun", "rehearsal-ended"} <= set(ready.journal())
    assert secret not in ready.paths.journal.read_text()
    assert secret not in "".join(p.read_text("latin-1") for p in ready.root.rglob("*.log"))


def test_a_failure_does_not_name_the_secret(ready: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the file system would."""
    begin(ready)
    (name,) = files(ready)

    def stays(path: Path) -> bool:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(rehearsal_tokens, "_remove", stays)
    ready.now += LATER
    for outcome in (ready.reconcile(), ready.ask("rehearse", end=True), ready.ask("rollback")):
        assert "rehearsal-stays" in codes(outcome) and not outcome.is_ok
        assert name not in json.dumps([finding.to_json() for finding in outcome.findings])
    assert name not in ready.paths.journal.read_text()


def test_a_rollback_meanwhile_wins(ready: FolderHost) -> None:
    """A rehearsal that hung and goes on afterwards makes nothing that stays."""
    hanging = ready.machine()
    time.sleep(0.01)
    rollback_stamp.stamp_rollback(ready.paths)
    outcome = rehearse.run(hanging, Request("rehearse"))
    assert codes(outcome) == {"not-begun"} and outcome.rehearsal is None
    assert files(ready) == []


def test_it_ends_while_somebody_holds_the_lock(ready: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own end and by somebody's; that the lock is held is said."""
    real = lock.locked
    for module in (rehearse, reconcile):
        monkeypatch.setattr(module, "locked", lambda paths: real(paths, wait_s=0.0))
    begin(ready)
    with real(ready.paths):
        assert codes(ready.ask("rehearse", end=True)) == {"locked"}
        assert files(ready) == []
    begin(ready)
    ready.now += rehearsal_tokens.LIFE_S
    with real(ready.paths):
        ready.reconcile()
        assert files(ready) == []


def test_open_file_cache_is_told(ready: FolderHost) -> None:
    """The end can be seen late there, and no reload is made for it."""
    file = ready.root / "etc/nginx/conf.d/cache.conf"
    file.write_text("open_file_cache max=100;\n")
    try:
        assert codes(ready.good("rehearse")) == {"open-file-cache"}
    finally:
        file.unlink()


def test_a_person_at_the_machine(
    ready: FolderHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence, then the links; the secret is no argument of any command."""
    monkeypatch.setattr(command_line, "this_machine", ready.machine)
    assert command_line.main(["rehearse", "--phase", "1"]) == 0
    (name,) = files(ready)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == (
        "Phase 1 (block) is rehearsed until Mon 12 Jan 1970 14:16:00 UTC, seen by whoever opens the link."
    )
    assert [line.strip().partition(name)[1] for line in out[1:]] == [name] * 2
    assert command_line.main(["rehearse", "--phase", "2"]) == 1
    assert command_line.main(["rehearse", "--end"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "The rehearsal is over."


def test_in_a_window_there_is_none(ready: FolderHost) -> None:
    """All sites in it: refused, armed or not, and nothing is made; one second before it begins, and once it is over."""
    digest = ready.stage(start=0, end=LATER, later=[(2 * LATER, 3 * LATER)])
    for _ in range(2):
        for phase in (0, 1, 2):
            for is_check in (False, True):
                outcome = ready.ask("rehearse", phase=phase, check=is_check)
                assert ("in-window" in codes(outcome), outcome.is_ok, outcome.rehearsal) == (
                    True,
                    False,
                    None,
                )
        assert files(ready) == []
        ready.good("arm", plan_digest=digest)
    ready.now -= 1
    assert begin(ready, phase=1)["sites"] == 2
    ready.now += 1 + LATER
    told = ready.good("rehearse")
    assert "in-window" not in codes(told) and told.rehearsal and told.rehearsal["phase"] == 2


def test_sites_outside_of_the_window_show_it(ready: FolderHost) -> None:
    """A warning says how many do not; links are told of the others only."""
    ready.stage(start=0, end=LATER, later=[(2 * LATER, 3 * LATER)], shares={SITES[0]: (2,)})
    outcome = ready.good("rehearse")
    assert [(f.code, f.severity) for f in outcome.findings] == [("in-window", "warning")]
    assert "1 of 2 sites show no rehearsal" in outcome.findings[0].message
    assert outcome.rehearsal and outcome.rehearsal["sites"] == 1
    assert [link.rpartition(":")[0] for link in outcome.rehearsal["links"]] == [f"http://{SITES[0]}"]


def test_a_window_that_begins_within_half_an_hour_is_told(ready: FolderHost) -> None:
    """From then on its sites show no rehearsal; silent where it begins later."""
    ready.stage(start=1700, end=LATER)
    assert codes(ready.good("rehearse")) == {"window-soon"}
    ready.stage(start=1800, end=LATER)
    assert codes(ready.good("rehearse")) == set()


def test_a_phase_in_which_nobody_takes_part(ready: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to see on this host, which is no failure of the fleet."""
    monkeypatch.setattr(manifest.Manifest, "entries", ())
    monkeypatch.setattr(readiness, "readiness", lambda *_: [])
    outcome: Outcome = ready.good("rehearse")
    assert (outcome.is_changed, outcome.rehearsal, files(ready)) == (False, None, [])
    assert outcome.message == "No site of this host takes part in phase 1: there is nothing to see."
