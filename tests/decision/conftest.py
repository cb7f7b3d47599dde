# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of signatures share."""

from __future__ import annotations

from pathlib import Path

import pytest

from .keys import make_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real keys by name."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def is_regenerating(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written anew."""
    return bool(request.config.getoption("--regenerate"))
