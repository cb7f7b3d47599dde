# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and fixtures of the unit tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/unit --regenerate` writes golden files anew, to be reviewed as diffs."""
    parser.addoption("--regenerate", action="store_true", help="write golden files anew")


@pytest.fixture
def is_regenerating(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--regenerate", default=False))
