# SPDX-License-Identifier: GPL-3.0-or-later
"""A site still answers with our header after an end: only what our own configuration can say takes everything away.

On a real nginx; the host's bundle has no lease, so an end is written into its configuration where a test needs one.
"""

from __future__ import annotations

import pytest

from piquet.host import proof, takedown
from tests.host.folder_host import DROPIN, HOUR_S, INCLUDED, SITES, FolderHost
from tests.host.reconciling import make_it_stay, severity


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch is not milliseconds away here."""
    monkeypatch.setattr(takedown, "_PAUSE_S", 0.01)


FORGED = {
    "the header alone": "",
    "the header, and whatever word is asked": "add_header X-Piquet-Nonce $http_x_piquet_nonce always;",
    "the header, and a word of its own": f"add_header X-Piquet-Nonce {'a' * 32} always;",
}


def forge(host: FolderHost, site: str, more: str) -> None:
    """A tenant answers with our header, for ever."""
    path = host.root / f"etc/nginx/sites-available/{site}"
    path.write_text(
        path.read_text().replace("return ", f"add_header X-Piquet test/1/block always; {more} return ")
    )
    host.machine().servers["nginx"].reload()


@pytest.mark.parametrize("site", [SITES[0], pytest.param(SITES[1], marks=pytest.mark.long)])
@pytest.mark.parametrize("more", FORGED.values(), ids=FORGED)
def test_a_header_of_somebody_elses_takes_nothing_away(host: FolderHost, site: str, more: str) -> None:
    """It is told, in the journal and by status, until it is gone; the phase that follows stays armed, and is shown."""
    forge(host, site, more)
    host.hook()
    digest = host.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    host.good("arm", plan_digest=digest)
    host.now += HOUR_S
    with_lease(host)
    for _ in range(2):
        assert {f.code for f in host.reconcile().findings} == {"foreign-header"}
        host.now += 60
    assert host.paths.armed.exists() and host.paths.live.is_symlink()
    assert host.paths.at(DROPIN).exists() and host.paths.at(INCLUDED).exists()
    assert [host.journal().count(f"end-{word}") for word in ("not-confirmed", "reloaded", "foreign")] == [
        1,
        1,
        1,
    ]
    assert severity(host.ask("status"), "foreign-header") == "error"


def with_lease(host: FolderHost) -> None:
    """The window is over by the server's own configuration, whatever flags there are."""
    path = host.paths.at(INCLUDED)
    path.write_text(path.read_text().replace("-f $piquet_flag", "-f /nothing"))
    host.machine().servers["nginx"].reload()


def test_a_server_behind_whose_clock_is_late_takes_nothing_away(host: FolderHost) -> None:
    """It is another host's strike that passes through, and its host repeats no word of ours; later the end is seen."""
    late = FolderHost(host.root / "late")
    late.start()
    late.arm()
    path = host.root / f"etc/nginx/sites-available/{SITES[0]}"
    passed = f"location / {{ proxy_pass http://127.0.0.1:{late.port}; proxy_set_header Host $host; }}"
    path.write_text(path.read_text().replace(f"return 200 '{SITES[0]}';", passed))
    host.machine().servers["nginx"].reload()
    host.hook()
    digest = host.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    host.good("arm", plan_digest=digest)
    host.now += HOUR_S
    with_lease(host)
    assert {f.code for f in host.reconcile().findings} == {"foreign-header"}
    late.good("rollback")
    late.stop()
    late.start()
    assert host.reconcile().findings == ()
    assert host.journal()[-1] == "end-confirmed" and host.paths.live.is_symlink()
    late.stop()


def test_one_site_that_stays_ours_takes_everything_away(host: FolderHost) -> None:
    """What repeats the word is our own configuration, which does not end: one site is enough, later phases go too."""
    host.hook()
    digest = host.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    host.good("arm", plan_digest=digest)
    make_it_stay(host)
    (host.root / "tmp" / SITES[0]).unlink()
    host.now += HOUR_S
    assert (host.is_ours(SITES[0]), host.is_ours(SITES[1])) == (False, True)
    assert host.reconcile().is_ok
    assert not host.is_ours(SITES[1])
    assert host.journal()[-2:] == ["configuration-moved-away", "escalated"]
    assert not host.paths.armed.exists() and not host.paths.at(DROPIN).exists()


def test_a_site_that_is_alone_has_the_last_net_too(host: FolderHost) -> None:
    """The only one of its phase: there is no second one to ask."""
    host.hook()
    digest = host.stage(later=[(2 * HOUR_S, 3 * HOUR_S)], shares={SITES[1]: (2,)})
    host.good("arm", plan_digest=digest)
    make_it_stay(host)
    host.now += HOUR_S
    host.reconcile()
    assert "escalated" in host.journal()
    assert not host.is_ours() and not host.paths.at(DROPIN).exists()


def test_what_nobody_can_tell_apart_is_taken_away(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /run that takes no file: the last net does not depend on it."""

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    forge(host, SITES[0], "")
    host.arm()
    host.now += HOUR_S
    monkeypatch.setattr(proof, "word", full)
    host.reconcile()
    assert "escalated" in host.journal() and not host.paths.at(DROPIN).exists()


def test_a_reload_may_be_all_that_it_takes(host: FolderHost) -> None:
    """What is on disk ends, what runs does not: taken up, asked again, and nothing is taken away."""
    host.hook()
    digest = host.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    host.good("arm", plan_digest=digest)
    path = host.paths.at(INCLUDED)
    path.write_text(path.read_text().replace("-f $piquet_flag", "-f /nothing"))
    host.now += HOUR_S
    assert host.is_ours()
    assert host.reconcile().findings == ()
    assert host.journal()[-1] == "end-confirmed" and host.paths.armed.exists()
    assert not host.is_ours()
