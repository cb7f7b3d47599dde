# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes for the tests: one at rest, one with a running nginx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.box import Box


@pytest.fixture
def still(tmp_path: Path) -> Box:
    """A box whose servers do not run."""
    return Box(tmp_path)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box whose nginx runs; stopped afterwards."""
    made = Box(tmp_path)
    made.start()
    yield made
    made.stop()
