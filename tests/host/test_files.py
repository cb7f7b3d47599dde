# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing where others may write too: only the new file itself gets a mode and an owner."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from piquet.host.system import files


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
