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
from tests.host.box import DROPIN, HOUR_S, INCLUDED, PAGE, SITES, Box
from tests.host.reconciling import make_it_stay, severity, without_hooks


def armed(box: Box) -> dict[str, object]:
    """What armed.json says."""
    return store.read_state(box.paths.armed) or {}


def remove_live(box: Box) -> None:
    """The shortest stop."""
    box.paths.live.unlink()


def remove_run(box: Box) -> None:
    """All of it."""
    shutil.rmtree(box.paths.run)


def remove_flags(box: Box) -> None:
    """One by one."""
    for site in SITES:
        (box.paths.live / site).unlink()


def paper(box: Box) -> None:
    """The printed command."""
    box.paths.live.unlink()
    box.paths.armed.unlink()


def garble(box: Box) -> None:
    """A disk error."""
    box.paths.armed.write_text("{")


@pytest.mark.parametrize("stop", [remove_live, remove_run, remove_flags, paper, garble])
def test_a_stop_by_hand_is_for_good(box: Box, stop: Callable[[Box], None]) -> None:
    """Normal at once, after reconcile, and after a reboot; nothing but a new arm brings it back."""
    digest = box.arm()
    assert box.is_ours()
    stop(box)
    assert stop is garble or not box.is_ours()
    box.reconcile()
    assert not box.is_ours()
    assert not box.paths.armed.exists()
    for _ in range(2):
        box.reboot()
        box.reconcile(boot=True)
        box.reconcile()
        assert not box.is_ours()
    assert box.good("arm", plan_digest=digest).is_changed
    assert box.is_ours()


def test_one_flag_stops_one_entry_for_good(box: Box) -> None:
    """The other entries go on, also after a reboot."""
    box.arm()
    (box.paths.live / SITES[0]).unlink()
    assert [box.is_ours(site) for site in SITES] == [False, True]
    box.reconcile()
    assert list(armed(box)["stopped"]) == [SITES[0]]  # type: ignore[call-overload]
    box.reboot()
    assert not box.is_ours(SITES[1])
    box.reconcile(boot=True)
    assert [box.is_ours(site) for site in SITES] == [False, True]
    (box.paths.live / SITES[0]).touch()
    box.reconcile()
    assert not box.is_ours(SITES[0]), "a flag made by hand does not start anything again"


@pytest.mark.parametrize(("stop", "what"), [(remove_live, "every site"), (None, SITES[0])])
def test_a_new_arm_says_what_it_starts_again(box: Box, stop: Callable[[Box], None] | None, what: str) -> None:
    """Arming the whole fleet again must not overrule a colleague unseen."""
    digest = box.arm()
    if stop:
        stop(box)
        box.reconcile()
    else:
        (box.paths.live / SITES[0]).unlink()
        box.reconcile()
        box.good("rollback")
    (told,) = (
        f for f in box.good("arm", plan_digest=digest, only_check=True).findings if f.code == "was-stopped"
    )
    assert (told.severity, told.got) == ("warning", what)
    box.good("arm", plan_digest=digest)
    box.good("rollback")
    assert box.good("arm", plan_digest=digest).findings == (), "a rollback of one's own is no news"


def test_a_stop_that_cannot_be_recorded_stops_the_host(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a full disk the choice is between too much and too little; it is too little."""
    box.arm()
    (box.paths.live / SITES[0]).unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_state", full)
    assert not box.reconcile().is_ok
    monkeypatch.undo()
    assert not box.is_ours(SITES[1])
    assert not box.paths.armed.exists()
    box.reboot()
    box.reconcile(boot=True)
    assert not box.paths.live.is_symlink()


def test_it_comes_back_after_a_power_cut_inside_the_window(box: Box) -> None:
    """Armed, not stopped, intact, not over: the first reconcile after the boot puts the flags up, later ones none."""
    box.arm()
    box.reboot()
    assert not box.is_ours()
    box.reconcile(boot=True)
    assert box.is_ours()
    box.reconcile()
    assert box.is_ours()
    assert (box.paths.live / SITES[0]).stat().st_mode & 0o777 == 0o644


def test_it_does_not_come_back_after_the_end(box: Box) -> None:
    """A power cut across the end."""
    box.arm()
    box.reboot()
    box.now += 2 * HOUR_S
    box.reconcile(boot=True)
    assert not box.is_ours()
    assert not box.paths.armed.exists()
    assert store.read_state(box.paths.ended)["reason"] == "ended"  # type: ignore[index]


def test_the_end_belongs_to_no_window(box: Box) -> None:
    """The agent's own end is the lease's: up in the last second, ended in the next, and called so."""
    box.arm()
    box.now += HOUR_S - 1
    box.reconcile()
    assert box.paths.live.is_symlink()
    box.now += 1
    box.reconcile()
    assert not box.paths.live.is_symlink()
    assert store.read_state(box.paths.ended)["reason"] == "ended"  # type: ignore[index]


def test_the_end_waits_for_no_lock(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody hangs with the lock: inside the window nothing happens, from the end on the flags go."""
    box.arm()
    real = lock.locked
    monkeypatch.setattr(reconcile, "locked", lambda paths: real(paths, wait_s=0.0))
    with real(box.paths):
        box.reconcile()
        assert box.is_ours()
        box.now += HOUR_S
        assert {f.code for f in box.reconcile().findings} == {"locked"}
        assert not box.is_ours()


def test_it_does_not_come_back_changed(box: Box) -> None:
    """What is no longer what was reviewed is not shown."""
    box.arm()
    box.paths.at(PAGE).write_text("other words")
    box.reboot()
    box.reconcile(boot=True)
    assert not box.is_ours()
    assert not box.paths.armed.exists()


def test_an_arm_that_died_half_way_is_a_release(box: Box) -> None:
    """Flags that were never put up are never put up later, by whom or when ever."""
    box.arm()
    record = armed(box)
    record["boot"]["complete"] = False  # type: ignore[index]
    box.paths.live.unlink()
    store.write_state(box.paths.armed, record)
    box.reboot()
    box.reconcile(boot=True)
    assert not box.is_ours()
    assert not box.paths.armed.exists()


def test_the_end_is_journalled_and_confirmed_once(box: Box) -> None:
    """At the start and at the end one site is asked; a quiet minute asks nobody."""
    box.hook()
    digest = box.stage(start=60, end=120)
    box.good("arm", plan_digest=digest)
    box.reconcile()
    assert box.journal()[-1] == "armed"
    box.now += 60
    box.reconcile()
    assert box.journal()[-1] == "start-confirmed"
    for _ in range(3):
        box.now += 10
        box.reconcile()
    assert box.journal()[-1] == "start-confirmed"
    box.now += 60
    box.reconcile()
    assert box.journal()[-2:] == ["disarmed", "release-confirmed"]
    box.reconcile()
    assert box.journal()[-1] == "release-confirmed"
    assert not box.is_ours()


def test_an_end_that_nobody_answers_is_confirmed_later(box: Box) -> None:
    """A server that is stopped at the end proves nothing: said once, asked again, and our configuration stays."""
    box.arm()
    box.now += HOUR_S
    box.stop()
    wait_until(lambda: box.answer().is_unasked)
    for _ in range(2):
        assert {f.code for f in box.reconcile().findings} == {"release-unanswered"}
        assert severity(box.ask("status"), "release-unanswered") == "error"
        box.now += 60
    assert box.journal()[-2:] == ["disarmed", "release-unanswered"]
    assert box.paths.at(DROPIN).exists()
    box.start()
    assert box.reconcile().findings == ()
    assert box.journal()[-1] == "release-confirmed"


def test_a_site_that_closes_connections_has_answered(box: Box) -> None:
    """`return 444` is as usual; it is not asked for ever."""
    path = box.root / f"etc/nginx/sites-available/{SITES[0]}"
    path.write_text(path.read_text().replace("return 200 'www.a.test'", "return 444"))
    box.machine().servers["nginx"].reload()
    box.arm()
    box.now += HOUR_S
    assert box.reconcile().findings == ()
    assert box.journal()[-1] == "release-confirmed"


def wait_until(is_so: Callable[[], bool]) -> None:
    """Give a process that was told to end a moment."""
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_start_that_does_not_happen_is_journalled(box: Box) -> None:
    """Somebody's deploy took the hooks out: said once, repeated by status, and asked again until it is true."""
    box.arm()
    hooked = without_hooks(box, *SITES)
    for _ in range(2):
        assert {f.code for f in box.reconcile().findings} >= {"start-not-confirmed"}
    assert box.journal().count("start-not-confirmed") == 1
    assert box.journal().count("hook-missing") == 1
    said = box.ask("status")
    assert (said.is_ok, severity(said, "start-not-confirmed")) == (False, "error")
    for path, text in hooked.items():
        path.write_text(text)
    box.machine().servers["nginx"].reload()
    box.reconcile()
    assert box.journal()[-1] == "start-confirmed"
    assert box.good("status")


def test_one_site_with_a_mind_of_its_own_doubts_no_start(box: Box) -> None:
    """Another one of the same server proves it; the one is told by the watch over hooks."""
    box.arm()
    without_hooks(box, SITES[0])
    assert {f.code for f in box.reconcile().findings} == {"hook-missing"}
    assert "start-confirmed" in box.journal()


def test_a_site_that_is_still_ours_after_the_end_is_taken_back(box: Box) -> None:
    """Flags, then our configuration and a reload; seen, done and journalled; remove still leaves nothing."""
    before = box.tree()
    box.arm()
    make_it_stay(box)
    box.now += 2 * HOUR_S
    assert box.is_ours()
    outcome = box.reconcile()
    assert outcome.is_ok, [finding.to_json() for finding in outcome.findings]
    assert not box.is_ours()
    assert box.journal()[-2:] == ["configuration-moved-away", "escalated"]
    assert not box.paths.at(DROPIN).exists()
    assert not box.paths.at(INCLUDED).exists()
    assert box.machine().servers["nginx"].test().ok
    box.good("remove")
    left = {name: row for name, row in box.tree().items() if name not in before}
    assert left == {}


def test_nothing_breaks_an_escalation(box: Box) -> None:
    """With somebody else's broken configuration it says that it could not reload, and tries again until it could."""
    box.arm()
    make_it_stay(box)
    broken = box.root / "etc/nginx/conf.d/broken.conf"
    broken.write_text("no such directive;\n")
    box.now += 2 * HOUR_S
    assert {f.code for f in box.reconcile().findings} == {"not-reloaded", "still-ours"}
    broken.unlink()
    box.now += 60
    assert box.reconcile().is_ok
    assert not box.is_ours()


def test_a_rollback_that_does_not_help_escalates_too(box: Box) -> None:
    """Rollback looks at what the server really answers."""
    box.arm()
    make_it_stay(box)
    assert box.is_ours()
    box.good("rollback")
    assert not box.is_ours()


def test_no_verb_but_arm_starts_anything(box: Box) -> None:
    """Hook, stage, status, reconcile, in any order: nothing is live before an arm, nothing after a rollback."""
    box.hook()
    digest = box.stage()
    for _ in range(2):
        for verb in ("status", "survey"):
            box.good(verb)
        box.reconcile(boot=True)
        box.reboot()
        box.reconcile(boot=True)
        assert not box.is_ours()
        assert not box.paths.live.is_symlink()
        box.good("arm", plan_digest=digest)
        assert box.is_ours()
        box.good("rollback")


def test_the_journal_names_no_person(box: Box) -> None:
    """Roles and commands only."""
    box.arm()
    rows = [json.loads(line) for line in box.paths.journal.read_text().splitlines()]
    assert {row["role"] for row in rows} == {"controller"}
    assert box.paths.journal.stat().st_mode & 0o777 == 0o600
    assert all({"at", "utc", "verb", "event"} <= set(row) for row in rows)


def test_half_a_mark_is_taken_away_where_nothing_else_is(box: Box) -> None:
    """It lies beside our folders, left by a death in the middle of an arm that was refused."""
    left = files.temporary(box.paths.boot_mark)
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("half")
    assert "Nothing of piquet" in box.reconcile().message
    assert not left.exists()


@pytest.mark.parametrize(
    "name",
    ["armed", "arming", "token", "ended", "boundaries", "checkpoint", "stopped", "seen", "live", "rehearse"],
)
def test_half_a_state_file_is_taken_away(box: Box, name: str) -> None:
    """What a death between writing and renaming leaves beside any of our state goes with the next look."""
    box.arm()
    left = files.temporary(getattr(box.paths, name))
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("half")
    box.reconcile()
    assert not left.exists()
    assert box.is_ours()
