# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine over the real agent: what holds whatever people, clocks, power and deaths do, in any order.

`picket` has the rules and the invariants, `world` the host. An ordinary run draws the same histories each time, each
full matrix others: the head of the run has the seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests import figures
from tests.machine.runs import made_world, run
from tests.machine.world import LiveWorld, World


@pytest.fixture(params=["nginx", "apache"])
def provider(request: pytest.FixtureRequest) -> str:
    """Whose paths of the agent are walked."""
    return str(request.param)


@pytest.fixture
def world(provider: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A host with told servers."""
    yield from made_world(World, provider, monkeypatch)


LONG_STEPS = 20_000
LONG_EXAMPLES = {"nginx": 430, "apache": 120}
FLOORS = {
    "(armed)": 20, "(a strike was seen)": 20, "die": 10, "reboot": 10, "end": 10, "(rehearsed)": 5,
    "(restored)": 10, "units": 8, "delete_run": 10, "package": 5,
}  # fmt: skip
"""How often the short run must have done what matters most, lest it be trivially safe."""


@pytest.fixture(params=["nginx", pytest.param("apache", marks=pytest.mark.long)])
def live_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A host with a running server; Apache's graceful reloads are slow."""
    yield from made_world(LiveWorld, request.param, monkeypatch)


def taken(steps: Counter[str]) -> int:
    """Steps, without what was only observed."""
    return sum(count for name, count in steps.items() if not name.startswith("("))


def times(steps: Counter[str], name: str) -> int:
    """How often a rule was taken, in whichever way."""
    return sum(count for label, count in steps.items() if label.partition(": ")[0] == name)


def test_the_promise_holds_whatever_happens(world: World, request: pytest.FixtureRequest) -> None:
    """Released stays released, nothing shows outside its window, foreign bytes stay, and the armed are held."""
    is_long = request.config.getoption("--long")
    steps = run(world, LONG_EXAMPLES[world.provider] if is_long else 15)
    note(f"{world.provider}, told", steps)
    assert {name for name, floor in FLOORS.items() if times(steps, name) < floor} == set()
    if is_long and world.provider == "nginx":
        assert taken(steps) >= LONG_STEPS


def test_it_holds_on_running_servers(live_world: World, request: pytest.FixtureRequest) -> None:
    """The same with a real process, asked over HTTP on a calendar that jumps."""
    steps = run(live_world, 12 if request.config.getoption("--long") else 2)
    note(f"{live_world.provider}, running", steps)
    assert steps["(a strike was seen)"] >= 1


def note(server: str, steps: Counter[str]) -> None:
    """Keep the figures rule by rule, and print them with all their ways."""
    rules = sorted({name.partition(": ")[0] for name in steps})
    for rule, count in [("steps in all", taken(steps)), *((rule, times(steps, rule)) for rule in rules)]:
        figures.note("machine", server=server, rule=rule, times=count)
    print(f"\n{server}: {taken(steps)} steps; " + ", ".join(f"{k} {v}" for k, v in sorted(steps.items())))
