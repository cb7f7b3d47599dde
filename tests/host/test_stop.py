# SPDX-License-Identifier: GPL-3.0-or-later
"""`stop SITE`: one site is back to normal for good, all others go on, and what is said of it was asked."""

from __future__ import annotations

import pytest

from piquet.host import stop_watch
from piquet.host.outcome import Outcome
from piquet.host.state import armed, flags, withdrawals
from piquet.host.status_document import status_of
from piquet.host.system import lock
from piquet.protocol.findings import Finding
from tests.host.box import HOUR_S, SITES, Box
from tests.host.codes import codes

FIRST, OTHER = SITES


def armed_box(box: Box, start: int = 0) -> str:
    """Armed, in its window or before it; the digest."""
    box.hook()
    digest = box.stage(start=start)
    box.good("arm", plan_digest=digest)
    return digest


def stop(box: Box, site: str = FIRST, **more: object) -> Outcome:
    """The verb."""
    return box.ask("stop", site=site, **more)


@pytest.mark.parametrize("written", [FIRST, FIRST.upper(), f"{FIRST}."])
def test_one_site_is_back_and_the_others_go_on(box: Box, written: str) -> None:
    """In the window, however people write its name; a reboot, a minute and `stage` bring nothing back, `arm` does."""
    digest = armed_box(box)
    outcome = stop(box, written)
    assert outcome.is_ok and outcome.is_changed and not outcome.findings
    assert outcome.message == "Stopped for good: it was asked and is as usual. All other sites go on."
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)
    box.now += 60
    box.reconcile()
    box.reboot()
    box.reconcile(boot=True)
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)
    again = stop(box)
    assert again.is_ok and not again.is_changed and "stopped before" in again.message
    assert "stopped-by-name" in box.journal()
    told = box.good("arm", plan_digest=digest)
    assert "was-stopped" in codes(told), "whoever arms again is told what that starts"
    assert box.is_ours(FIRST)


def test_a_withdrawal_outlives_every_arm(box: Box) -> None:
    """A reboot, a rollback, a new arm and a new bundle bring it not back; another campaign knows nothing of it."""
    digest = armed_box(box)
    gone = stop(box, is_withdrawn=True)
    assert gone.is_ok and gone.is_changed
    again = box.good("arm", plan_digest=digest)
    assert not again.is_changed, "nothing is to be started again"
    box.reboot()
    box.reconcile(boot=True)
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)
    box.good("rollback")
    told = box.good("arm", plan_digest=digest)
    assert told.is_changed and "was-stopped" not in codes(told)
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)
    box.now += 60
    box.reconcile()
    assert box.is_ours(OTHER), "a flag that never was up is no stop by hand"
    assert box.journal().count("withdrawn") == 1
    assert not stop(box, is_withdrawn=True).is_changed
    assert withdrawals.withdrawn_keys(box.paths, "another") == frozenset()
    box.good("rollback")
    assert "not-armed" not in codes(stop(box, OTHER, is_withdrawn=True)), "an arm would not start it"
    assert "all-withdrawn" in codes(box.ask("arm", plan_digest=digest))


def test_a_list_of_withdrawals_that_cannot_be_read_arms_nothing(box: Box) -> None:
    """Nor does one that cannot be written pass in silence; the site is stopped all the same."""
    digest = armed_box(box)
    box.paths.withdrawn.write_text("{")
    gone = stop(box, is_withdrawn=True)
    assert codes(gone) >= {"withdrawal-not-kept"} and not gone.is_ok
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)
    box.good("rollback")
    assert "withdrawals" in codes(box.ask("arm", plan_digest=digest))
    assert not box.is_ours(OTHER)


def test_a_stop_after_the_end_holds_though_the_clock_is_set_back(box: Box) -> None:
    """The clock runs ahead, somebody stops what is over by it, the clock is put right: no boot brings the site back."""
    armed_box(box)
    box.now += 2 * HOUR_S
    assert stop(box).is_changed
    box.now -= 2 * HOUR_S
    box.reboot()
    box.reconcile(boot=True)
    assert not box.is_ours(FIRST)
    assert status_of(box.machine())["state"] == "ended"


def test_before_the_window_nobody_says_that_it_was_asked(box: Box) -> None:
    """Nothing of it is in force, so nothing is claimed; in its window it stays usual."""
    armed_box(box, start=HOUR_S // 2)
    outcome = stop(box)
    assert outcome.is_changed and "not asked" in outcome.message and "as usual" not in outcome.message
    box.now += HOUR_S // 2
    box.reconcile()
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)


def test_a_flag_that_workers_may_remember_is_not_called_as_usual(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker shows the usual site; that the others were not reloaded is said, and nothing is claimed."""
    armed_box(box)
    stays = Finding("warning", "not-reloaded", "nginx", "It could not be reloaded.")
    monkeypatch.setattr(stop_watch, "_forget", lambda *_: (False, [stays]))
    outcome = stop(box)
    assert not box.is_ours(FIRST) and codes(outcome) == {"not-reloaded"}
    assert "not confirmed" in outcome.message and "as usual" not in outcome.message


def test_the_last_site_releases_the_host(box: Box) -> None:
    """A host without anything to show is not armed any more, and says so of sites that were asked."""
    armed_box(box)
    stop(box, OTHER)
    outcome = stop(box, FIRST)
    assert outcome.is_ok and "last site of this host" in outcome.message
    assert armed.current_arming(box.paths) is None and flags.up(box.paths) is None
    assert not box.is_ours(FIRST)


def test_check_mode_stops_nothing(box: Box) -> None:
    """It says what would be stopped."""
    armed_box(box)
    before = box.tree()
    outcome = stop(box, check=True)
    assert outcome.is_changed and outcome.message == f"{FIRST} would be stopped, all others would go on."
    assert box.tree() == before and box.is_ours(FIRST)


@pytest.mark.parametrize(
    ("site", "code"),
    [
        ("www.nobody.test", ""),
        ("", "no-site"),
        ("../../etc/passwd", ""),
        ("x.wild.test", "below-wildcard"),
    ],
)
def test_what_is_no_site_of_this_host_stops_nothing(box: Box, site: str, code: str) -> None:
    """Another host may show it; a name below a wildcard cannot go alone, and nobody may believe that it did."""
    served = f"server {{ listen 127.0.0.1:{box.port}; server_name *.wild.test; return 200 wild; }}\n"
    (box.root / "etc/nginx/conf.d/wild.conf").write_text(served)
    box.machine().servers["nginx"].reload()
    box.hook()
    digest = box.stage(wider=["*.wild.test"])
    box.good("arm", plan_digest=digest)
    before = box.tree()
    outcome = stop(box, site)
    assert codes(outcome) == ({code} if code else set())
    assert not outcome.is_changed and outcome.is_ok == (not code)
    assert code or outcome.message == f"{site} is no site of the campaign on this host."
    assert box.tree() == before


def test_on_a_host_that_is_not_armed_it_says_what_an_arm_would_do(box: Box) -> None:
    """Staged only: there is nothing to stop, and an arm would start that site too."""
    box.hook()
    box.stage()
    outcome = stop(box)
    assert outcome.is_ok and not outcome.is_changed
    assert codes(outcome) == {"not-armed"} and "exclude" in outcome.findings[0].hint


def test_its_flag_goes_while_somebody_hangs_with_the_lock(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Visitors see the site at once; that the stop was not recorded is an error that says what to do."""
    armed_box(box)
    monkeypatch.setattr(lock, "_acquire", _never)
    outcome = stop(box)
    assert codes(outcome) == {"not-recorded"} and not outcome.is_ok
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)
    monkeypatch.undo()
    box.reconcile()
    assert "stopped-by-hand" in box.journal(), "the next look records it"
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, True)


def _never(descriptor: int, paths: object, deadline: float, wait_s: float) -> None:
    raise lock._refusal(paths, wait_s)  # type: ignore[arg-type]


def test_what_cannot_be_recorded_releases_the_host(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little rather than too much."""
    armed_box(box)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(armed, "write_armed", full)
    outcome = stop(box)
    assert "state-not-written" in codes(outcome) and not outcome.is_ok
    assert (box.is_ours(FIRST), box.is_ours(OTHER)) == (False, False)
