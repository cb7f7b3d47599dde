# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on the night does not keep a site away, and does not bring a stopped picket back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from testbed import Fleet
from tests import drive, foreign
from tests.e2e import clock_faults, faults, rounds
from tests.e2e.fault import EndsIt, Fault
from tests.e2e.faults import (
    CATALOGUE,
    BrokenThenRolledBack,
    ClockBack,
    ConfigurationBroken,
    PowerCutAcrossEnd,
    PowerCutInside,
    RolledBackReadOnly,
    SiteFileRewritten,
    StoppedByHand,
    TimersDeleted,
    VarReadOnly,
)
from tests.e2e.rounds import Names


@pytest.fixture(scope="module")
def planted(fleet: Fleet) -> Iterator[Names]:
    """The foreign sites, surveyed and hooked once for all rounds.

    After the last round the hook lines go out again, and every foreign file must be as it was planted.
    """
    kinds = foreign.plant(fleet)
    before = drive.on_all(fleet, drive.foreign_files)
    drive.run_verb(fleet, "survey")
    begin = time.monotonic()
    drive.run_verb(fleet, "hook")
    rounds.set_pace(time.monotonic() - begin)
    yield rounds.watched(kinds)
    drive.run_verb(fleet, "remove")
    assert before == drive.on_all(fleet, drive.foreign_files)


def hold(fleet: Fleet, folder: Path, turn: Mapping[str, Fault], names: Names) -> None:
    """One round, and everything put right behind it."""
    try:
        rounds.hold(fleet, folder, turn, names)
    finally:
        rounds.settle(fleet, turn)


ROUNDS: Sequence[tuple[type[Fault], type[Fault], type[Fault]]] = (
    (PowerCutInside, TimersDeleted, ConfigurationBroken),
    (SiteFileRewritten, ClockBack, VarReadOnly),
    (BrokenThenRolledBack, RolledBackReadOnly, PowerCutAcrossEnd),
)
"""Of an ordinary run: two on nginx, one on Apache."""


def described(kinds: object) -> str:
    """The test's name: the three faults of a round."""
    return "-".join(kind.__name__ for kind in kinds) if isinstance(kinds, tuple) else ""


@pytest.mark.parametrize(
    "kinds", [*ROUNDS[:2], pytest.param(ROUNDS[2], marks=pytest.mark.long)], ids=described
)
def test_no_fault_keeps_a_site_away(
    fleet: Fleet, planted: Names, tmp_path: Path, kinds: Sequence[type[Fault]]
) -> None:
    """Controller killed after arm, one fault per host: on time, over on time, foreign files as owners left them."""
    hosts = (*fleet.of("nginx")[:2], fleet.of("apache")[0])
    hold(fleet, tmp_path, {host.name: kind() for host, kind in zip(hosts, kinds, strict=True)}, planted)


@pytest.mark.long
@pytest.mark.parametrize("number", range((len(CATALOGUE) + 2) // 3))
def test_every_fault_on_every_server(fleet: Fleet, planted: Names, tmp_path: Path, number: int) -> None:
    """The whole catalogue, on nginx and on Apache."""
    turn = rounds.dealt(fleet, number)
    assert turn, "a round without a fault proves nothing"
    hold(fleet, tmp_path, turn, planted)


def test_no_fault_is_left_out() -> None:
    """The rounds of the full matrix hold every fault that there is."""
    classes = [*vars(faults).values(), *vars(clock_faults).values()]
    kinds = {kind for kind in classes if isinstance(kind, type) and issubclass(kind, Fault)}
    assert kinds - {Fault, EndsIt, clock_faults.OwnClock, StoppedByHand} == set(CATALOGUE)


STOPS = (
    (
        "one flag",
        lambda: StoppedByHand("rm /run/piquet/live/static.corpus.example", ("static.corpus.example",)),
    ),
    ("all flags", lambda: StoppedByHand("rm -f /run/piquet/live/*")),
    ("/run/piquet", lambda: StoppedByHand("rm -rf /run/piquet")),
)


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.long) for turn in (1, 2))])
def test_stopped_by_hand_stays_stopped(fleet: Fleet, planted: Names, tmp_path: Path, turn: int) -> None:
    """One flag, all flags, the folder: normal at once, after three minutes, after a reboot; other sites hold."""
    stops = {host.name: STOPS[(number + turn) % 3][1]() for number, host in enumerate(fleet)}
    try:
        rounds.hold(fleet, tmp_path, stops, planted, open_s=StoppedByHand.hours_s)
        drive.sleep_until(max(stop.at for stop in stops.values()) + 180)
        assert_stopped(fleet, stops, planted)
        for host in fleet:
            host.reboot()
        assert_stopped(fleet, stops, planted)
    finally:
        rounds.settle(fleet, stops)


def assert_stopped(fleet: Fleet, stops: dict[str, StoppedByHand], planted: Names) -> None:
    """Stopped sites are as usual; on a host where one was stopped, the others are still on strike."""
    for name, stop in stops.items():
        targets = drive.targets(fleet[name], planted[name])
        for line in drive.look(targets, time.time() + 1.0).result():
            is_stopped = not stop.names or line.target.site in stop.names
            assert line.samples, f"{line.target.label} does not answer"
            assert line.is_ours_at_end is not is_stopped, f"{line.target.label} after `{stop.command}`"
