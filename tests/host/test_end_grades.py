# SPDX-License-Identifier: GPL-3.0-or-later
"""A site still answers with our header after an end: only what our own configuration can say takes everything away.

On a real nginx; the box's bundle has no lease, so an end is written into its configuration where a test needs one.
"""

from __future__ import annotations

import pytest

from piquet.host import proof, takedown
from tests.host.box import DROPIN, HOUR_S, INCLUDED, SITES, Box
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


def forge(box: Box, site: str, more: str) -> None:
    """A tenant answers with our header, for ever."""
    path = box.root / f"etc/nginx/sites-available/{site}"
    path.write_text(
        path.read_text().replace("return ", f"add_header X-Piquet test/1/block always; {more} return ")
    )
    box.machine().servers["nginx"].reload()


@pytest.mark.parametrize("site", [SITES[0], pytest.param(SITES[1], marks=pytest.mark.long)])
@pytest.mark.parametrize("more", FORGED.values(), ids=FORGED)
def test_a_header_of_somebody_elses_takes_nothing_away(box: Box, site: str, more: str) -> None:
    """It is told, in the journal and by status, until it is gone; the phase that follows stays armed, and is shown."""
    forge(box, site, more)
    box.hook()
    digest = box.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    box.good("arm", plan_digest=digest)
    box.now += HOUR_S
    with_lease(box)
    for _ in range(2):
        assert {f.code for f in box.reconcile().findings} == {"foreign-header"}
        box.now += 60
    assert box.paths.armed.exists() and box.paths.live.is_symlink()
    assert box.paths.at(DROPIN).exists() and box.paths.at(INCLUDED).exists()
    assert [box.journal().count(f"end-{word}") for word in ("not-confirmed", "reloaded", "foreign")] == [
        1,
        1,
        1,
    ]
    assert severity(box.ask("status"), "foreign-header") == "error"


def with_lease(box: Box) -> None:
    """The window is over by the server's own configuration, whatever flags there are."""
    path = box.paths.at(INCLUDED)
    path.write_text(path.read_text().replace("-f $piquet_flag", "-f /nothing"))
    box.machine().servers["nginx"].reload()


def test_a_server_behind_whose_clock_is_late_takes_nothing_away(box: Box) -> None:
    """It is another host's strike that passes through, and its host repeats no word of ours; later the end is seen."""
    late = Box(box.root / "late")
    late.start()
    late.arm()
    path = box.root / f"etc/nginx/sites-available/{SITES[0]}"
    passed = f"location / {{ proxy_pass http://127.0.0.1:{late.port}; proxy_set_header Host $host; }}"
    path.write_text(path.read_text().replace(f"return 200 '{SITES[0]}';", passed))
    box.machine().servers["nginx"].reload()
    box.hook()
    digest = box.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    box.good("arm", plan_digest=digest)
    box.now += HOUR_S
    with_lease(box)
    assert {f.code for f in box.reconcile().findings} == {"foreign-header"}
    late.good("rollback")
    late.stop()
    late.start()
    assert box.reconcile().findings == ()
    assert box.journal()[-1] == "end-confirmed" and box.paths.live.is_symlink()
    late.stop()


def test_one_site_that_stays_ours_takes_everything_away(box: Box) -> None:
    """What repeats the word is our own configuration, which does not end: one site is enough, later phases go too."""
    box.hook()
    digest = box.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    box.good("arm", plan_digest=digest)
    make_it_stay(box)
    (box.root / "tmp" / SITES[0]).unlink()
    box.now += HOUR_S
    assert (box.is_ours(SITES[0]), box.is_ours(SITES[1])) == (False, True)
    assert box.reconcile().is_ok
    assert not box.is_ours(SITES[1])
    assert box.journal()[-2:] == ["configuration-moved-away", "escalated"]
    assert not box.paths.armed.exists() and not box.paths.at(DROPIN).exists()


def test_a_site_that_is_alone_has_the_last_net_too(box: Box) -> None:
    """The only one of its phase: there is no second one to ask."""
    box.hook()
    digest = box.stage(later=[(2 * HOUR_S, 3 * HOUR_S)], shares={SITES[1]: (2,)})
    box.good("arm", plan_digest=digest)
    make_it_stay(box)
    box.now += HOUR_S
    box.reconcile()
    assert "escalated" in box.journal()
    assert not box.is_ours() and not box.paths.at(DROPIN).exists()


def test_what_nobody_can_tell_apart_is_taken_away(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /run that takes no file: the last net does not depend on it."""

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    forge(box, SITES[0], "")
    box.arm()
    box.now += HOUR_S
    monkeypatch.setattr(proof, "word", full)
    box.reconcile()
    assert "escalated" in box.journal() and not box.paths.at(DROPIN).exists()


def test_a_reload_may_be_all_that_it_takes(box: Box) -> None:
    """What is on disk ends, what runs does not: taken up, asked again, and nothing is taken away."""
    box.hook()
    digest = box.stage(later=[(2 * HOUR_S, 3 * HOUR_S)])
    box.good("arm", plan_digest=digest)
    path = box.paths.at(INCLUDED)
    path.write_text(path.read_text().replace("-f $piquet_flag", "-f /nothing"))
    box.now += HOUR_S
    assert box.is_ours()
    assert box.reconcile().findings == ()
    assert box.journal()[-1] == "end-confirmed" and box.paths.armed.exists()
    assert not box.is_ours()
