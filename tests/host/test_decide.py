# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule of reconcile, in a small world where people stop things, power fails and agents die between two steps.

Two promises, whatever happens in whatever order: what was released never blocks again without a new `arm`, and nothing
blocks once a reconcile has run after the end. And one that keeps the rule from being trivially safe: left alone, an
armed host has all its flags after every boot, until the end.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from piquet.host.reconciliation import (
    CompleteBoot,
    Disarm,
    Facts,
    PutUp,
    RecordStop,
    TakeAllDown,
    TakeDown,
    decide,
)
from piquet.host.state.armed import Armed
from piquet.host.state.manifest import StagedPhase

KEYS = frozenset({"a", "b", "c"})
ENDS = {"a": 60, "b": 100, "c": 100}
PHASES = (StagedPhase(1, "block", 20, 60), StagedPhase(2, "block", 80, 100))


class World(RuleBasedStateMachine):
    """State on disk, flags in /run, and what people have released since the last arm."""

    @initialize()
    def begin(self) -> None:
        """A host where nothing is armed."""
        self.now, self.boot = 0, 0
        self.armed: Armed | None = None
        self.is_unreadable = False
        self.flags: frozenset[str] | None = None
        self.is_intact = True
        self.released: frozenset[str] = KEYS
        self.unnoticed: frozenset[str] = frozenset()
        self.is_reconciled = True

    # what people do

    @rule()
    def arm(self) -> None:
        """A new arm, done to the end."""
        self._reconcile()
        if self.armed is None and self.now < 100 and self.is_intact:
            self._begin_arming()
            self._put_up(frozenset(k for k in KEYS if self.now < ENDS[k]))

    @rule(steps=st.integers(0, 2))
    def arm_and_die(self, steps: int) -> None:
        """An arm whose agent dies after some steps: with no flag up yet it is a release, else it is armed."""
        self._reconcile()
        if self.armed is None and self.now < 100:
            self._begin_arming()
            self._put_up(frozenset(k for k in KEYS if self.now < ENDS[k]), steps)
            if steps < 1:
                self.released = KEYS

    @rule()
    def rollback(self) -> None:
        """Also the printed one-line command."""
        self.flags, self.armed, self.is_unreadable = None, None, False
        self.released = KEYS

    @precondition(lambda self: self.flags is not None)
    @rule(key=st.sampled_from(sorted(KEYS)))
    def delete_a_flag(self, key: str) -> None:
        """Somebody stops one entry; it counts once a reconcile has seen it."""
        assert self.flags is not None
        if key in self.flags:
            self.flags -= {key}
            self.unnoticed |= {key}

    @precondition(lambda self: self.flags is not None)
    @rule()
    def delete_all_flags(self) -> None:
        """`rm /run/piquet/live`, or all of /run/piquet."""
        self.flags = None
        self.unnoticed = KEYS

    @rule(key=st.sampled_from(sorted(KEYS)))
    def make_a_flag(self, key: str) -> None:
        """Somebody tries to bring one back by hand."""
        if self.flags is not None and key in self.unnoticed:
            self.flags |= {key}
            self.unnoticed -= {key}

    @rule()
    def spoil(self) -> None:
        """Somebody changes a staged file."""
        self.is_intact = False

    @rule()
    def stage_again(self) -> None:
        """An operator repairs it."""
        self.is_intact = True

    @precondition(lambda self: self.armed is not None)
    @rule()
    def garble(self) -> None:
        """armed.json becomes unreadable."""
        self.is_unreadable = True

    # what happens by itself

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        """Time passes; the timer may be gone."""
        self.now += seconds
        self.is_reconciled = False

    @rule(is_clean=st.booleans())
    def reboot(self, is_clean: bool) -> None:
        """A clean shutdown reconciles first (ExecStop); a power cut forgets what nobody had noticed."""
        if is_clean:
            self._reconcile()
        if self.armed is not None and not self.armed.is_complete:
            self.released = KEYS
        self.boot += 1
        self.flags = None
        self.unnoticed = frozenset()
        self.is_reconciled = False

    @rule()
    def reconcile(self) -> None:
        """The timer."""
        self._reconcile()

    @rule(steps=st.integers(0, 4))
    def reconcile_and_die(self, steps: int) -> None:
        """A reconcile that is killed after some steps, and one that follows."""
        self._reconcile(steps)
        self._reconcile()

    # the promises

    @invariant()
    def what_was_released_stays_so(self) -> None:
        """No flag of a released entry is up."""
        if hasattr(self, "flags"):
            assert not (self.flags or frozenset()) & self.released

    @invariant()
    def nothing_is_up_after_its_end(self) -> None:
        """After a reconcile, no flag stands whose entry is over, and none at all that is not armed for."""
        if hasattr(self, "flags") and self.is_reconciled:
            up = self.flags or frozenset()
            assert all(self.now < ENDS[key] for key in up)
            assert not up or self.armed is not None

    @invariant()
    def left_alone_it_holds(self) -> None:
        """After a reconcile, what nobody released and is not over, is up."""
        if hasattr(self, "flags") and self.is_reconciled and self.armed and not self.is_unreadable:
            held = {key for key in KEYS - self.released if self.now < ENDS[key]}
            assert (self.flags or frozenset()) >= held - self.unnoticed

    # how the world carries actions out

    def _begin_arming(self) -> None:
        self.released, self.unnoticed, self.is_unreadable = frozenset(), frozenset(), False
        self.armed = Armed("d", "c", self.now, str(self.boot), False, {}, ENDS, PHASES, {})

    def _put_up(self, keys: frozenset[str], steps: int = 99) -> bool:
        """The three durable steps; False if the agent died among them."""
        assert self.armed is not None
        self.armed = self.armed.in_boot(str(self.boot), is_complete=False)
        if steps < 1:
            return False
        self.flags = keys
        if steps < 2:
            return False
        self.armed = self.armed.in_boot(str(self.boot), is_complete=True)
        return True

    def _reconcile(self, steps: int = 99) -> None:
        """Decide and act; `steps` counts down to the agent's death."""
        facts = Facts(
            self.now,
            str(self.boot),
            None if self.is_unreadable else self.armed,
            self.is_unreadable,
            self.flags,
            self.flags is not None,
            self.is_intact,
        )
        for action in decide(facts):
            if steps <= 0:
                return
            steps -= 1
            if isinstance(action, PutUp):
                if not self._put_up(action.keys, steps):
                    if self.flags is None:
                        self.released = KEYS  # in doubt: released
                    return
            elif not self._act(action, steps):
                return
        self.released |= self.unnoticed
        self.unnoticed = frozenset()
        self.is_reconciled = True

    def _act(self, action: object, steps: int) -> bool:
        if isinstance(action, TakeAllDown):
            self.flags = None
        elif isinstance(action, Disarm):
            self.flags = None
            if steps <= 0:
                self.unnoticed = KEYS  # flags gone, still armed: the next one must finish it
                return False
            self.armed, self.is_unreadable, self.released = None, False, KEYS
        elif isinstance(action, TakeDown):
            self.flags = (self.flags or frozenset()) - action.keys
        elif isinstance(action, RecordStop):
            assert self.armed is not None
            self.armed = self.armed.without(action.keys, self.now)
            self.released |= action.keys
        elif isinstance(action, CompleteBoot):
            assert self.armed is not None
            self.armed = replace(self.armed, is_complete=True)
        return True


World.TestCase.settings = settings(max_examples=400, stateful_step_count=30, deadline=None)
TestWorld = World.TestCase
