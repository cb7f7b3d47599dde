# SPDX-License-Identifier: GPL-3.0-or-later
"""A hook line that is gone, seen twice."""

from __future__ import annotations

from tests.host.folder_host import FolderHost


def two_looks(host: FolderHost) -> None:
    """Two minutes of the timer."""
    for _ in range(2):
        host.reconcile()
        host.now += 60
