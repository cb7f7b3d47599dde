# SPDX-License-Identifier: GPL-3.0-or-later
"""One upstream for all servers of the corpus, and the counts at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .chroot import choose_suite
from .kinds import Kind, Provider, load
from .main_files import MainFile
from .page_judge import Count
from .runner import Tally
from .servers import Server, lacking, plant, upstream

Planter = Callable[..., Server]
_COUNTS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def of_suite(request: pytest.FixtureRequest) -> None:
    """Boxes have the servers of the Debian release that was asked for."""
    choose_suite(request.config.getoption("--suite"))


@pytest.fixture(scope="session")
def application() -> Iterator[int]:
    """Port of the application behind the proxying kinds."""
    with upstream() as port:
        yield port


@pytest.fixture
def planted(tmp_path: Path, application: int, request: pytest.FixtureRequest) -> Planter:
    """Plant a server with all kinds, or with those of the given names; whose modules are not there are left out."""
    shown = request.config.stash.setdefault(_COUNTS, [])

    def plant_some(provider: Provider, *names: str, main: MainFile | None = None, **loaded: Any) -> Server:
        chosen = _chosen(provider, names)
        lacks = {kind.name: missing for kind in chosen if (missing := lacking(kind))}
        if lacks:
            shown.append(f"left out for want of a module of {provider}: {lacks}")
        kinds = tuple(kind for kind in chosen if kind.name not in lacks)
        return plant(provider, kinds, tmp_path / provider, application, main, **loaded)

    return plant_some


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[str, Tally], None]:
    """Keep a tally's table for the end of the run."""
    shown = request.config.stash.setdefault(_COUNTS, [])
    return lambda title, tally: shown.append(tally.table(title))


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Callable[[Count, str], None]:
    """Keep what became of the answers of a banner for the end of the run."""
    shown = request.config.stash.setdefault(_COUNTS, [])
    return lambda count, title: shown.append(count.table(title))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was counted: right/asked by kind and state."""
    for table in config.stash.get(_COUNTS, []):
        terminalreporter.write_sep("-", "corpus: right/asked")
        terminalreporter.write_line(table)


def _chosen(provider: Provider, names: tuple[str, ...]) -> tuple[Kind, ...]:
    if not names:
        return load(provider)
    chosen = tuple(kind for kind in load(provider, limits=True) if kind.name in names)
    assert len(chosen) == len(names)
    return chosen
