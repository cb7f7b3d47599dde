# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of signatures share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.folder_host import FolderHost

from .keys import make_keys

YEAR_THAT_MATTERS = 1_797_465_600.0
"""A lease of fewer digits would be none, and keys are valid from some year on."""


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real keys by name."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def is_regenerating(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written anew."""
    return bool(request.config.getoption("--regenerate"))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FolderHost]:
    """A host with a running nginx, at its own hour."""
    made = FolderHost(tmp_path)
    made.now = YEAR_THAT_MATTERS
    made.start()
    yield made
    made.stop()


@pytest.fixture
def still(tmp_path: Path) -> FolderHost:
    """One whose servers do not run."""
    (tmp_path / "host").mkdir()
    made = FolderHost(tmp_path / "host")
    made.now = YEAR_THAT_MATTERS
    return made
