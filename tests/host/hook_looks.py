# SPDX-License-Identifier: GPL-3.0-or-later
"""A hook line that is gone, seen twice."""

from __future__ import annotations

from tests.host.box import Box


def two_looks(box: Box) -> None:
    """Two minutes of the timer."""
    for _ in range(2):
        box.reconcile()
        box.now += 60
