# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at some sites without pause across a switch: when did each one really go on strike, and come back?

Each target is asked `GET /` every `period_s`, staggered, by a task of its own. The times are brackets: the
server decided somewhere between sending and first byte. Touches network and clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from piquet.verify.observation import Observation, Target
from piquet.verify.outside.probe import Prober
from piquet.verify.outside.sweep import DEFAULT_CONCURRENCY
from piquet.verify.questions import FRONT

Window = tuple[float, float]
"""`[start, end)` in epoch seconds, UTC."""


@dataclass
class StrikeTime:
    """A time without interruption in which a target answered with the strike.

    Attributes:
        before: the last answer without the strike, None if it was on from the first answer.
        first_ours: first answer with the strike.
        last_ours: last one.
        after: the first answer without it again, None if the watch ended first.
    """

    before: Observation | None
    first_ours: Observation
    last_ours: Observation
    after: Observation | None = None


@dataclass
class Timeline:
    """What one target answered over time.

    Attributes:
        target: whom.
        samples: answers in all.
        silent: attempts that tell nothing.
        runs: the times on strike, in order.
        signs: every X-Piquet value seen.
        is_ours_at_end: on strike at the last answer.
        first_at: when the first answered question was sent, epoch seconds UTC.
        last_at: when the last answer came.
        last_usual: the last answer without the strike.
    """

    target: Target
    samples: int = 0
    silent: int = 0
    runs: list[StrikeTime] = field(default_factory=list)
    signs: set[str] = field(default_factory=set)
    is_ours_at_end: bool = False
    first_at: float | None = None
    last_at: float | None = None
    last_usual: Observation | None = None

    def note(self, seen: Observation) -> None:
        """Take in one more observation.

        A connection that was made and closed without an answer is not the strike (some sites do that as
        usual); a connection that failed, or an answer that did not come in time, tells nothing.
        """
        if seen.error and not seen.error.startswith("closed:"):
            self.silent += 1
            return
        self.samples += 1
        self.first_at = self.first_at or seen.sent_at
        self.last_at = seen.first_byte_at
        if seen.ours and self.is_ours_at_end:
            self.runs[-1].last_ours = seen
        elif seen.ours:
            self.runs.append(StrikeTime(self.last_usual, seen, seen))
        elif self.is_ours_at_end:
            self.runs[-1].after = seen
        if not seen.ours:
            self.last_usual = seen
        else:
            self.signs.add(seen.ours)
        self.is_ours_at_end = bool(seen.ours)

    @property
    def first_ours_at(self) -> float | None:
        """When the first strike answer had arrived, epoch seconds UTC: the switch was not later."""
        return self.runs[0].first_ours.first_byte_at if self.runs else None

    @property
    def last_ours_at(self) -> float | None:
        """When the last strike answer was asked for, epoch seconds UTC: the return was hardly earlier."""
        return self.runs[-1].last_ours.sent_at if self.runs else None

    def seconds_outside(self, windows: Iterable[Window]) -> float:
        """Seconds on strike outside the windows, as far as answers prove it (a lower bound).

        A strike answer that was asked for and received wholly outside counts at least its own duration.
        """
        windows = tuple(windows)
        return sum(_seconds_outside_run(run, windows) for run in self.runs)

    def seconds_missed(self, windows: Iterable[Window]) -> float:
        """Seconds of the windows, while watched, provably not on strike (a lower bound)."""
        return sum(self._missed_seconds(window) for window in windows)

    def _missed_seconds(self, window: Window) -> float:
        if self.first_at is None or self.last_at is None:
            return 0.0
        start, end = max(window[0], self.first_at), min(window[1], self.last_at)
        held = sum(
            max(0.0, min(end, _latest_end(run)) - max(start, _earliest_start(run))) for run in self.runs
        )
        return max(0.0, end - start - held)


def _earliest_start(run: StrikeTime) -> float:
    """The earliest instant from which the run may have lasted."""
    return run.before.sent_at if run.before else float("-inf")


def _latest_end(run: StrikeTime) -> float:
    """The latest instant until which the run may have lasted."""
    return run.after.first_byte_at if run.after else float("inf")


def _seconds_outside_run(run: StrikeTime, windows: Sequence[Window]) -> float:
    first, last = run.first_ours, run.last_ours
    if first is last:
        may_be_inside = any(first.sent_at < end and start <= first.first_byte_at for start, end in windows)
        return 0.0 if may_be_inside else first.first_byte_at - first.sent_at
    since, till = first.first_byte_at, last.sent_at
    inside = sum(max(0.0, min(till, end) - max(since, start)) for start, end in windows)
    return max(0.0, till - since - inside)


async def watch(
    prober: Prober,
    targets: Sequence[Target],
    until: float,
    period_s: float,
    concurrency: int = DEFAULT_CONCURRENCY,
    answered_since: float = 0.0,
    patience_s: float = 0.0,
) -> tuple[Timeline, ...]:
    """Sample every target until an instant.

    Args:
        prober: an open one.
        targets: whom.
        until: epoch seconds, UTC; the last samples are asked for just before.
        period_s: between two samples of one target; longer if answers take longer.
        concurrency: how many are asked at the same time; when this is too few, the period grows, which
            `samples` then shows.
        answered_since: epoch seconds, UTC; a target without an answer since then (its host was down) is asked on.
        patience_s: for how long after `until`.
    """
    timelines = tuple(Timeline(target) for target in targets)
    places = asyncio.Semaphore(concurrency)

    async def follow(timeline: Timeline, delay_s: float) -> None:
        due = time.time() + delay_s
        while due < until or ((timeline.last_at or 0.0) < answered_since and due < until + patience_s):
            await asyncio.sleep(max(0.0, due - time.time()))
            async with places:
                timeline.note(await prober.ask(timeline.target, FRONT))
            due = max(due + period_s, time.time())

    async with asyncio.TaskGroup() as group:
        for number, timeline in enumerate(timelines):
            group.create_task(follow(timeline, period_s * number / max(1, len(timelines))))
    return timelines
