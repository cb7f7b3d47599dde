# SPDX-License-Identifier: GPL-3.0-or-later
"""When a fleet really went on strike and came back, from a watch across one window. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from piquet.verify.outside.watch import Timeline, Window


@dataclass(frozen=True)
class Switch:
    """One window as the fleet really kept it; all times in seconds.

    Attributes:
        doors: how many targets were watched.
        samples: answers in all.
        silent: attempts that told nothing.
        never: targets that were never seen on strike.
        last_on_s: when the slowest target had certainly switched, after the start; None if none did.
        last_off_s: when the slowest target had certainly come back, after the end; None if one did not.
        outside_s: time on strike outside the window that answers prove, summed over targets.
        missed_s: watched time in the window that was provably without strike, summed over targets.
    """

    doors: int
    samples: int
    silent: int
    never: tuple[str, ...]
    last_on_s: float | None
    last_off_s: float | None
    outside_s: float
    missed_s: float


def switch(timelines: Sequence[Timeline], window: Window) -> Switch:
    """Sum up what a watch saw of one window.

    Args:
        timelines: of targets that are selected for it.
        window: start and end in epoch seconds, UTC.
    """
    on = [timeline.runs[0].first_ours.first_byte_at - window[0] for timeline in timelines if timeline.runs]
    ends = [timeline.runs[-1].after for timeline in timelines if timeline.runs]
    off = [after.first_byte_at - window[1] for after in ends if after]
    return Switch(
        doors=len(timelines),
        samples=sum(timeline.samples for timeline in timelines),
        silent=sum(timeline.silent for timeline in timelines),
        never=tuple(timeline.target.label for timeline in timelines if not timeline.runs),
        last_on_s=max(on, default=None),
        last_off_s=max(off) if off and len(off) == len(ends) else None,
        outside_s=sum(timeline.seconds_outside([window]) for timeline in timelines),
        missed_s=sum(timeline.seconds_missed([window]) for timeline in timelines),
    )


def switch_text(seen: Switch) -> str:
    """One sentence for people."""
    on = (
        "no site went on strike"
        if seen.last_on_s is None
        else f"all on strike {_ms(seen.last_on_s)} after the start"
    )
    if seen.never and seen.last_on_s is not None:
        on = f"{len(seen.never)} never on strike, the others {_ms(seen.last_on_s)} after the start"
    off = (
        "not all seen to come back"
        if seen.last_off_s is None
        else f"all back {_ms(seen.last_off_s)} after the end"
    )
    return (
        f"{seen.doors} doors, {seen.samples} answers: {on} at the latest, {off} at the latest; "
        f"{seen.outside_s:.3f} site-seconds on strike outside the window, {seen.missed_s:.3f} missed inside"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
