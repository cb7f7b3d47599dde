# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a whole fleet once: thousands of questions, at most so many at a time.

One worker asks all questions of one target in their order, so that a target's connection is used again and
a door that nobody answers at costs one time limit, not one per question. Touches network and clock.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from piquet.verify.observation import Inquiry, Observation, Pace, Reply, Target
from piquet.verify.outside.probe import Prober

DEFAULT_CONCURRENCY = 64
GIVE_UP_AFTER = 8
"""So many failed connections to a door without any success, and its other targets are not tried."""


@dataclass(frozen=True)
class Swept:
    """All replies, in the order of the jobs, and the pace."""

    replies: tuple[Reply, ...]
    pace: Pace


def ignore_progress(done: int) -> None:
    """Take no notice of how many questions have just been asked; the default of `sweep`."""


async def sweep(
    prober: Prober,
    jobs: Sequence[Inquiry],
    concurrency: int = DEFAULT_CONCURRENCY,
    on_done: Callable[[int], None] = ignore_progress,
) -> Swept:
    """Ask every question of every job once; late ones only of a target whose `GET /` was answered by a strike.

    Args:
        prober: an open one.
        jobs: whom and what.
        concurrency: how many targets are asked at the same time.
        on_done: called with the number of questions just dealt with, asked or given up.
    """
    begun = time.perf_counter()
    with _rare_collection():
        found = await _work(prober, jobs, concurrency, on_done)
    replies = tuple(reply for part in found for reply in part)
    return Swept(replies, Pace(len(replies), time.perf_counter() - begun))


async def _work(
    prober: Prober, jobs: Sequence[Inquiry], concurrency: int, on_done: Callable[[int], None]
) -> list[list[Reply]]:
    """The replies of each job; as many workers as allowed take the next job when they have done one."""
    found: list[list[Reply]] = [[] for _ in jobs]
    waiting = iter(range(len(jobs)))
    doors = _Doors()

    async def work() -> None:
        for place in waiting:
            async for reply in _replies_of(prober, jobs[place], doors):
                found[place].append(reply)
            on_done(len(jobs[place].questions))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(jobs))):
            group.create_task(work())
    return found


@contextmanager
def _rare_collection() -> Iterator[None]:
    """Let Python look for garbage cycles more rarely: all replies are kept, and counting them again costs a third."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _Doors:
    """Which doors (address and port) have never answered, so that a host that is down costs little time."""

    def __init__(self) -> None:
        self._failed: Counter[tuple[str, int]] = Counter()
        self._alive: set[tuple[str, int]] = set()

    def is_dead(self, target: Target) -> bool:
        door = (target.address, target.port)
        return door not in self._alive and self._failed[door] >= GIVE_UP_AFTER

    def note(self, target: Target, observation: Observation) -> None:
        door = (target.address, target.port)
        if observation.is_unreached:
            self._failed[door] += 1
        else:
            self._alive.add(door)


async def _replies_of(prober: Prober, job: Inquiry, doors: _Doors) -> AsyncIterator[Reply]:
    """The replies of one target, until it turns out to be out of reach."""
    ours = ""
    ordered = sorted(job.questions, key=lambda question: question.is_late)
    for place, question in enumerate(ordered):
        if question.is_late and not ours:
            return
        if doors.is_dead(job.target):
            now = time.time()
            error = f"connect: not tried, {GIVE_UP_AFTER} other connections to this port had failed"
            yield Reply(job.target, question, Observation(None, (), "", 0, now, now, error))
            return
        is_last = place == len(ordered) - 1
        seen = await prober.ask(job.target, question, is_last)
        doors.note(job.target, seen)
        if question.method == "GET" and question.path == "/" and place == 0:
            ours = seen.ours if seen.ours.endswith("/block") else ""
        yield Reply(job.target, question, seen)
        if seen.is_unreached:
            return


def questions_in(jobs: Iterable[Inquiry]) -> int:
    """How many questions a sweep will ask at most."""
    return sum(len(job.questions) for job in jobs)
