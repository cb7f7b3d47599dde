# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits that an owner has not loaded yet are not brought into force by a reload of ours, on real servers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from piquet.host import loaded
from piquet.host.outcome import Outcome
from tests.host.folder_host import SITES, FolderHost

_LATER_S = 0.3
"""More than the tolerance."""
Edit = Callable[[Path], None]


def first(folder: Path) -> Path:
    """A file of the owner's."""
    return folder / "sites-available" / SITES[0]


def rewritten(folder: Path) -> None:
    """In place."""
    first(folder).write_text(first(folder).read_text() + "# later\n")


def replaced(folder: Path) -> None:
    """As rsync does: another file with a time of modification of long ago."""
    new = folder / "new"
    new.write_text(first(folder).read_text() + "# later\n")
    os.utime(new, (1_000_000, 1_000_000))
    new.rename(first(folder))


def added(folder: Path) -> None:
    """A file that was not there."""
    (folder / "conf.d" / "more.conf").write_text("# more\n")


def moved_in(folder: Path) -> None:
    """A file of long ago, moved from elsewhere."""
    (folder / "snippets" / "more.conf").write_text("# more\n")
    os.utime(folder / "snippets" / "more.conf", (1_000_000, 1_000_000))
    (folder / "snippets" / "more.conf").rename(folder / "conf.d" / "more.conf")


def deleted(folder: Path) -> None:
    """A site switched off."""
    (folder / "sites-enabled" / SITES[1]).unlink()


def linked_elsewhere(folder: Path) -> None:
    """A link that leads to an older file."""
    link = folder / "sites-enabled" / SITES[1]
    link.unlink()
    link.symlink_to(f"../sites-available/{SITES[0]}")


SELDOM = (rewritten, added, moved_in, linked_elsewhere)
EDITS = (replaced, deleted, *(pytest.param(edit, marks=pytest.mark.long) for edit in SELDOM))


def codes(outcome: Outcome) -> dict[str, str]:
    """Code → severity."""
    return {finding.code: finding.severity for finding in outcome.findings}


def hooked(host: FolderHost, **more: object) -> Outcome:
    """Survey, then hook."""
    survey = host.good("survey").survey
    assert survey is not None
    return host.ask("hook", files=survey["nginx"]["files"], **more)


def surveyed(host: FolderHost) -> list[str]:
    """Codes of the survey's findings."""
    survey = host.good("survey").survey
    assert survey is not None
    return [finding["code"] for finding in survey["findings"]]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_hook_does_not_load_what_its_owner_has_not(host: FolderHost, edit: Edit) -> None:
    """The survey tells, hook and its check refuse and touch nothing; with a word they go on; after a reload too."""
    time.sleep(_LATER_S)
    edit(host.conf.parent)
    before = host.tree()
    assert "unloaded-edits" in surveyed(host)
    for check in (True, False):
        assert codes(hooked(host, check=check))["unloaded-edits"] == "error"
    assert host.tree() == before
    allowed = hooked(host, check=True, allow_unloaded=True)
    assert allowed.is_ok and codes(allowed)["unloaded-edits"] == "warning"
    time.sleep(_LATER_S)
    host.machine().servers["nginx"].reload()
    assert "unloaded-edits" not in surveyed(host)
    assert hooked(host).is_ok


def test_stage_does_not_either(host: FolderHost) -> None:
    """An edit between hook and stage; what is ours is none, at any of our verbs."""
    host.hook()
    time.sleep(_LATER_S)
    digest, members = host.bundle()
    first(host.conf.parent).write_text(first(host.conf.parent).read_text() + "# later\n")
    refused = host.ask("stage", members, plan_digest=digest)
    assert not refused.is_ok and codes(refused)["unloaded-edits"] == "error"
    named = next(finding for finding in refused.findings if finding.code == "unloaded-edits")
    assert str(first(host.conf.parent)) in named.got and "piquet_allow_unloaded" in named.hint
    assert host.ask("stage", members, plan_digest=digest, allow_unloaded=True).is_ok
    assert "unloaded-edits" not in surveyed(host)


def test_our_own_files_are_no_edits(host: FolderHost) -> None:
    """Hook, stage, stage of another page, rollback, unhook and hook again: each reloads what it wrote."""
    host.arm()
    time.sleep(_LATER_S)
    host.good("rollback")
    assert "unloaded-edits" not in surveyed(host)
    host.stage(page=b"other")
    time.sleep(_LATER_S)
    host.good("unhook")
    assert "unloaded-edits" not in surveyed(host)
    host.hook()


def test_what_a_server_does_not_take_up_is_no_edit(host: FolderHost) -> None:
    """Pages, certificates and files beside."""
    time.sleep(_LATER_S)
    for name in ("renewed.pem", "snippets/unused.conf"):
        (host.conf.parent / name).write_text("x")
    assert "unloaded-edits" not in surveyed(host)


@pytest.fixture
def apache(still: FolderHost) -> Iterator[FolderHost]:
    """A host whose Apache runs; one file lies in its folder, since Apache tells of no folder that is empty."""
    (still.apache_conf.parent / "conf-enabled" / "kept.conf").write_text("# kept\n")
    subprocess.run([*still.platform.packaged["apache"].command], check=True)
    deadline = time.monotonic() + 10
    while not (still.root / "apache.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    yield still
    still.stop()


def test_apache_is_asked_for_its_files(apache: FolderHost) -> None:
    """Its main file, one that came and one that went; a graceful restart takes them up, and the pid file says when."""
    machine = apache.machine()

    def younger() -> list[str]:
        machine.servers["apache"].forget()
        return sorted({path.name for _, path in loaded.younger(machine, machine.servers["apache"])})

    def taken_up() -> None:
        time.sleep(_LATER_S)
        machine.servers["apache"].reload()
        assert younger() == []

    assert younger() == []
    time.sleep(_LATER_S)
    apache.apache_conf.write_text(apache.apache_conf.read_text() + "# later\n")
    assert younger() == ["apache2.conf"]
    taken_up()
    time.sleep(_LATER_S)
    more = apache.apache_conf.parent / "conf-enabled" / "more.conf"
    more.write_text("# more\n")
    assert younger() == ["conf-enabled", "more.conf"]
    taken_up()
    time.sleep(_LATER_S)
    more.unlink()
    assert younger() == ["conf-enabled"]
    taken_up()
