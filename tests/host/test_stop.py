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
from tests.host.codes import codes
from tests.host.folder_host import HOUR_S, SITES, FolderHost

FIRST, OTHER = SITES


def armed_box(host: FolderHost, start: int = 0) -> str:
    """Armed, in its window or before it; the digest."""
    host.hook()
    digest = host.stage(start=start)
    host.good("arm", plan_digest=digest)
    return digest


def stop(host: FolderHost, site: str = FIRST, **more: object) -> Outcome:
    """The verb."""
    return host.ask("stop", site=site, **more)


@pytest.mark.parametrize("written", [FIRST, FIRST.upper(), f"{FIRST}."])
def test_one_site_is_back_and_the_others_go_on(host: FolderHost, written: str) -> None:
    """In the window, however people write its name; a reboot, a minute and `stage` bring nothing back, `arm` does."""
    digest = armed_box(host)
    outcome = stop(host, written)
    assert outcome.is_ok and outcome.is_changed and not outcome.findings
    assert outcome.message == "Stopped for good: it was asked and is as usual. All other sites go on."
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)
    host.now += 60
    host.reconcile()
    host.reboot()
    host.reconcile(boot=True)
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)
    again = stop(host)
    assert again.is_ok and not again.is_changed and "stopped before" in again.message
    assert "stopped-by-name" in host.journal()
    told = host.good("arm", plan_digest=digest)
    assert "was-stopped" in codes(told), "whoever arms again is told what that starts"
    assert host.is_ours(FIRST)


def test_a_withdrawal_outlives_every_arm(host: FolderHost) -> None:
    """A reboot, a rollback, a new arm and a new bundle bring it not back; another campaign knows nothing of it."""
    digest = armed_box(host)
    gone = stop(host, is_withdrawn=True)
    assert gone.is_ok and gone.is_changed
    again = host.good("arm", plan_digest=digest)
    assert not again.is_changed, "nothing is to be started again"
    host.reboot()
    host.reconcile(boot=True)
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)
    host.good("rollback")
    told = host.good("arm", plan_digest=digest)
    assert told.is_changed and "was-stopped" not in codes(told)
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)
    host.now += 60
    host.reconcile()
    assert host.is_ours(OTHER), "a flag that never was up is no stop by hand"
    assert host.journal().count("withdrawn") == 1
    assert not stop(host, is_withdrawn=True).is_changed
    assert withdrawals.withdrawn_keys(host.paths, "another") == frozenset()
    host.good("rollback")
    assert "not-armed" not in codes(stop(host, OTHER, is_withdrawn=True)), "an arm would not start it"
    assert "all-withdrawn" in codes(host.ask("arm", plan_digest=digest))


def test_a_list_of_withdrawals_that_cannot_be_read_arms_nothing(host: FolderHost) -> None:
    """Nor does one that cannot be written pass in silence; the site is stopped all the same."""
    digest = armed_box(host)
    host.paths.withdrawn.write_text("{")
    gone = stop(host, is_withdrawn=True)
    assert codes(gone) >= {"withdrawal-not-kept"} and not gone.is_ok
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)
    host.good("rollback")
    assert "withdrawals" in codes(host.ask("arm", plan_digest=digest))
    assert not host.is_ours(OTHER)


def test_a_stop_after_the_end_holds_though_the_clock_is_set_back(host: FolderHost) -> None:
    """The clock runs ahead, somebody stops what is over by it, the clock is put right: no boot brings the site back."""
    armed_box(host)
    host.now += 2 * HOUR_S
    assert stop(host).is_changed
    host.now -= 2 * HOUR_S
    host.reboot()
    host.reconcile(boot=True)
    assert not host.is_ours(FIRST)
    assert status_of(host.machine())["state"] == "ended"


def test_before_the_window_nobody_says_that_it_was_asked(host: FolderHost) -> None:
    """Nothing of it is in force, so nothing is claimed; in its window it stays usual."""
    armed_box(host, start=HOUR_S // 2)
    outcome = stop(host)
    assert outcome.is_changed and "not asked" in outcome.message and "as usual" not in outcome.message
    host.now += HOUR_S // 2
    host.reconcile()
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)


def test_a_flag_that_workers_may_remember_is_not_called_as_usual(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker shows the usual site; that the others were not reloaded is said, and nothing is claimed."""
    armed_box(host)
    stays = Finding("warning", "not-reloaded", "nginx", "It could not be reloaded.")
    monkeypatch.setattr(stop_watch, "_forget", lambda *_: (False, [stays]))
    outcome = stop(host)
    assert not host.is_ours(FIRST) and codes(outcome) == {"not-reloaded"}
    assert "not confirmed" in outcome.message and "as usual" not in outcome.message


def test_the_last_site_releases_the_host(host: FolderHost) -> None:
    """A host without anything to show is not armed any more, and says so of sites that were asked."""
    armed_box(host)
    stop(host, OTHER)
    outcome = stop(host, FIRST)
    assert outcome.is_ok and "last site of this host" in outcome.message
    assert armed.current_arming(host.paths) is None and flags.up(host.paths) is None
    assert not host.is_ours(FIRST)


def test_check_mode_stops_nothing(host: FolderHost) -> None:
    """It says what would be stopped."""
    armed_box(host)
    before = host.tree()
    outcome = stop(host, check=True)
    assert outcome.is_changed and outcome.message == f"{FIRST} would be stopped, all others would go on."
    assert host.tree() == before and host.is_ours(FIRST)


@pytest.mark.parametrize(
    ("site", "code"),
    [
        ("www.nobody.test", ""),
        ("", "no-site"),
        ("../../etc/passwd", ""),
        ("x.wild.test", "below-wildcard"),
    ],
)
def test_what_is_no_site_of_this_host_stops_nothing(host: FolderHost, site: str, code: str) -> None:
    """Another host may show it; a name below a wildcard cannot go alone, and nobody may believe that it did."""
    served = f"server {{ listen 127.0.0.1:{host.port}; server_name *.wild.test; return 200 wild; }}\n"
    (host.root / "etc/nginx/conf.d/wild.conf").write_text(served)
    host.machine().servers["nginx"].reload()
    host.hook()
    digest = host.stage(wider=["*.wild.test"])
    host.good("arm", plan_digest=digest)
    before = host.tree()
    outcome = stop(host, site)
    assert codes(outcome) == ({code} if code else set())
    assert not outcome.is_changed and outcome.is_ok == (not code)
    assert code or outcome.message == f"{site} is no site of the campaign on this host."
    assert host.tree() == before


def test_on_a_host_that_is_not_armed_it_says_what_an_arm_would_do(host: FolderHost) -> None:
    """Staged only: there is nothing to stop, and an arm would start that site too."""
    host.hook()
    host.stage()
    outcome = stop(host)
    assert outcome.is_ok and not outcome.is_changed
    assert codes(outcome) == {"not-armed"} and "exclude" in outcome.findings[0].hint


def test_its_flag_goes_while_somebody_hangs_with_the_lock(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Visitors see the site at once; that the stop was not recorded is an error that says what to do."""
    armed_box(host)
    monkeypatch.setattr(lock, "_acquire", _never)
    outcome = stop(host)
    assert codes(outcome) == {"not-recorded"} and not outcome.is_ok
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)
    monkeypatch.undo()
    host.reconcile()
    assert "stopped-by-hand" in host.journal(), "the next look records it"
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, True)


def _never(descriptor: int, paths: object, deadline: float, wait_s: float) -> None:
    raise lock._refusal(paths, wait_s)  # type: ignore[arg-type]


def test_what_cannot_be_recorded_releases_the_host(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little rather than too much."""
    armed_box(host)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(armed, "write_armed", full)
    outcome = stop(host)
    assert "state-not-written" in codes(outcome) and not outcome.is_ok
    assert (host.is_ours(FIRST), host.is_ours(OTHER)) == (False, False)
