# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconcile on a real nginx: the end, stops by hand, reboots, and what it does when a site is still ours."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable

import pytest

from piquet.host.state import store
from piquet.host.system import files, lock
from piquet.host.verbs import reconcile
from tests.host.folder_host import DROPIN, HOUR_S, INCLUDED, PAGE, SITES, FolderHost
from tests.host.reconciling import make_it_stay, severity, without_hooks


def armed(host: FolderHost) -> dict[str, object]:
    """What armed.json says."""
    return store.read_state(host.paths.armed) or {}


def remove_live(host: FolderHost) -> None:
    """The shortest stop."""
    host.paths.live.unlink()


def remove_run(host: FolderHost) -> None:
    """All of it."""
    shutil.rmtree(host.paths.run)


def remove_flags(host: FolderHost) -> None:
    """One by one."""
    for site in SITES:
        (host.paths.live / site).unlink()


def paper(host: FolderHost) -> None:
    """The printed command."""
    host.paths.live.unlink()
    host.paths.armed.unlink()


def garble(host: FolderHost) -> None:
    """A disk error."""
    host.paths.armed.write_text("{")


@pytest.mark.parametrize("stop", [remove_live, remove_run, remove_flags, paper, garble])
def test_a_stop_by_hand_is_for_good(host: FolderHost, stop: Callable[[FolderHost], None]) -> None:
    """Normal at once, after reconcile, and after a reboot; nothing but a new arm brings it back."""
    digest = host.arm()
    assert host.is_ours()
    stop(host)
    assert stop is garble or not host.is_ours()
    host.reconcile()
    assert not host.is_ours()
    assert not host.paths.armed.exists()
    for _ in range(2):
        host.reboot()
        host.reconcile(boot=True)
        host.reconcile()
        assert not host.is_ours()
    assert host.good("arm", plan_digest=digest).is_changed
    assert host.is_ours()


def test_one_flag_stops_one_entry_for_good(host: FolderHost) -> None:
    """The other entries go on, also after a reboot."""
    host.arm()
    (host.paths.live / SITES[0]).unlink()
    assert [host.is_ours(site) for site in SITES] == [False, True]
    host.reconcile()
    assert list(armed(host)["stopped"]) == [SITES[0]]  # type: ignore[call-overload]
    host.reboot()
    assert not host.is_ours(SITES[1])
    host.reconcile(boot=True)
    assert [host.is_ours(site) for site in SITES] == [False, True]
    (host.paths.live / SITES[0]).touch()
    host.reconcile()
    assert not host.is_ours(SITES[0]), "a flag made by hand does not start anything again"


@pytest.mark.parametrize(("stop", "what"), [(remove_live, "every site"), (None, SITES[0])])
def test_a_new_arm_says_what_it_starts_again(
    host: FolderHost, stop: Callable[[FolderHost], None] | None, what: str
) -> None:
    """Arming the whole fleet again must not overrule a colleague unseen."""
    digest = host.arm()
    if stop:
        stop(host)
        host.reconcile()
    else:
        (host.paths.live / SITES[0]).unlink()
        host.reconcile()
        host.good("rollback")
    (told,) = (
        f for f in host.good("arm", plan_digest=digest, only_check=True).findings if f.code == "was-stopped"
    )
    assert (told.severity, told.got) == ("warning", what)
    host.good("arm", plan_digest=digest)
    host.good("rollback")
    assert host.good("arm", plan_digest=digest).findings == (), "a rollback of one's own is no news"


def test_a_stop_that_cannot_be_recorded_stops_the_host(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a full disk the choice is between too much and too little; it is too little."""
    host.arm()
    (host.paths.live / SITES[0]).unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_state", full)
    assert not host.reconcile().is_ok
    monkeypatch.undo()
    assert not host.is_ours(SITES[1])
    assert not host.paths.armed.exists()
    host.reboot()
    host.reconcile(boot=True)
    assert not host.paths.live.is_symlink()


def test_it_comes_back_after_a_power_cut_inside_the_window(host: FolderHost) -> None:
    """Armed, not stopped, intact, not over: the first reconcile after the boot puts the flags up, later ones none."""
    host.arm()
    host.reboot()
    assert not host.is_ours()
    host.reconcile(boot=True)
    assert host.is_ours()
    host.reconcile()
    assert host.is_ours()
    assert (host.paths.live / SITES[0]).stat().st_mode & 0o777 == 0o644


def test_it_does_not_come_back_after_the_end(host: FolderHost) -> None:
    """A power cut across the end."""
    host.arm()
    host.reboot()
    host.now += 2 * HOUR_S
    host.reconcile(boot=True)
    assert not host.is_ours()
    assert not host.paths.armed.exists()
    assert store.read_state(host.paths.ended)["reason"] == "ended"  # type: ignore[index]


def test_the_end_belongs_to_no_window(host: FolderHost) -> None:
    """The agent's own end is the lease's: up in the last second, ended in the next, and called so."""
    host.arm()
    host.now += HOUR_S - 1
    host.reconcile()
    assert host.paths.live.is_symlink()
    host.now += 1
    host.reconcile()
    assert not host.paths.live.is_symlink()
    assert store.read_state(host.paths.ended)["reason"] == "ended"  # type: ignore[index]


def test_the_end_waits_for_no_lock(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody hangs with the lock: inside the window nothing happens, from the end on the flags go."""
    host.arm()
    real = lock.locked
    monkeypatch.setattr(reconcile, "locked", lambda paths: real(paths, wait_s=0.0))
    with real(host.paths):
        host.reconcile()
        assert host.is_ours()
        host.now += HOUR_S
        assert {f.code for f in host.reconcile().findings} == {"locked"}
        assert not host.is_ours()


def test_it_does_not_come_back_changed(host: FolderHost) -> None:
    """What is no longer what was reviewed is not shown."""
    host.arm()
    host.paths.at(PAGE).write_text("other words")
    host.reboot()
    host.reconcile(boot=True)
    assert not host.is_ours()
    assert not host.paths.armed.exists()


def test_an_arm_that_died_half_way_is_a_release(host: FolderHost) -> None:
    """Flags that were never put up are never put up later, by whom or when ever."""
    host.arm()
    record = armed(host)
    record["boot"]["complete"] = False  # type: ignore[index]
    host.paths.live.unlink()
    store.write_state(host.paths.armed, record)
    host.reboot()
    host.reconcile(boot=True)
    assert not host.is_ours()
    assert not host.paths.armed.exists()


def test_the_end_is_journalled_and_confirmed_once(host: FolderHost) -> None:
    """At the start and at the end one site is asked; a quiet minute asks nobody."""
    host.hook()
    digest = host.stage(start=60, end=120)
    host.good("arm", plan_digest=digest)
    host.reconcile()
    assert host.journal()[-1] == "armed"
    host.now += 60
    host.reconcile()
    assert host.journal()[-1] == "start-confirmed"
    for _ in range(3):
        host.now += 10
        host.reconcile()
    assert host.journal()[-1] == "start-confirmed"
    host.now += 60
    host.reconcile()
    assert host.journal()[-2:] == ["disarmed", "release-confirmed"]
    host.reconcile()
    assert host.journal()[-1] == "release-confirmed"
    assert not host.is_ours()


def test_an_end_that_nobody_answers_is_confirmed_later(host: FolderHost) -> None:
    """A server that is stopped at the end proves nothing: said once, asked again, and our configuration stays."""
    host.arm()
    host.now += HOUR_S
    host.stop()
    wait_until(lambda: host.answer().is_unasked)
    for _ in range(2):
        assert {f.code for f in host.reconcile().findings} == {"release-unanswered"}
        assert severity(host.ask("status"), "release-unanswered") == "error"
        host.now += 60
    assert host.journal()[-2:] == ["disarmed", "release-unanswered"]
    assert host.paths.at(DROPIN).exists()
    host.start()
    assert host.reconcile().findings == ()
    assert host.journal()[-1] == "release-confirmed"


def test_a_site_that_closes_connections_has_answered(host: FolderHost) -> None:
    """`return 444` is as usual; it is not asked for ever."""
    path = host.root / f"etc/nginx/sites-available/{SITES[0]}"
    path.write_text(path.read_text().replace("return 200 'www.a.test'", "return 444"))
    host.machine().servers["nginx"].reload()
    host.arm()
    host.now += HOUR_S
    assert host.reconcile().findings == ()
    assert host.journal()[-1] == "release-confirmed"


def wait_until(is_so: Callable[[], bool]) -> None:
    """Give a process that was told to end a moment."""
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_start_that_does_not_happen_is_journalled(host: FolderHost) -> None:
    """Somebody's deploy took the hooks out: said once, repeated by status, and asked again until it is true."""
    host.arm()
    hooked = without_hooks(host, *SITES)
    for _ in range(2):
        assert {f.code for f in host.reconcile().findings} >= {"start-not-confirmed"}
    assert host.journal().count("start-not-confirmed") == 1
    assert host.journal().count("hook-missing") == 1
    said = host.ask("status")
    assert (said.is_ok, severity(said, "start-not-confirmed")) == (False, "error")
    for path, text in hooked.items():
        path.write_text(text)
    host.machine().servers["nginx"].reload()
    host.reconcile()
    assert host.journal()[-1] == "start-confirmed"
    assert host.good("status")


def test_one_site_with_a_mind_of_its_own_doubts_no_start(host: FolderHost) -> None:
    """Another one of the same server proves it; the one is told by the watch over hooks."""
    host.arm()
    without_hooks(host, SITES[0])
    assert {f.code for f in host.reconcile().findings} == {"hook-missing"}
    assert "start-confirmed" in host.journal()


def test_a_site_that_is_still_ours_after_the_end_is_taken_back(host: FolderHost) -> None:
    """Flags, then our configuration and a reload; seen, done and journalled; remove still leaves nothing."""
    before = host.tree()
    host.arm()
    make_it_stay(host)
    host.now += 2 * HOUR_S
    assert host.is_ours()
    outcome = host.reconcile()
    assert outcome.is_ok, [finding.to_json() for finding in outcome.findings]
    assert not host.is_ours()
    assert host.journal()[-2:] == ["configuration-moved-away", "escalated"]
    assert not host.paths.at(DROPIN).exists()
    assert not host.paths.at(INCLUDED).exists()
    assert host.machine().servers["nginx"].test().ok
    host.good("remove")
    left = {name: row for name, row in host.tree().items() if name not in before}
    assert left == {}


def test_nothing_breaks_an_escalation(host: FolderHost) -> None:
    """With somebody else's broken configuration it says that it could not reload, and tries again until it could."""
    host.arm()
    make_it_stay(host)
    broken = host.root / "etc/nginx/conf.d/broken.conf"
    broken.write_text("no such directive;\n")
    host.now += 2 * HOUR_S
    assert {f.code for f in host.reconcile().findings} == {"not-reloaded", "still-ours"}
    broken.unlink()
    host.now += 60
    assert host.reconcile().is_ok
    assert not host.is_ours()


def test_a_rollback_that_does_not_help_escalates_too(host: FolderHost) -> None:
    """Rollback looks at what the server really answers."""
    host.arm()
    make_it_stay(host)
    assert host.is_ours()
    host.good("rollback")
    assert not host.is_ours()


def test_no_verb_but_arm_starts_anything(host: FolderHost) -> None:
    """Hook, stage, status, reconcile, in any order: nothing is live before an arm, nothing after a rollback."""
    host.hook()
    digest = host.stage()
    for _ in range(2):
        for verb in ("status", "survey"):
            host.good(verb)
        host.reconcile(boot=True)
        host.reboot()
        host.reconcile(boot=True)
        assert not host.is_ours()
        assert not host.paths.live.is_symlink()
        host.good("arm", plan_digest=digest)
        assert host.is_ours()
        host.good("rollback")


def test_the_journal_names_no_person(host: FolderHost) -> None:
    """Roles and commands only."""
    host.arm()
    rows = [json.loads(line) for line in host.paths.journal.read_text().splitlines()]
    assert {row["role"] for row in rows} == {"controller"}
    assert host.paths.journal.stat().st_mode & 0o777 == 0o600
    assert all({"at", "utc", "verb", "event"} <= set(row) for row in rows)


def test_half_a_mark_is_taken_away_where_nothing_else_is(host: FolderHost) -> None:
    """It lies beside our folders, left by a death in the middle of an arm that was refused."""
    left = files.temporary(host.paths.boot_mark)
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("half")
    assert "Nothing of piquet" in host.reconcile().message
    assert not left.exists()


@pytest.mark.parametrize(
    "name",
    ["armed", "arming", "token", "ended", "boundaries", "checkpoint", "stopped", "seen", "live", "rehearse"],
)
def test_half_a_state_file_is_taken_away(host: FolderHost, name: str) -> None:
    """What a death between writing and renaming leaves beside any of our state goes with the next look."""
    host.arm()
    left = files.temporary(getattr(host.paths, name))
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("half")
    host.reconcile()
    assert not left.exists()
    assert host.is_ours()
