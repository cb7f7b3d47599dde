# SPDX-License-Identifier: GPL-3.0-or-later
"""The roads' own hosts: twins of each web server, booted and hooked to nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Fleet
from testbed.host import Provider
from tests import drive, figures
from tests.parity import road as roads_module
from tests.parity.compare import Comparison
from tests.parity.road import ENGINES, SCHEDULERS, Road

FAR_S = 7200.0


@pytest.fixture(scope="session")
def twins(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two hosts of each web server with systemd; for the full matrix as many without it, for cron."""
    counts: dict[Provider, int] = {"nginx": len(ENGINES), "apache": len(ENGINES)}
    plain = counts if request.config.getoption("--long") else {}
    with Fleet(counts, plain=plain) as booted:
        yield booted


@pytest.fixture(scope="session")
def roads(
    twins: Fleet, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Road, ...]:
    """Both engines with systemd; in the full matrix with cron too."""
    schedulers = SCHEDULERS if request.config.getoption("--long") else SCHEDULERS[:1]
    folder: Path = tmp_path_factory.mktemp("roads")
    return roads_module.build(twins, folder, ENGINES, schedulers)


@pytest.fixture(scope="session")
def campaign(twins: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that starts long after the tests have ended."""
    folder = tmp_path_factory.mktemp("far")
    return drive.write_campaign(
        twins, folder, FAR_S, 3600, sites='{include: ["*"]}', open="{paths: [/api/]}"
    ).campaign


@pytest.fixture
def compared(roads: tuple[Road, ...], request: pytest.FixtureRequest) -> Iterator[Comparison]:
    """Roads that start from nothing and are left with nothing; what was compared is counted."""
    comparison = Comparison(roads, request.config.getoption("--long"))
    yield comparison
    for road in roads:
        road.run("remove")
    for what, number in sorted(comparison.counts.items()):
        figures.note("parity", test=request.node.name, what=what, pairs=number)
