# SPDX-License-Identifier: GPL-3.0-or-later
"""Which starts and ends still have to be looked at. Values in, values out: no clock, no file, no network.

A boundary is due from the moment it passes until the local server was seen to do what it means, so a quiet minute
costs no probe. A disarmed host has one thing to confirm: that nothing of ours is answered any more.
"""

from __future__ import annotations

from typing import Collection, Iterable, NamedTuple, Tuple

from piquet.host.manifest import Entry, Phase

START, END, RELEASE = "start", "end", "release"


class Boundary(NamedTuple):
    """One thing to confirm: that a phase has begun, has ended, or was released."""

    phase: int
    kind: str

    @property
    def name(self) -> str:
        """As the record of confirmed boundaries has it."""
        return f"{self.phase}/{self.kind}"


def due(
    phases: Iterable[Phase], now: float, is_armed: bool, confirmed: Collection[str]
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


def witnesses(entries: Iterable[Entry], phase: int, excluded: Collection[str]) -> Tuple[Entry, ...]:
    """One site per server to ask about a phase: the first that was not stopped by hand."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if phase in entry.phases and entry.probe and entry.key not in excluded:
            found.setdefault(entry.provider, entry)
    return tuple(found.values())
