# SPDX-License-Identifier: GPL-3.0-or-later
"""After every release, however it was done: recorded, made true where nginx remembers flags, asked for, then said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from piquet.host.outcome import Outcome
from piquet.host.state import store
from tests.host.box import SITES, Box
from tests.host.printed_line import paper

CACHE = "open_file_cache max=100;\nopen_file_cache_valid 1h;\nopen_file_cache_errors on;\n"
USUAL = "are as usual"
MINUTE_S = 60


def live(box: Box) -> None:
    """The one link."""
    box.paths.live.unlink()


def run(box: Box) -> None:
    """All that lies in /run."""
    shutil.rmtree(box.paths.run)


def flags(box: Box) -> None:
    """Each flag."""
    for site in SITES:
        (box.paths.live / site).unlink()


def state_and_flags(box: Box) -> None:
    """The printed line of before, by which nothing else is deleted."""
    box.paths.live.unlink()
    box.paths.armed.unlink()


def everything_known(box: Box) -> None:
    """With them all that is known of any arming."""
    paper(box)
    shutil.rmtree(box.paths.lib)


Release = Callable[[Box], None]
ALL: tuple[Release, ...] = (paper, live, run, flags, state_and_flags, everything_known)
QUICK = (paper, flags, everything_known)
by_name = pytest.mark.parametrize(
    "release",
    [pytest.param(way, id=way.__name__, marks=[] if way in QUICK else [pytest.mark.long]) for way in ALL],
)


def cached(box: Box) -> Box:
    """Its owner has nginx remember what it has seen, for an hour."""
    (box.root / "etc/nginx/conf.d/cache.conf").write_text(CACHE)
    return box


def events(box: Box) -> list[str]:
    """What the journal holds."""
    text = box.paths.journal.read_text() if box.paths.journal.exists() else ""
    return [json.loads(line)["event"] for line in text.splitlines()]


def confirmed(box: Box) -> list[str]:
    """What the servers were seen to do."""
    return list((store.read_state(box.paths.boundaries) or {})["confirmed"])


def codes(outcome: Outcome) -> set[str]:
    """Of its findings."""
    return {finding.code for finding in outcome.findings}


@by_name
def test_a_stop_is_recorded_and_asked_for(box: Box, release: Release) -> None:
    """Reconcile journals the stop, asks each server, and says that once; status says what was asked, and no more."""
    box.arm()
    assert box.is_ours()
    release(box)
    assert USUAL not in box.good("status").message
    box.reconcile()
    assert not box.is_ours()
    assert confirmed(box) == ["1/release"]
    if release is not everything_known:
        assert "release-confirmed" in events(box)
        assert [e for e in events(box) if e == "disarmed"] == ["disarmed"]
        assert (store.read_state(box.paths.ended) or {})["reason"] == "stopped by hand"
        told = box.good("status").message
        assert told.startswith("Stopped") and USUAL in told
    before = events(box)
    box.reconcile()
    assert events(box) == before


@by_name
def test_nginx_forgets_a_flag_that_it_remembers(box: Box, release: Release) -> None:
    """open_file_cache with valid 1h: a reload within the minute, told once, and all workers are usual afterwards."""
    cached(box).arm()
    assert all(box.is_ours(site) for site in SITES)
    release(box)
    assert box.is_ours(), "nginx is expected to remember the flag"
    outcome = box.reconcile()
    assert "open-file-cache" in codes(outcome)
    assert not any(box.is_ours(site) for site in SITES)
    assert confirmed(box) == ["1/release"]
    assert "open-file-cache" not in codes(box.reconcile())


@by_name
def test_a_rollback_after_any_stop_asks_too(box: Box, release: Release) -> None:
    """It is what people do after the printed line: it reloads, asks, and says what was asked."""
    cached(box).arm()
    assert box.is_ours()
    release(box)
    told = box.good("rollback")
    assert not box.is_ours()
    assert USUAL in told.message and "open-file-cache" in codes(told)
    assert USUAL in box.good("rollback").message, "a second one knows what the first has seen"


def test_a_single_flag_is_forgotten_and_asked_for(box: Box) -> None:
    """One site of several: nginx is reloaded once, the site asked until it is usual, the others stay on strike."""
    cached(box).arm()
    assert all(box.is_ours(site) for site in SITES)
    (box.paths.live / SITES[0]).unlink()
    assert box.is_ours()
    assert "open-file-cache" in codes(box.reconcile())
    assert [box.is_ours(site) for site in SITES] == [False, True]
    assert {"stopped-by-hand", "stop-confirmed"} <= set(events(box))
    assert "open-file-cache" not in codes(box.reconcile())
    assert events(box).count("stop-confirmed") == 1


def test_what_cannot_be_reloaded_is_not_confirmed(box: Box) -> None:
    """Somebody has broken the configuration: it is said, status fails, and the minute after the mending all is well."""
    cached(box).arm()
    assert box.is_ours()
    broken = box.root / "etc/nginx/conf.d/broken.conf"
    broken.write_text("no such directive;\n")
    for release in (lambda: (box.paths.live / SITES[0]).unlink(), lambda: paper(box)):
        release()
        assert "open-file-cache" in codes(box.reconcile())
        status = box.ask("status")
        assert not status.is_ok and USUAL not in status.message
    assert box.is_ours()
    told = box.ask("rollback")
    assert USUAL not in told.message and "open-file-cache" in codes(told)
    broken.unlink()
    box.now += MINUTE_S
    box.reconcile()
    assert not box.is_ours()
    status = box.good("status")
    assert USUAL in status.message


def test_a_server_that_does_not_answer_is_asked_every_minute(box: Box) -> None:
    """Its owner restarts it in the middle of a stop: nothing is called usual before it answers."""
    box.arm()
    box.stop()
    paper(box)
    for _ in range(2):
        assert "release-unanswered" in codes(box.reconcile())
        status = box.ask("status")
        assert not status.is_ok and USUAL not in status.message
    assert USUAL not in box.ask("rollback").message
    box.start()
    box.reconcile()
    assert USUAL in box.good("status").message


def test_a_site_that_stays_ours_is_told(box: Box) -> None:
    """A single flag is gone, and the site shows the strike all the same: each minute, and with an exit code."""
    box.arm()
    file = box.root / f"etc/nginx/sites-available/{SITES[0]}"
    text = file.read_text()
    file.write_text(text.replace("server {", "server { add_header X-Piquet test/1/block always;", 1))
    box.machine().servers["nginx"].reload()
    (box.paths.live / SITES[0]).unlink()
    for _ in range(2):
        assert "stop-not-confirmed" in codes(box.reconcile())
    assert not box.ask("status").is_ok
    assert box.is_ours(SITES[1]), "the others go on"
    file.write_text(text)
    box.machine().servers["nginx"].reload()
    box.reconcile()
    assert codes(box.good("status")) == set()


def test_nothing_is_called_usual_that_was_not_asked(box: Box) -> None:
    """Staged, or armed and released before the start: what is said is what is known."""
    box.hook()
    digest = box.stage(start=600, end=1200)
    assert USUAL not in box.good("status").message
    assert USUAL not in box.good("rollback").message
    box.good("arm", plan_digest=digest)
    told = box.good("rollback").message
    assert told.startswith("Released") and "no site was asked" in told
    box.good("arm", plan_digest=digest)
    paper(box)
    box.reconcile()
    assert "no site was asked" in box.good("status").message
    assert "release-confirmed" not in events(box)


def test_a_flag_that_was_missing_is_seen_at_once(box: Box) -> None:
    """Armed inside of the window where nginx remembers that there was none: a reload makes it look again."""
    cached(box).hook()
    digest = box.stage()
    assert not any(box.is_ours(site) for site in SITES)
    assert "open-file-cache" in codes(box.good("arm", plan_digest=digest))
    assert all(box.is_ours(site) for site in SITES)
