# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes for the tests: one at rest, one with a running nginx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.folder_host import FolderHost


@pytest.fixture
def still(tmp_path: Path) -> FolderHost:
    """A host whose servers do not run."""
    return FolderHost(tmp_path)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FolderHost]:
    """A host whose nginx runs; stopped afterwards."""
    made = FolderHost(tmp_path)
    made.start()
    yield made
    made.stop()
