# SPDX-License-Identifier: GPL-3.0-or-later
"""Which starts and ends still have to be looked at. Values in, values out: no clock, no file, no network.

A boundary is due from the moment it passes until the local server was seen to do what it means, so a quiet minute
costs no probe. A disarmed host has one thing to confirm: that nothing of ours is answered any more.
"""

from __future__ import annotations

from typing import Collection, Dict, Iterable, List, NamedTuple, Sequence, Tuple, TypeVar

from piquet.host.state.manifest import StagedEntry, StagedPhase

T = TypeVar("T")
START, END, RELEASE = "start", "end", "release"
SITES = 3
"""That many are asked of each server at most, so that one site with a mind of its own says nothing of all."""


class Boundary(NamedTuple):
    """One thing to confirm: that a phase has begun, has ended, or was released."""

    phase: int
    kind: str

    @property
    def name(self) -> str:
        """As the record of confirmed boundaries has it."""
        return f"{self.phase}/{self.kind}"


def due(
    phases: Iterable[StagedPhase], now: float, is_armed: bool, confirmed: Collection[str]
) -> Tuple[Boundary, ...]:
    """What must be confirmed now.

    Args:
        phases: of this host.
        now: epoch seconds.
        is_armed: else every phase that began must be gone.
        confirmed: names of boundaries already confirmed.
    """
    found = []
    for phase in phases:
        if now < phase.start:
            continue
        if not is_armed:
            found.append(Boundary(phase.number, RELEASE))
        else:
            found.append(Boundary(phase.number, START if now < phase.end else END))
    return tuple(boundary for boundary in found if boundary.name not in confirmed)


def witnesses(
    entries: Iterable[StagedEntry], phase: int, excluded: Collection[str]
) -> Dict[str, Tuple[StagedEntry, ...]]:
    """For each server a few sites to ask about a phase, of those that were not stopped by hand.

    A site may be anybody's, and have a mind of its own; so there are several where there can be.
    """
    found: Dict[str, List[StagedEntry]] = {}
    for entry in entries:
        if phase in entry.phases and entry.probe and entry.key not in excluded:
            found.setdefault(entry.provider, []).append(entry)
    return {provider: spread(those) for provider, those in found.items()}


def spread(entries: Sequence[T], count: int = SITES) -> Tuple[T, ...]:
    """A few from all over the list, the first among them: what lies side by side often has one owner."""
    if len(entries) <= count:
        return tuple(entries)
    return tuple(entries[number * (len(entries) - 1) // (count - 1)] for number in range(count))
