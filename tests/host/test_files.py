# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing where others may write too: only the new file itself gets a mode and an owner."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from piquet.host.system import files
from piquet.host.system.files import Change


def test_a_swapped_temporary_name_harms_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns the folder may put a link in the place of the temporary file; what it leads to stays as it is."""
    target, other = tmp_path / "site.conf", tmp_path / "shadow"
    target.write_text("old")
    target.chmod(0o666)
    other.write_text("secret")
    other.chmod(0o600)

    def swap(_: int) -> None:
        files.temporary(target).unlink()
        files.temporary(target).symlink_to(other)

    monkeypatch.setattr(os, "fsync", swap)
    files.write(target, b"new")
    assert (stat.S_IMODE(other.stat().st_mode), other.read_text()) == (0o600, "secret")


def test_every_byte_is_durable_before_any_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut leaves old files with new ones hidden beside them, or names that lead to what is on the disk."""
    paths, steps = [tmp_path / f"{number}.conf" for number in range(40)], []
    for path in paths:
        path.write_text("old")
    real_sync, real_rename = os.fsync, os.rename

    def sync(descriptor: int) -> None:
        steps.append("sync")
        real_sync(descriptor)

    def rename(self: Path, target: Path) -> None:
        steps.append("rename")
        real_rename(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    files.make_all([Change(path, files.FILE, b"new") for path in paths])
    assert steps == ["sync"] * 40 + ["rename"] * 40
    assert {path.read_text() for path in paths} == {"new"}


def test_one_that_cannot_be_written_leaves_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails in the middle of thousands changes none of them, and nothing is left beside them."""
    paths = [tmp_path / f"{number}.conf" for number in range(40)]
    for path in paths:
        path.write_text("old")
    real = os.fsync

    def sync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == ".17.conf.piquet":
            raise OSError(errno.EIO, "the disk fails")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OSError, match="the disk fails"):
        files.make_all([Change(path, files.FILE, b"new") for path in paths])
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert {path.read_text() for path in paths} == {"old"}


@pytest.mark.parametrize("edit", ["text", "mode"])
def test_what_its_owner_did_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    """Thousands of files take a moment: who saves one of them, or closes it to others, in that moment wins."""
    path, other = tmp_path / "a.conf", tmp_path / "b.conf"
    path.write_text("old")
    other.write_text("old")
    real = os.fsync

    def sync(descriptor: int) -> None:
        path.write_text("theirs") if edit == "text" else path.chmod(0o600)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    origin = files.sha256(b"old")
    with pytest.raises(OSError, match="somebody has just changed it"):
        files.make_all([Change(one, files.FILE, b"new", origin=origin) for one in (path, other)])
    assert path.read_text() == ("theirs" if edit == "text" else "old")
    assert stat.S_IMODE(path.stat().st_mode) == (0o644 if edit == "text" else 0o600)
    assert other.read_text() == "old"


def test_a_machine_that_starts_no_thread_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its limit of processes everything is written all the same, and synced one by one."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    synced, real = [], os.fsync
    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor))[1])
    paths = [tmp_path / str(number) for number in range(5)]
    files.make_all([Change(path, files.FILE, b"new") for path in paths])
    assert ([path.read_bytes() for path in paths], len(synced)) == ([b"new"] * 5, 5)
