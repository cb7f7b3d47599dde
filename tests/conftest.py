# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all tests: which run, that none is silently left out, and one fleet of real hosts for the session."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from typing import TypeVar

import hypothesis
import pytest

from testbed import Fleet
from testbed.host import Provider
from testbed.image import SUITES
from tests import figures
from tests.suites import mixed_fleet

# Two busy cores: an example is not wrong because it was slow. The seed is ours to choose, where CI is set in the
# environment, too, which would have hypothesis draw from the code of each test.
hypothesis.settings.register_profile(
    "piquet",
    deadline=None,
    database=None,
    derandomize=False,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("piquet")

ORDINARY_SEED = 20261217
"""What lands is judged by the same examples each time; the full matrix looks for others."""

LONG_TIMEOUT_S = 3 * 3600
"""For one test of the full matrix; without `--long` it is that of pyproject.toml."""

FLEET: dict[Provider, int] = {"nginx": 2, "apache": 1}
LONG_FLEET: dict[Provider, int] = {"nginx": 3, "apache": 3}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`, `--suite` and `--regenerate`."""
    parser.addoption("--long", action="store_true", help="run the full matrix too")
    parser.addoption(
        "--suite", choices=SUITES, default="", help="servers and hosts of another Debian release"
    )
    parser.addoption(
        "--regenerate", action="store_true", help="write golden files anew, to be reviewed as diffs"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of all random tests, hypothesis' own too, unless the command line has."""
    if config.option.hypothesis_seed is None:
        is_long = config.getoption("--long")
        config.option.hypothesis_seed = random.SystemRandom().randrange(10**8) if is_long else ORDINARY_SEED
    figures.choose_suite(config.getoption("--suite"))


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to repeat a red run."""
    return f"random tests: --hypothesis-seed={config.option.hypothesis_seed} draws the same again"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--long`, the tests marked `long` are not chosen."""
    if config.getoption("--long"):
        for item in items:
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S))
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Keep the counts of this part of the run."""
    counts = {word: len(terminalreporter.getreports(word)) for word in ("passed", "failed", "error")}
    part = " ".join(config.invocation_params.args) or "all"
    figures.note(
        "tests",
        of=part,
        part=part,
        passed=counts["passed"],
        failed=counts["failed"] + counts["error"],
    )
    if config.getoption("--suite") and "::" not in part and not config.option.keyword:
        _note_files(terminalreporter)


def _note_files(terminalreporter: pytest.TerminalReporter) -> None:
    """How many tests of each file passed on the release that was asked for, for `docs/platforms.md`."""
    files: dict[str, Counter[str]] = {}
    for word in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(word):
            if report.when == "call" or word != "passed":
                files.setdefault(report.nodeid.partition("::")[0], Counter())[word] += 1
    for file, counts in files.items():
        name = file.removeprefix("tests/")
        figures.note("suite", of=name, passed=counts["passed"], failed=counts["failed"] + counts["error"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that cannot run here fails: a skipped promise looks like a kept one. What is `long` is noted."""
    report = _without_skip((yield))
    if item.get_closest_marker("long") and (report.when == "call" or report.failed):
        figures.note("long", outcome=report.outcome)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file."""
    report = yield
    return _without_skip(report)


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _without_skip(report: Report) -> Report:
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as failed here: {report.longreprtext or report.longrepr}"
    return report


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Two nginx hosts and one Apache host (three of each for the full matrix), booted when the first test asks.

    They run three Debian releases, unless one is asked for. Tests share it: what a test puts on a host it takes off
    again, and a host that it cut it boots again.
    """
    counts = LONG_FLEET if request.config.getoption("--long") else FLEET
    suite = request.config.getoption("--suite")
    with Fleet(counts, suite=suite, suites={} if suite else mixed_fleet()) as booted:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\nfleet of {len(booted.hosts)} hosts booted in {booted.boot_s:.1f} s", file=sys.stderr)
        yield booted


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """Of this run's random tests."""
    return int(request.config.option.hypothesis_seed)


@pytest.fixture
def is_regenerating(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--regenerate"))
