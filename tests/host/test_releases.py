# SPDX-License-Identifier: GPL-3.0-or-later
"""After every release, however it was done: recorded, made true where nginx remembers flags, asked for, then said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from piquet.host.outcome import Outcome
from piquet.host.state import store
from tests.host.folder_host import SITES, FolderHost
from tests.host.printed_line import paper

CACHE = "open_file_cache max=100;\nopen_file_cache_valid 1h;\nopen_file_cache_errors on;\n"
USUAL = "are as usual"
MINUTE_S = 60


def live(host: FolderHost) -> None:
    """The one link."""
    host.paths.live.unlink()


def run(host: FolderHost) -> None:
    """All that lies in /run."""
    shutil.rmtree(host.paths.run)


def flags(host: FolderHost) -> None:
    """Each flag."""
    for site in SITES:
        (host.paths.live / site).unlink()


def state_and_flags(host: FolderHost) -> None:
    """The printed line of before, by which nothing else is deleted."""
    host.paths.live.unlink()
    host.paths.armed.unlink()


def everything_known(host: FolderHost) -> None:
    """With them all that is known of any arming."""
    paper(host)
    shutil.rmtree(host.paths.lib)


Release = Callable[[FolderHost], None]
ALL: tuple[Release, ...] = (paper, live, run, flags, state_and_flags, everything_known)
QUICK = (paper, flags, everything_known)
by_name = pytest.mark.parametrize(
    "release",
    [pytest.param(way, id=way.__name__, marks=[] if way in QUICK else [pytest.mark.long]) for way in ALL],
)


def cached(host: FolderHost) -> FolderHost:
    """Its owner has nginx remember what it has seen, for an hour."""
    (host.root / "etc/nginx/conf.d/cache.conf").write_text(CACHE)
    return host


def events(host: FolderHost) -> list[str]:
    """What the journal holds."""
    text = host.paths.journal.read_text() if host.paths.journal.exists() else ""
    return [json.loads(line)["event"] for line in text.splitlines()]


def confirmed(host: FolderHost) -> list[str]:
    """What the servers were seen to do."""
    return list((store.read_state(host.paths.boundaries) or {})["confirmed"])


def codes(outcome: Outcome) -> set[str]:
    """Of its findings."""
    return {finding.code for finding in outcome.findings}


@by_name
def test_a_stop_is_recorded_and_asked_for(host: FolderHost, release: Release) -> None:
    """Reconcile journals the stop, asks each server, and says that once; status says what was asked, and no more."""
    host.arm()
    assert host.is_ours()
    release(host)
    assert USUAL not in host.good("status").message
    host.reconcile()
    assert not host.is_ours()
    assert confirmed(host) == ["1/release"]
    if release is not everything_known:
        assert "release-confirmed" in events(host)
        assert [e for e in events(host) if e == "disarmed"] == ["disarmed"]
        assert (store.read_state(host.paths.ended) or {})["reason"] == "stopped by hand"
        told = host.good("status").message
        assert told.startswith("Stopped") and USUAL in told
    before = events(host)
    host.reconcile()
    assert events(host) == before


@by_name
def test_nginx_forgets_a_flag_that_it_remembers(host: FolderHost, release: Release) -> None:
    """open_file_cache with valid 1h: a reload within the minute, told once, and all workers are usual afterwards."""
    cached(host).arm()
    assert all(host.is_ours(site) for site in SITES)
    release(host)
    assert host.is_ours(), "nginx is expected to remember the flag"
    outcome = host.reconcile()
    assert "open-file-cache" in codes(outcome)
    assert not any(host.is_ours(site) for site in SITES)
    assert confirmed(host) == ["1/release"]
    assert "open-file-cache" not in codes(host.reconcile())


@by_name
def test_a_rollback_after_any_stop_asks_too(host: FolderHost, release: Release) -> None:
    """It is what people do after the printed line: it reloads, asks, and says what was asked."""
    cached(host).arm()
    assert host.is_ours()
    release(host)
    told = host.good("rollback")
    assert not host.is_ours()
    assert USUAL in told.message and "open-file-cache" in codes(told)
    assert USUAL in host.good("rollback").message, "a second one knows what the first has seen"


def test_a_single_flag_is_forgotten_and_asked_for(host: FolderHost) -> None:
    """One site of several: nginx is reloaded once, the site asked until it is usual, the others stay on strike."""
    cached(host).arm()
    assert all(host.is_ours(site) for site in SITES)
    (host.paths.live / SITES[0]).unlink()
    assert host.is_ours()
    assert "open-file-cache" in codes(host.reconcile())
    assert [host.is_ours(site) for site in SITES] == [False, True]
    assert {"stopped-by-hand", "stop-confirmed"} <= set(events(host))
    assert "open-file-cache" not in codes(host.reconcile())
    assert events(host).count("stop-confirmed") == 1


def test_what_cannot_be_reloaded_is_not_confirmed(host: FolderHost) -> None:
    """Somebody has broken the configuration: it is said, status fails, and the minute after the mending all is well."""
    cached(host).arm()
    assert host.is_ours()
    broken = host.root / "etc/nginx/conf.d/broken.conf"
    broken.write_text("no such directive;\n")
    for release in (lambda: (host.paths.live / SITES[0]).unlink(), lambda: paper(host)):
        release()
        assert "open-file-cache" in codes(host.reconcile())
        status = host.ask("status")
        assert not status.is_ok and USUAL not in status.message
    assert host.is_ours()
    told = host.ask("rollback")
    assert USUAL not in told.message and "open-file-cache" in codes(told)
    broken.unlink()
    host.now += MINUTE_S
    host.reconcile()
    assert not host.is_ours()
    status = host.good("status")
    assert USUAL in status.message


def test_a_server_that_does_not_answer_is_asked_every_minute(host: FolderHost) -> None:
    """Its owner restarts it in the middle of a stop: nothing is called usual before it answers."""
    host.arm()
    host.stop()
    paper(host)
    for _ in range(2):
        assert "release-unanswered" in codes(host.reconcile())
        status = host.ask("status")
        assert not status.is_ok and USUAL not in status.message
    assert USUAL not in host.ask("rollback").message
    host.start()
    host.reconcile()
    assert USUAL in host.good("status").message


def test_a_site_that_stays_ours_is_told(host: FolderHost) -> None:
    """A single flag is gone, and the site shows the strike all the same: each minute, and with an exit code."""
    host.arm()
    file = host.root / f"etc/nginx/sites-available/{SITES[0]}"
    text = file.read_text()
    file.write_text(text.replace("server {", "server { add_header X-Piquet test/1/block always;", 1))
    host.machine().servers["nginx"].reload()
    (host.paths.live / SITES[0]).unlink()
    for _ in range(2):
        assert "stop-not-confirmed" in codes(host.reconcile())
    assert not host.ask("status").is_ok
    assert host.is_ours(SITES[1]), "the others go on"
    file.write_text(text)
    host.machine().servers["nginx"].reload()
    host.reconcile()
    assert codes(host.good("status")) == set()


def test_nothing_is_called_usual_that_was_not_asked(host: FolderHost) -> None:
    """Staged, or armed and released before the start: what is said is what is known."""
    host.hook()
    digest = host.stage(start=600, end=1200)
    assert USUAL not in host.good("status").message
    assert USUAL not in host.good("rollback").message
    host.good("arm", plan_digest=digest)
    told = host.good("rollback").message
    assert told.startswith("Released") and "no site was asked" in told
    host.good("arm", plan_digest=digest)
    paper(host)
    host.reconcile()
    assert "no site was asked" in host.good("status").message
    assert "release-confirmed" not in events(host)


def test_a_flag_that_was_missing_is_seen_at_once(host: FolderHost) -> None:
    """Armed inside of the window where nginx remembers that there was none: a reload makes it look again."""
    cached(host).hook()
    digest = host.stage()
    assert not any(host.is_ours(site) for site in SITES)
    assert "open-file-cache" in codes(host.good("arm", plan_digest=digest))
    assert all(host.is_ours(site) for site in SITES)
