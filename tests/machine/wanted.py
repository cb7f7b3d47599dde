# SPDX-License-Identifier: GPL-3.0-or-later
"""What people want of each entry, told by what they did: the machine's memory, which knows nothing of state files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.machine.plans import Plan

HELD, RELEASED, DOUBT = "held", "released", "in doubt"


@dataclass
class Wanted:
    """The will of everybody.

    Attributes:
        status: of each entry. In doubt is what a death or a clock set back leaves open: it may go either way, once.
        plan: that was armed last.
        unnoticed: flags deleted by hand which no reconcile has seen yet.
        by_hand: flags made by hand, which must not outlive the next reconcile.
        is_doomed: our units were stopped before a boot; whatever is up goes with the next reconcile.
        lost: places whose content was deleted or damaged, with the same effect unless they are brought back before.
        is_booted: a reconcile has run in this boot.
    """

    keys: tuple[str, ...]
    status: dict[str, str] = field(default_factory=dict)
    plan: Plan | None = None
    unnoticed: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    is_doomed: bool = False
    lost: set[str] = field(default_factory=set)
    is_booted: bool = True

    def __post_init__(self) -> None:
        """Nobody has armed anything."""
        self.release()

    def release(self) -> None:
        """Somebody ended it all, and it was confirmed."""
        self.status = dict.fromkeys(self.keys, RELEASED)
        self.unnoticed, self.lost, self.is_doomed = set(), set(), False

    def hold(self, plan: Plan, now: float) -> None:
        """An arm was confirmed."""
        self.plan = plan
        self.status = {key: HELD if now < plan.end_of(key) else DOUBT for key in self.keys}
        self.unnoticed, self.by_hand, self.lost = set(), set(), set()
        self.is_doomed, self.is_booted = False, True

    def doubt(self, *but: str) -> None:
        """A death in the middle: what had one of these states keeps it, all else may be either."""
        self.status = {key: s if s in but else DOUBT for key, s in self.status.items()}

    def doubt_one(self, key: str) -> None:
        """One entry may go either way, once."""
        if self.status[key] == HELD:
            self.status[key] = DOUBT

    def stop(self, key: str) -> None:
        """Somebody ended one entry, and it was confirmed."""
        self.status[key] = RELEASED
        self.unnoticed -= {key}
        self.by_hand -= {key}

    def is_armed(self) -> bool:
        """Whether anything may be up."""
        return any(status != RELEASED for status in self.status.values())

    def is_ending(self) -> bool:
        """Whether the next reconcile takes away whatever is up."""
        return self.is_doomed or bool(self.lost)

    def is_certain(self) -> bool:
        """Whether everybody knows what is up: nothing was lost, deleted or left open since the last reconcile."""
        return (
            self.is_booted
            and not self.is_ending()
            and not self.unnoticed
            and DOUBT not in self.status.values()
        )

    def delete(self, keys: Iterable[str]) -> None:
        """Somebody takes flags away that were up."""
        self.unnoticed |= set(keys) - self.by_hand
        self.by_hand -= set(keys)

    def make(self, key: str) -> None:
        """Somebody makes a flag: back before anybody has noticed, or one that nobody armed."""
        if key in self.unnoticed:
            self.unnoticed -= {key}
            self.status[key] = DOUBT
        elif not self.is_booted:
            self.doubt(RELEASED)
        self.by_hand |= {key}

    def cut(self) -> None:
        """A power cut: what nobody had noticed may be forgotten."""
        for key in self.unnoticed:
            self.status[key] = DOUBT if self.status[key] == HELD else self.status[key]
        self.unnoticed, self.by_hand, self.is_booted = set(), set(), False

    def settle(self, flags: frozenset[str], now: float, is_spoiled: bool) -> None:
        """A reconcile has run to its end: what was open is decided, and stays so."""
        if self.plan is None or self.is_ending() or now >= self.plan.end or is_spoiled:
            self.release()
        for key in self.keys:
            self.status[key] = self._settled(key, flags, now)
        self.unnoticed, self.by_hand, self.is_booted = set(), set(), True

    def _settled(self, key: str, flags: frozenset[str], now: float) -> str:
        status = self.status[key]
        if status == RELEASED or key in self.unnoticed:
            return RELEASED
        if self.plan is None or now >= self.plan.end_of(key):
            return DOUBT  # over; a clock that is set back may bring it back with the next boot
        return status if status == HELD else HELD if key in flags else RELEASED
