# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock is root's alone: no other user of the machine can hold it, or make it lead to another file."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path

import pytest

from piquet.host.system.lock import locked
from piquet.host.system.paths import Paths
from tests.host.folder_host import FolderHost


def test_lock_lies_where_only_root_can_make_files() -> None:
    """In a folder open to all, anybody could hold the lock for ever, so that nothing is staged or removed."""
    assert not stat.S_IMODE(Paths().lock.parent.stat().st_mode) & stat.S_IWOTH


def test_a_link_in_the_place_of_the_lock_is_not_followed(still: FolderHost) -> None:
    """Nothing is written to the file that it leads to."""
    other = still.root / "precious"
    other.write_text("untouched")
    still.paths.lock.parent.mkdir(parents=True, exist_ok=True)
    still.paths.lock.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"), locked(still.paths, wait_s=0):
        pass
    assert other.read_text() == "untouched"


def test_lock_is_private(still: FolderHost) -> None:
    """Whoever cannot open it cannot hold it."""
    with locked(still.paths, wait_s=0):
        assert stat.S_IMODE(still.paths.lock.stat().st_mode) == 0o600


def test_a_lock_whose_file_was_deleted_is_nobodys(tmp_path: Path) -> None:
    """Remove deletes it while others wait: whoever waited and whoever comes new are never inside at once."""
    paths = Paths(str(tmp_path))
    inside: list[str] = []
    together: list[tuple[str, ...]] = []

    def hold(name: str) -> None:
        with locked(paths):
            inside.append(name)
            time.sleep(0.4)
            together.append(tuple(inside))
            inside.remove(name)

    waiting, new = (threading.Thread(target=hold, args=(name,)) for name in ("waiting", "new"))
    with locked(paths):
        waiting.start()
        time.sleep(0.2)
        paths.lock.unlink()
        new.start()
        time.sleep(0.2)
    for thread in (waiting, new):
        thread.join()
    assert [("new",), ("waiting",)] == together
