# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration that passes its server's test and breaks the sites: hook and stage notice it, and undo it."""

from __future__ import annotations

import pytest

from piquet.host import witnesses
from tests.host.codes import codes
from tests.host.folder_host import INCLUDED, SITES, FolderHost

BROKEN = b"return 500;\n"
ONE_BROKEN = f"if ($host = {SITES[0]}) {{ return 500; }}\n".encode()


def statuses(host: FolderHost) -> list[int | None]:
    """What each site answers."""
    return [host.answer(site).status for site in SITES]


def break_sites(host: FolderHost) -> None:
    """What their owner edits, and does not load."""
    for path in (host.conf.parent / "sites-available").iterdir():
        path.write_text(path.read_text().replace("return 200", "return 500"))


def surveyed(host: FolderHost) -> dict[str, str]:
    """Files to hook."""
    survey = host.good("survey").survey
    assert survey is not None
    files: dict[str, str] = survey["nginx"]["files"]
    return files


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails here fails for ever."""
    monkeypatch.setattr(witnesses, "AGAIN_S", 0.2)


@pytest.fixture
def hooked(host: FolderHost) -> FolderHost:
    """The line is in every block, and nothing staged."""
    host.hook()
    return host


def test_stage_undoes_what_breaks_the_sites(hooked: FolderHost) -> None:
    """Every file is as before, and so is every answer."""
    before = hooked.tree()
    digest, members = hooked.bundle(extra={INCLUDED: BROKEN})
    outcome = hooked.ask("stage", members, plan_digest=digest)
    assert "sites-broken" in codes(outcome)
    assert f"{SITES[0]}: 200, now 500" in next(f for f in outcome.findings if f.code == "sites-broken").got
    assert (statuses(hooked), hooked.tree()) == ([200, 200], before)
    hooked.stage()


def test_hook_undoes_what_breaks_the_sites(host: FolderHost) -> None:
    """What was staged is harmless until the line is there."""
    files = surveyed(host)
    host.stage(extra={INCLUDED: BROKEN})
    before = host.tree()
    outcome = host.ask("hook", files=files, allow_unloaded=True)
    assert "sites-broken" in codes(outcome)
    assert (statuses(host), host.tree()) == ([200, 200], before)


def test_one_site_that_fails_is_told_and_undoes_nothing(hooked: FolderHost) -> None:
    """A site may break at any moment, by itself."""
    digest, members = hooked.bundle(extra={INCLUDED: ONE_BROKEN})
    outcome = hooked.good("stage", members, plan_digest=digest)
    assert "site-broken" in codes(outcome)


def test_an_error_that_passes_is_none(hooked: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that have just started may be slow: they are asked again some seconds later."""
    ready = hooked.root / "tmp/ready"
    until_ready = f"if (!-f {ready}) {{ return 502; }}\n".encode()
    waits: list[float] = []
    monkeypatch.setattr(witnesses, "pause", lambda seconds: waits.append(seconds) or ready.touch())
    digest, members = hooked.bundle(extra={INCLUDED: until_ready})
    outcome = hooked.good("stage", members, plan_digest=digest)
    assert not {"sites-broken", "site-broken"} & codes(outcome)
    assert waits == [witnesses.AGAIN_S]


def test_sites_that_were_broken_before_are_no_reason(hooked: FolderHost) -> None:
    """Of those nobody knows what ours would do to them."""
    break_sites(hooked)
    hooked.machine().servers["nginx"].reload()
    assert statuses(hooked) == [500, 500]
    hooked.good("hook", files=surveyed(hooked), allow_unloaded=True)
    digest, members = hooked.bundle(extra={INCLUDED: BROKEN})
    hooked.good("stage", members, plan_digest=digest, allow_unloaded=True)


def test_it_is_said_where_the_fault_is_not_ours(hooked: FolderHost) -> None:
    """An edit of the owner's that came into force with our reload stays in force when ours is taken back."""
    break_sites(hooked)
    digest, members = hooked.bundle()
    outcome = hooked.ask("stage", members, plan_digest=digest, allow_unloaded=True)
    assert {"sites-broken", "sites-stay-broken"} <= codes(outcome)


def test_a_release_is_never_undone(hooked: FolderHost) -> None:
    """Rollback, unhook and remove go on, whatever sites answer afterwards."""
    hooked.stage()
    break_sites(hooked)
    assert hooked.good("unhook").is_changed
    assert statuses(hooked) == [500, 500]
    assert hooked.good("remove").is_changed
