# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock is root's alone: no other user of the machine can hold it, or make it lead to another file."""

from __future__ import annotations

import stat

import pytest

from piquet.host.lock import locked
from piquet.host.paths import Paths
from tests.host.box import Box


def test_lock_lies_where_only_root_can_make_files() -> None:
    """In a folder open to all, anybody could hold the lock for ever, so that nothing is staged or removed."""
    assert not stat.S_IMODE(Paths().lock.parent.stat().st_mode) & stat.S_IWOTH


def test_a_link_in_the_place_of_the_lock_is_not_followed(still: Box) -> None:
    """Nothing is written to the file that it leads to."""
    other = still.root / "precious"
    other.write_text("untouched")
    still.paths.lock.parent.mkdir(parents=True, exist_ok=True)
    still.paths.lock.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"), locked(still.paths, wait_s=0):
        pass
    assert other.read_text() == "untouched"


def test_lock_is_private(still: Box) -> None:
    """Whoever cannot open it cannot hold it."""
    with locked(still.paths, wait_s=0):
        assert stat.S_IMODE(still.paths.lock.stat().st_mode) == 0o600
