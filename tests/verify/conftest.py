# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaigns and targets for the tests of verify."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from piquet.campaign.model import Campaign, Doors, Limits, Phase, Selection


def make_campaign(start_at: datetime, seconds: int = 3600) -> Campaign:
    """A campaign of one block phase, French and English, with one open path and the bypass."""
    phase = Phase(1, "block", start_at, start_at + timedelta(seconds=seconds), page="pages/greve")
    return Campaign(
        name="greve-test",
        timezone="Europe/Paris",
        languages=("fr", "en"),
        contact="https://example.org/greve",
        phases=(phase,),
        sites=Selection(include=("*",), exclude=(), consent={}),
        doors=Doors(paths=("/api/",), bypass=True),
        limits=Limits(max_block=timedelta(hours=24), max_share_percent=100),
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' own users may read."""
    with tempfile.TemporaryDirectory(prefix="piquet-verify-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def running() -> Campaign:
    """A campaign in the middle of its window."""
    return make_campaign(datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30))


@pytest.fixture
def ahead() -> Campaign:
    """A campaign that starts tomorrow."""
    return make_campaign(datetime.now(UTC).replace(microsecond=0) + timedelta(days=1))
