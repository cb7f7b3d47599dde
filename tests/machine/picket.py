# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine: rules are what may happen, invariants are what must hold after each of them."""

from __future__ import annotations

import functools
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from piquet.host.outcome import Outcome
from piquet.protocol.entries import entry_name
from tests.host.arming import dies_before
from tests.machine.outsiders import MASKED, RUNNING, Outsiders
from tests.machine.plans import SERVER_FILES, Plan
from tests.machine.restores import ETC, LIB
from tests.machine.steps import MOVES, Said, fails_at, step
from tests.machine.wanted import HELD, RELEASED, Wanted
from tests.machine.world import World

RECONCILING = ("stage", "arm", "check arm", "reconcile")
THEN = ("", "reconcile", "boot")
KINDS = (0, 1)
BY_CHANCE = 25
CALLS = (*range(1, 9), *range(1, 21), *range(1, 71))
OPERATORS = ("hook", "unhook", "stage", "stage", "arm", "arm another's", "check arm")
VERBS = ("hook", "unhook", "stage", "rehearse", "arm", "arm", "reconcile", "stop", "rollback", "remove")
SECONDS = (1, 7, 60, 60, 300, 300, 900, 1800, -2, -90, -1200, -7200, 7200, -400_000)
SPOILS = ("page", "mode", "agent", "first", "last", "etc", "state")


class Picket(Outsiders, RuleBasedStateMachine):
    """One host in the hands of everybody. A subclass sets `world`; `steps` counts what was done to it."""

    world: ClassVar[World]
    is_booting = False
    stopping = ""
    steps: ClassVar[Counter[str]]

    @initialize(begins_armed=st.sampled_from((True, True, False)), chance=st.integers(0, 2**64 - 1))
    def begin(self, begins_armed: bool, chance: int) -> None:
        """A host that never had piquet, or one that is armed; then some steps by chance, all equally likely.

        Hypothesis likes to take few rules many times: good for finding what repeats, bad for what needs four in a row.
        """
        self.world.begin()
        self.wanted = Wanted(self.world.plan(0).keys)
        self.count = 0
        self.is_broken = self.is_spoiled = self.is_shown = self.is_astray = False
        self.out_since: dict[str, float] = {}
        self.was_unhooked: frozenset[str] = frozenset()
        self.told: set[str] = set()
        if begins_armed:
            self._go_on_strike(0)
        drawn = random.Random(chance)
        for _ in range(BY_CHANCE):
            name = drawn.choice([name for name, move in MOVES.items() if move.when(self)])
            given = {key: drawn.choice(values) for key, values in MOVES[name].choices.items()}
            note(f"by chance: {name}({given})")
            MOVES[name].act(self, **given)
            self.hold()

    def hold(self) -> None:
        """Every invariant."""
        self.the_released_stay_released()
        self.nobody_is_blocked_outside_the_window()
        self.the_held_are_held()
        self.owners_keep_what_they_wrote()
        self.servers_accept_their_configuration()
        self.a_pass_is_one_that_was_told()

    # verbs, carried out to their end

    @step(verb=OPERATORS, kind=KINDS, is_ready=(False, True))
    def operate(self, verb: str, kind: int, is_ready: bool) -> None:
        """An operator hooks, unhooks, stages (again, another, over an armed one), arms, or only looks whether to."""
        self._make_ready(verb, 0, is_ready)
        plan = self.armable(kind)
        if verb == "stage":
            self._stage(self.world.plan(kind))
        elif verb in ("arm", "arm another's"):  # refused unless it is the one that is staged
            self._arm(plan if verb == "arm" else self.world.plan(kind))
        elif verb == "check arm":  # all hosts are checked before the first is armed: no flag goes up
            self.carry_out("check arm", lambda: self._ask_arm(plan, only_check=True))
        else:
            self.carry_out(verb, self._call(verb, kind))

    @step(when=lambda self: not self.wanted.is_armed(), kind=KINDS)
    def go_on_strike(self, kind: int) -> None:
        """Whatever has happened before: what nobody holds can be hooked, staged and armed."""
        self._go_on_strike(kind)

    @step()
    def reconcile(self) -> None:
        """The timer."""
        self._reconcile()

    @step(
        phase=(0, 0, 1, 2, 7),
        then=("", "again", "end", "wait", "rollback", "reconcile"),
        is_early=(False, True),
    )
    def rehearse(self, phase: int, then: str, is_early: bool) -> None:
        """Somebody looks at what is staged, armed or not: no flag, and no rule about flags, is touched by that.

        In a window it is refused, so that the clock is set to an hour before the first one half of the time.
        """
        if is_early:
            self.world.set_clock(min(start for start, _ in self.world.plan(0).windows) - 3600)
        before, armed = self.world.passes(), self.world.paths.armed.exists()
        outcome = self._rehearse(phase)
        assert outcome.is_ok == (outcome.rehearsal is not None)
        assert outcome.is_ok or self.world.passes() == before
        assert self.world.paths.armed.exists() == armed or not outcome.is_ok
        if then == "again":
            assert self._rehearse(phase).is_ok == outcome.is_ok
        elif then == "end":
            assert self.carry_out("rehearse", lambda: self.world.ask("rehearse", end=True)).is_ok
            assert not self.world.passes()
        elif then == "rollback":
            self.carry_out("rollback", lambda: self.world.ask("rollback"))
        elif then:
            self.world.set_clock(self.world.now + (1800 if then == "wait" else 0))
            self._reconcile()

    def _rehearse(self, phase: int) -> Outcome:
        return self.carry_out("rehearse", lambda: self.world.ask("rehearse", phase=phase))

    @step(
        when=lambda self: self.wanted.is_armed() or self.world.paths.lib.exists(),
        how=("rollback", "remove", "paper"),
    )
    def end(self, how: str) -> None:
        """Somebody ends it, by a verb or by the line on the paper; `remove` leaves nothing behind."""
        if how == "paper":
            self._follow_the_paper()
            return
        outcome = self.carry_out(how, lambda: self.world.ask(how))
        assert outcome.is_ok, [finding.to_json() for finding in outcome.findings]
        assert not self.world.flags()
        is_all_known = self.world.is_installed  # else nobody reads which other files have a copy of our line
        assert how != "remove" or not is_all_known or self.world.leftovers() == []

    @step(when=lambda self: self.wanted.is_armed(), which=(0, 1), then=(*THEN, "set back"))
    def stop_by_name(self, which: int, then: str) -> None:
        """Somebody ends one site for good by the verb; the others go on, whatever is put back."""
        self._make_ready("stop", which, is_ready=False)
        outcome = self.carry_out("stop", self._call("stop", which))
        assert outcome.is_ok, [finding.to_json() for finding in outcome.findings]
        assert self.wanted.keys[which] not in self.world.flags()
        self.steps["(stopped by name)"] += outcome.is_changed
        if then == "set back":
            self.set_back()
        else:
            self._go_on(then)

    @step(verb=("hook", "unhook", "stage", "rehearse", "arm", "stop", "rollback", "remove"), kind=KINDS)
    def only_look(self, verb: str, kind: int) -> None:
        """Check mode changes nothing at all."""
        before = self.world.tree()
        asked = {"plan_digest": self.world.plan(kind).digest} if verb in ("stage", "arm") else {}
        asked |= {"site": entry_name(self.wanted.keys[kind])} if verb == "stop" else {}
        files = {"files": self._surveyed()} if verb == "hook" else {}
        members = dict(self.world.plan(kind).members) if verb == "stage" else None
        self.world.ask(verb, members, check=True, **asked, **files)
        assert self.world.tree() == before

    # verbs that do not get to their end

    @step(verb=VERBS, kind=KINDS, calls=CALLS, is_ready=(False, True), then=("", "append"))
    def die(self, verb: str, kind: int, calls: int, is_ready: bool, then: str) -> None:
        """The agent dies before one of its calls that change a file; an owner may save before anybody comes."""
        self._make_ready(verb, kind, is_ready)
        was_certain = self._note_before()
        answer = self.world.root / "answer.json"

        def call() -> None:
            outcome = self._call(verb, kind)()
            answer.write_text(json.dumps([outcome.is_ok, outcome.is_changed]))

        if dies_before(calls, call):
            self._doubt(verb, kind, was_certain)
        else:
            self._after(verb, Said(*json.loads(answer.read_text())))
        if then:
            for which in range(3):
                self._edit(then, which)

    @step(verb=VERBS, kind=KINDS, calls=CALLS, is_ready=(False, True))
    def run_out_of_space(self, verb: str, kind: int, calls: int, is_ready: bool) -> None:
        """One write fails: the verb says so or gets through, and no release needs any space."""
        self._make_ready(verb, kind, is_ready)
        was_certain, was_armed = self._note_before(), self.wanted.is_armed()
        with fails_at(calls) as failed:
            outcome = self._call(verb, kind)()
        if not failed:
            self._after(verb, outcome)
            return
        self._doubt(verb, kind, was_certain)
        if verb in ("rollback", "remove") or (verb == "arm" and not outcome.is_ok and not was_armed):
            self.wanted.release()
        elif verb == "arm" and outcome.is_ok and outcome.is_changed:
            self._held()

    # what people do by hand

    @step(
        when=lambda self: self.world.flags(),
        how=("one", "all", "link", "run"),
        which=(0, 1),
        then=(*THEN, "set back"),
    )
    def stop_by_hand(self, how: str, which: int, then: str) -> None:
        """Somebody takes one flag away, all of them one by one, the link, or all of /run/piquet."""
        flags = sorted(self.world.flags())
        gone = flags[which : which + 1] or flags[:1] if how == "one" else flags
        if how == "run" or (how == "link" and not self.world.paths.live.is_symlink()):
            shutil.rmtree(self.world.paths.run)
        elif how == "link":
            self.world.paths.live.unlink()
        else:
            for key in gone:
                (self.world.paths.live / key).unlink()
        self.wanted.delete(gone)
        if then == "set back":
            self._reconcile()
            self.set_back()
        else:
            self._go_on(then)

    @step(which=(0, 1))
    def make_a_flag(self, which: int) -> None:
        """Somebody tries to start an entry by hand."""
        key = self.wanted.keys[which]
        if key not in self.world.flags():
            self.world.paths.live.mkdir(parents=True, exist_ok=True)
            (self.world.paths.live / key).touch()
            self.wanted.make(key)

    @step(
        when=lambda self: self.world.paths.armed.exists(),
        text=("", "{", "[]", '{"phases":[]}', "\udcff"),
        then=THEN,
    )
    def garble_the_state(self, text: str, then: str) -> None:
        """A disk error, or an editor."""
        self.world.paths.armed.write_text(text, "utf-8", "surrogateescape")
        self.wanted.lost.add(LIB)
        self._go_on(then)

    @step(when=lambda self: self._can_be_spoiled(), what=SPOILS, then=THEN)
    def spoil(self, what: str, then: str) -> None:
        """Somebody changes or deletes what was staged."""
        first, *_, last = (self.world.root / name[1:] for name in SERVER_FILES[self.world.provider])
        page, agent = self.world.root / "var/lib/piquet/www/page.html", self.world.paths.agent
        if what in ("page", "mode") and page.exists():
            page.write_text("other") if what == "page" else page.chmod(0o666)
        elif what in ("first", "last", "agent"):
            {"first": first, "last": last, "agent": agent}[what].unlink(missing_ok=True)
        elif what in ("etc", "state"):
            shutil.rmtree(self.world.paths.etc if what == "etc" else self.world.paths.lib, ignore_errors=True)
        self.wanted.lost |= {"etc": {ETC}, "state": {LIB}}.get(what, set())
        self.is_spoiled |= what in ("first", "last", "etc")
        self.is_shown = False
        self._go_on(then)

    # what owners do

    @step(how=("append", "inside", "deploy", "copy", "indent"), which=(0, 1, 2), then=("", "", "hook"))
    def edit(self, how: str, which: int, then: str) -> None:
        """An owner, or their configuration management, writes a file, with our line in it or without; or hooks it."""
        self._edit(how, which)
        if then:
            self.carry_out("hook", self._hook)

    def _edit(self, how: str, which: int) -> None:
        self.count += 1
        path = sorted(p for p in self.world.owned if "sites-available" in str(p) or p.name == "own.conf")[
            which
        ]
        text, disk = self.world.owned[path], path.read_bytes()
        note = b"# edited %d\n" % self.count
        if how == "append":
            self.world.own(path, text + note, disk + note)
        elif how == "inside":
            self.world.own(path, _edited(text, note), _edited(disk, note))
        elif how == "deploy":
            self.world.own(path, _edited(text, note))
        elif how == "copy":
            copy = path.parent.parent / "conf.d/copy.conf"
            self.world.own(copy, _renamed(text), _renamed(disk))
        elif b", inline" not in disk:  # else nobody can tell whose the line feeds are
            self.world.own(path, text, disk.replace(b"\n    include", b"\n\t\tinclude"))

    @step(when=lambda self: not self.is_broken)
    def break_the_configuration(self) -> None:
        """An owner saves nonsense."""
        self.world.own(self.world.broken, b"Nonsense;\n")
        self.is_broken = True

    @step(when=lambda self: self.is_broken)
    def mend(self) -> None:
        """An owner takes it out again, and starts the server if it had not come up."""
        self._mend()

    # what happens by itself

    @step(seconds=SECONDS)
    def pass_time(self, seconds: int) -> None:
        """Time passes, or somebody sets the clock."""
        self.world.set_clock(self.world.now + seconds)

    @step(when=lambda self: self.wanted.is_armed(), which=(0, 1, 2, 3), seconds=(-1, 0, 1), then=THEN[:2])
    def come_to(self, which: int, seconds: int, then: str) -> None:
        """A boundary of the plan comes, to the second, and perhaps the timer with it."""
        if self.wanted.plan:
            boundaries = [at for window in self.wanted.plan.windows for at in window]
            self.world.set_clock(boundaries[which] + seconds)
            self._go_on(then)

    @step(is_clean=(False, True), is_reconciled=(False, True))
    def reboot(self, is_clean: bool, is_reconciled: bool) -> None:
        """A shutdown, which reconciles, or a power cut; then a boot, whose unit may have been stopped."""
        if is_clean and self.world.units == RUNNING:
            look = functools.partial(self.world.reconcile, is_stopping=True, is_shutdown=True)
            self.carry_out("reconcile", look)
        self._boot(is_reconciled)

    # what must hold

    @invariant()
    def the_released_stay_released(self) -> None:
        """Once released never blocked without a new arm."""
        for key in self._flags_that_count():
            assert self.wanted.status[key] != RELEASED, f"{key} was released, and its flag is up"

    @invariant()
    def nobody_is_blocked_outside_the_window(self) -> None:
        """What the server answers as ours is held by somebody, and inside the window of the plan that they armed."""
        if hasattr(self, "wanted"):
            for key in self.wanted.keys:
                if self.world.shows(key) and key not in self.wanted.by_hand:
                    assert self.wanted.status[key] != RELEASED, f"{key} was released and is blocked"
                    assert self.wanted.plan is not None
                    if (
                        self.is_astray
                    ):  # another plan's files were put back; the next look takes the flags away
                        continue
                    windows = self.wanted.plan.windows_of(key)
                    assert any(start <= self.world.now < end for start, end in windows), (
                        f"{key}: too early or late"
                    )

    @invariant()
    def the_held_are_held(self) -> None:
        """Left alone, an armed entry has its flag after every boot until its end, and blocks in its window."""
        if (
            not hasattr(self, "wanted")
            or not self.wanted.is_booted
            or self.wanted.is_ending()
            or not self.wanted.plan
        ):
            return
        plan, now = self.wanted.plan, self.world.now
        held = (
            k for k in self.wanted.keys if self.wanted.status[k] == HELD and k not in self.wanted.unnoticed
        )
        for key in (key for key in held if now < plan.end_of(key)):
            assert key in self.world.flags(), f"{key} is held, and its flag is not up"
            if self.is_shown and any(start <= now < end for start, end in plan.windows_of(key)):
                assert self.world.shows(key), f"{key} is held, and shows nothing"
                self.steps["(a strike was seen)"] += 1

    @invariant()
    def owners_keep_what_they_wrote(self) -> None:
        """Every foreign file holds what its owner last wrote, our line aside."""
        assert self.world.foreign_damage() == []

    @invariant()
    def servers_accept_their_configuration(self) -> None:
        """Both servers pass their own test, unless somebody has broken it, also between a death and the recovery."""
        if hasattr(self, "wanted") and not self.is_broken and not self.is_spoiled:
            for name in ("nginx", "apache"):
                assert self.world.verdict(name).ok, self.world.verdict(name).output

    @invariant()
    def a_pass_is_one_that_was_told(self) -> None:
        """Nobody can show the strike to whom nobody told a secret; a boot, an end and a new one end it."""
        if hasattr(self, "told"):
            assert self.world.passes() <= self.told

    # how verbs are carried out and judged

    def carry_out(self, verb: str, call: Callable[[], Outcome]) -> Outcome:
        """One verb to its end."""
        self._note_before()
        outcome = call()
        self._after(verb, outcome)
        return outcome

    def _make_ready(self, verb: str, kind: int, is_ready: bool) -> None:
        """Everything for an arm that nothing refuses; and which site a `stop` is about."""
        self.stopping = self.wanted.keys[kind]
        if ("arm" in verb or verb == "rehearse") and is_ready and not self.is_broken:
            self.carry_out("rollback", lambda: self.world.ask("rollback"))
            self._install()
            self._start_units()
            self._reconcile()
            self.carry_out("hook", self._hook)
            self._stage(self.world.plan(kind))

    def _follow_the_paper(self) -> None:
        self.wanted.delete(self.world.flags())
        if self.world.paths.live.is_symlink():
            self.world.paths.live.unlink()
        else:  # a folder that somebody made by hand
            shutil.rmtree(self.world.paths.live, ignore_errors=True)
        self.world.paths.armed.unlink(missing_ok=True)
        shutil.rmtree(self.world.paths.spool, ignore_errors=True)
        self.wanted.release()

    def _go_on_strike(self, kind: int) -> None:
        if self.is_broken:
            self._mend()
        self._install()
        self._start_units()
        self._reconcile()
        plan = self.world.plan(kind)
        assert self.carry_out("hook", self._hook).is_ok
        assert self._stage(plan).is_ok
        self.world.start()  # half a copy of these small files had kept it from starting
        if self.world.now < plan.end:
            armed = self._arm(plan)
            assert armed.is_ok, [finding.to_json() for finding in armed.findings]

    def _can_be_spoiled(self) -> bool:
        """Not amidst an interrupted transaction: whoever deletes its register as well leaves nobody to undo it."""
        return self.world.paths.manifest.exists() and not self.world.paths.checkpoint.exists()

    def _go_on(self, then: str) -> None:
        """What a person did is noticed, and it may be that the power fails soon after."""
        if then:
            self._reconcile()
        if then.endswith("boot"):
            self._boot(is_reconciled=True)

    def _boot(self, is_reconciled: bool) -> None:
        self.wanted.is_doomed |= self.world.units != RUNNING and self.wanted.is_armed()
        self.world.reboot()
        self.wanted.cut()
        if self.world.units != MASKED:
            self.world.units = RUNNING
            if is_reconciled:
                self._begin_units()
        self.world.start()
        self.is_shown &= self.world.is_running() and self._is_all_hooked()

    def _reconcile(self) -> None:
        """The timer, while it runs."""
        if self.world.units == RUNNING:
            self.carry_out("reconcile", self.world.reconcile)

    def _mend(self) -> None:
        del self.world.owned[self.world.broken]
        self.world.broken.unlink()
        self.is_broken = False
        self.world.start()

    def staged(self) -> Plan | None:
        """The plan whose documents lie on the host."""
        plans = self.world._plans.values()
        path = self.world.paths.plan
        text = path.read_bytes() if path.exists() else b""
        return next((plan for plan in plans if plan.members["plan.json"] == text), None)

    def _note_before(self) -> bool:
        """What can only be seen before the verb; whether a reconcile would find nothing to do but by the clock."""
        plan = self.wanted.plan
        there, all_parts = plan.config_parts(self.world) if plan else (0, 0)
        is_partial = there < all_parts
        is_stale = plan is not None and not self.wanted.is_booted and not plan.is_intact(self.world)
        self._before = (self.world.flags(), is_partial or is_stale)
        self.was_unhooked = self.unhooked()
        self.was_running = self.world.units == RUNNING
        return self.wanted.is_certain() and not self._before[1]

    def _after(self, verb: str, outcome: Outcome | Said) -> None:
        """A verb has run to its end: nothing went up, nothing of it is left over, and what was open is decided."""
        flags, is_spoiled = self._before
        has_armed = verb == "arm" and outcome.is_ok and outcome.is_changed
        left = self.world.temporary_files()
        assert left == [], f"left over after {verb}: {left}"
        if self.wanted.is_booted and not has_armed:
            assert not self.world.flags() - flags, f"{verb} put flags up"
        is_booting, self.is_booting = self.is_booting, False
        self._looked_at_hooks(verb, is_booting, outcome.is_ok)
        if has_armed:
            self._held()
        elif verb in RECONCILING:
            self.wanted.settle(self.world.flags(), self.world.now, is_spoiled)
        if verb in RECONCILING:
            self._nothing_is_up_after_its_end()
            self.is_spoiled = self.is_astray = False
        if (verb in ("rollback", "remove") and outcome.is_ok) or (verb == "unhook" and outcome.is_changed):
            self.wanted.release()
            self.wanted.by_hand.clear()
        elif verb == "unhook" and not outcome.is_ok:
            self.wanted.doubt(RELEASED)
        elif verb == "stop" and outcome.is_ok and outcome.is_changed:
            self._stopped()
        if verb == "remove":
            self.is_spoiled = False
        self._rehearsed(verb, outcome)
        if verb == "stage" and self.world.units == RUNNING and not self.was_running:
            self._begin_units()
        self.is_shown &= verb not in ("unhook", "stage", "remove")

    def _stopped(self) -> None:
        """One site is over for good; all of them, if it was the last, or if nobody can read what is armed."""
        if self.world.paths.armed.exists():
            self.wanted.stop(self.stopping)
        else:
            self.wanted.release()
            self.wanted.by_hand.clear()

    def _rehearsed(self, verb: str, outcome: Outcome | Said) -> None:
        """The one pass that is told; and what must have taken it away: an end, other files, half an hour."""
        is_end = verb in ("rollback", "remove") or (verb == "stage" and outcome.is_changed)
        if is_end and outcome.is_ok:
            assert not self.world.passes(), f"{verb} left a rehearsal"
            self.told = set()
        elif verb == "rehearse" and outcome.is_ok:
            told = outcome.rehearsal if isinstance(outcome, Outcome) else None
            self.told = {str(told["path"]).rpartition("/")[2]} if told else set(self.world.passes())
            assert self.world.passes() == self.told
            self.steps["(rehearsed)"] += 1
        elif verb == "reconcile":
            made_at = [path.stat().st_mtime for path in self.world.paths.rehearse.glob("*")]
            assert all(at <= self.world.now < at + 1800 for at in made_at), "a rehearsal goes on too long"

    def _nothing_is_up_after_its_end(self) -> None:
        if self.wanted.plan:
            over = {key for key in self.wanted.keys if self.world.now >= self.wanted.plan.end_of(key)}
            assert not over & self.world.flags(), "a flag stands after its end"

    def _doubt(self, verb: str, kind: int, was_certain: bool) -> None:
        """A verb was cut short: what it might have changed is open until the next reconcile."""
        self.out_since.clear()
        if verb == "hook" or verb in RECONCILING:
            for key in self.was_unhooked:
                self.wanted.doubt_one(key)
        if verb == "rehearse":  # it may have made one, and died before it told anybody
            self.told |= self.world.passes()
        plan, now = self.armable(kind), self.world.now
        is_stopped = (
            RELEASED in self.wanted.status.values()
        )  # an arm begins anew, and what fails takes all away
        if verb == "arm" and plan is not None and is_stopped:
            if not self.wanted.is_armed():
                self.wanted.plan = plan
            if self.wanted.plan == plan:
                self.wanted.doubt()
        is_over = self.wanted.plan is not None and now >= min(
            self.wanted.plan.end_of(k) for k in self.wanted.keys
        )
        if verb in ("rollback", "remove", "unhook", "stop") or (
            verb in RECONCILING and (not was_certain or is_over)
        ):
            self.wanted.doubt(RELEASED)
        self.is_shown &= verb not in ("hook", "unhook", "stage", "remove")

    def _call(self, verb: str, kind: int) -> Callable[[], Outcome]:
        """A verb as somebody would call it now."""
        plan = self.world.plan(kind)
        calls: dict[str, Callable[[], Outcome]] = {
            "hook": self._hook,
            "stage": lambda: self.world.ask("stage", dict(plan.members), plan_digest=plan.digest),
            "arm": lambda: self._ask_arm(self.armable(kind) or plan),
            "reconcile": self.world.reconcile,
            "stop": lambda: self.world.ask("stop", site=entry_name(self.stopping)),
        }
        return calls.get(verb, lambda: self.world.ask(verb))

    def armable(self, kind: int) -> Plan | None:
        """What an operator would arm."""
        return self.staged() or self.world.plan(kind)

    def _hook(self) -> Outcome:
        return self.world.ask("hook", files=self._surveyed())

    def _surveyed(self) -> dict[str, str]:
        survey = self.world.machine().servers["nginx"].survey()
        if survey is None:  # it is not installed
            return {}
        files: dict[str, str] = survey.document["files"]
        return files

    def _stage(self, plan: Plan) -> Outcome:
        """Stage; over an armed plan it is refused, unless it is that plan and nothing is to do."""
        was_held = self._note_before() and HELD in self.wanted.status.values()
        members = dict(plan.members)
        outcome = self.carry_out("stage", lambda: self.world.ask("stage", members, plan_digest=plan.digest))
        if outcome.is_ok and not outcome.is_changed and plan == self.wanted.plan:
            assert plan.is_intact(self.world), "said to be in place"
        elif outcome.is_ok:
            assert not (was_held and self.wanted.plan and self.world.now < self.wanted.plan.end), (
                "staged over armed"
            )
            assert plan.is_intact(self.world)
            self.wanted.release()
        return outcome

    def _arm(self, plan: Plan | None) -> Outcome:
        """Arm one plan; what is held already stays as it is."""
        outcome = self.carry_out("arm", lambda: self._ask_arm(plan))
        if outcome.is_ok and outcome.is_changed:
            assert plan == self.wanted.plan, "another plan was armed"
        return outcome

    def _held(self) -> None:
        """What is staged was armed."""
        plan = self.staged()
        assert plan is not None
        self.wanted.hold(plan, self.world.now)
        self.is_shown = True
        self.steps["(armed)"] += 1
        if self.world.can_be_saved():  # the nightly backup, of what counts most
            self.world.save()

    def _ask_arm(self, plan: Plan | None, **options: Any) -> Outcome:
        assert plan is not None
        return self.world.ask("arm", plan_digest=plan.digest, **options)

    def _flags_that_count(self) -> frozenset[str]:
        return self.world.flags() - self.wanted.by_hand if hasattr(self, "wanted") else frozenset()

    def _is_all_hooked(self) -> bool:
        return all(self.world.is_hooked(p) for p in self.world.owned if "sites-available" in str(p))


def _edited(text: bytes, note: bytes) -> bytes:
    """An edit inside the block, above its `return`."""
    place = text.find(b"return")
    return text[:place] + b"# inside\n" + note + text[place:]


def _renamed(text: bytes) -> bytes:
    """A block that an owner has copied to serve another name."""
    return text.replace(b"server_name www.", b"server_name copy.")
