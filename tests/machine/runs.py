# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the state machine."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.picket import Picket
from tests.machine.world import World, root_in_memory

STEPS = 25
"""That hypothesis takes in an example, after those by chance."""


def made_world(kind: type[World], provider: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A host of one of the two servers in memory, for a fixture; all of it is gone afterwards."""
    root = root_in_memory(provider)
    (root / "host").mkdir()
    made = kind(root / "host", provider)
    made.settle_quickly(monkeypatch)
    made.meet_another()
    yield made
    made.stop()
    shutil.rmtree(root)


def run(world: World, examples: int) -> Counter[str]:
    """Run the machine on a host; how often each rule was taken.

    Raises:
        AssertionError: of an invariant, after the first example that breaks it; nothing is shrunk.
    """
    machine = type("Machine", (Picket,), {"world": world, "steps": Counter()})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
    return machine.steps
