# SPDX-License-Identifier: GPL-3.0-or-later
"""`watch` tells when a real server went on strike and came back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from piquet.campaign.model import Campaign
from piquet.report.switch import switch, switch_text
from piquet.verify.observation import Observation, Target
from piquet.verify.outside.probe import Prober
from piquet.verify.outside.watch import Timeline, watch
from tests.ports import free_ports

from .servers import start_nginx, strike_lines

NAMES = [f"site{number}.example.org" for number in range(20)]


@pytest.mark.parametrize(("patience_s", "is_seen"), [(20.0, True), (0.0, False)])
def test_a_server_that_is_still_down_is_asked_on(
    folder: Path, running: Campaign, patience_s: float, is_seen: bool
) -> None:
    """Until it has answered once, and no longer than the patience; without any, the look ends at its instant."""
    (port,) = free_ports(1)
    target = Target("web1", "127.0.0.1", port, False, NAMES[0], NAMES[0], (1,))
    block = f"server {{ listen 127.0.0.1:{port}; server_name {NAMES[0]}; {strike_lines(running)} }}"

    async def run() -> tuple[Timeline, ...]:
        begun = time.time()
        async with Prober(5.0) as prober:
            looking = asyncio.create_task(
                watch(prober, [target], begun + 0.3, 0.05, answered_since=begun, patience_s=patience_s)
            )
            await asyncio.sleep(1.0)
            server = start_nginx(folder, block, [port])
            try:
                return await looking
            finally:
                server.stop()

    (timeline,) = asyncio.run(run())
    assert (timeline.samples > 0) == is_seen and timeline.silent > 0


def test_switch_times_of_a_real_server(folder: Path, running: Campaign) -> None:
    """On and off by a flag: each site's brackets hold the true instants, and are narrow."""
    (port,) = free_ports(1)
    lines = strike_lines(running)
    blocks = [f"server {{ listen 127.0.0.1:{port}; server_name {name}; {lines} }}" for name in NAMES]
    server = start_nginx(folder, "".join(blocks), [port])
    targets = [Target("web1", "127.0.0.1", port, False, name, name, (1,)) for name in NAMES]
    switched: list[float] = []

    async def flip() -> None:
        for is_on in (True, False):
            await asyncio.sleep(0.7)
            server.strike(is_on)
            switched.append(time.time())

    async def run() -> tuple[Timeline, ...]:
        async with Prober(5.0) as prober:
            switching = asyncio.create_task(flip())
            seen = await watch(prober, targets, time.time() + 2.1, 0.05)
            await switching
            return seen

    try:
        timelines = asyncio.run(run())
    finally:
        server.stop()
    on_at, off_at = switched
    for timeline in timelines:
        assert len(timeline.runs) == 1 and timeline.samples > 5 and timeline.silent == 0
        (run_,) = timeline.runs
        assert run_.before is not None and run_.after is not None
        assert run_.before.sent_at <= on_at <= run_.first_ours.first_byte_at + 0.02
        assert run_.last_ours.sent_at <= off_at <= run_.after.first_byte_at + 0.02
        assert timeline.signs == {"greve-test/1/block"}
        assert timeline.seconds_outside([(on_at - 0.02, off_at + 0.02)]) == 0
        assert 0 < timeline.seconds_outside([(on_at, off_at - 0.5)]) <= 0.52
        assert timeline.seconds_missed([(on_at, off_at)]) < 0.01
        assert 0 < timeline.seconds_missed([(on_at - 0.4, off_at)]) <= 0.42
    seen = switch(timelines, (on_at, off_at))
    assert seen.doors == len(NAMES) and seen.never == ()
    assert seen.last_on_s is not None and -0.02 <= seen.last_on_s < 1
    assert seen.last_off_s is not None and -0.02 <= seen.last_off_s < 1
    assert "20 doors" in switch_text(seen) and "0.000 missed" in switch_text(seen)


def observation(at: float, is_ours: bool) -> Observation:
    """An answer that took no time."""
    headers = (("x-piquet", "greve-test/1/block"),) if is_ours else ()
    return Observation(503 if is_ours else 200, headers, "", 0, at, at + 0.01)


@pytest.mark.parametrize("at", [0.995, 2.495])
def test_a_single_answer_across_a_switch_proves_nothing(at: float) -> None:
    """Asked for before the start or answered after the end: the server may have decided inside the window."""
    timeline = Timeline(Target("web1", "192.0.2.1", 80, False, "a.example.org", "a.example.org", (1,)))
    timeline.note(observation(at, is_ours=True))
    assert timeline.seconds_outside([(1.0, 2.5)]) == 0.0


def test_a_single_late_answer_counts() -> None:
    """One strike answer long after the end is time outside the window, though it is no longer stretch."""
    timeline = Timeline(Target("web1", "192.0.2.1", 80, False, "a.example.org", "a.example.org", (1,)))
    for at, is_ours in [(0, False), (1, True), (2, True), (3, False), (9, True), (10, False)]:
        timeline.note(observation(at, is_ours))
    timeline.note(Observation(None, (), "", 0, 11, 11, "connect: refused"))
    assert (timeline.samples, timeline.silent, len(timeline.runs)) == (6, 1, 2)
    assert timeline.seconds_outside([(0.5, 2.5)]) == pytest.approx(0.01)
    assert timeline.first_ours_at == pytest.approx(1.01)
    assert timeline.last_ours_at == 9
