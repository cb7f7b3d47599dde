# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to a host beside our verbs: restore backups, stop and mask our units, delete, remove the server."""

from __future__ import annotations

import shutil
from typing import Any

from tests.machine.restores import ETC, LIB, TOGETHER, WAYS
from tests.machine.steps import step
from tests.machine.wanted import HELD, RELEASED

RUNNING, STOPPED, MASKED = "running", "stopped", "masked"


class Outsiders:
    """Rules of the machine; `world`, `wanted` and the verbs are the machine's own."""

    world: Any
    wanted: Any
    steps: Any
    is_shown: bool
    is_spoiled: bool
    is_broken: bool
    is_astray: bool
    is_booting: bool
    out_since: dict[str, float]
    was_unhooked: frozenset[str]
    carry_out: Any
    _reconcile: Any
    _go_on: Any
    _boot: Any

    # copies

    @step(when=lambda self: self.world.can_be_saved())
    def back_up(self) -> None:
        """Everything of ours, as it is."""
        self.world.save()

    @step(
        when=lambda self: not self.world.paths.checkpoint.exists(),
        which=(0, 1, 2, 3),
        places=TOGETHER,
        way=WAYS,
        then=("", "reconcile", "boot", "boot"),
    )
    def restore(self, which: int, places: tuple[str, ...], way: str, then: str) -> None:
        """An earlier copy of any of the three places, this host's or another's: it may release, and starts nothing."""
        copies = self.world.copies()
        self.world.bring_back(copies[which % len(copies)], places, way)
        self.wanted.doubt(RELEASED)
        self.wanted.lost -= self._back_again(places)
        self.out_since.clear()
        self.is_spoiled |= "etc/piquet" in places
        self.is_astray |= "etc/piquet" in places
        self.is_shown = False
        self.steps["(restored)"] += 1
        if then == "boot":  # before anybody has looked
            self._boot(is_reconciled=True)
        else:
            self._go_on(then)

    def _back_again(self, places: tuple[str, ...]) -> set[str]:
        """What was lost, and that nobody has missed yet, may be there again: of the very arming that nobody stopped."""
        there = {ETC} if ETC in places and self.world.paths.manifest.exists() else set()
        return there | ({LIB} if self.world.paths.armed.exists() else set())

    def set_back(self) -> None:
        """The armed state of the last backup, behind a stop that was noticed, and no power before anybody looks."""
        if not self.world.paths.checkpoint.exists():
            copies = self.world.copies()
            which = max(0, len(copies) - 2)
            self.restore(which=which, places=("armed.json",), way="copy", then="boot")

    # our units

    @step(how=("stop", "stop", "mask", "start"))
    def units(self, how: str) -> None:
        """Somebody stops our units by hand, masks them, or starts them (again)."""
        if how == "start":
            self._start_units()
        elif self.world.units == RUNNING and how == "stop":
            self.carry_out("reconcile", lambda: self.world.reconcile(is_stopping=True))
            self.world.units = STOPPED
        elif how == "mask" and self.world.mask():  # the watch sees a unit file change while it is there
            if self.world.units == RUNNING:
                self._reconcile()
            self.world.units = MASKED

    def _start_units(self) -> None:
        """What was masked is as it was, and the unit of the boot begins."""
        self.world.unmask()
        was, self.world.units = self.world.units, RUNNING
        if was != RUNNING:
            self._begin_units()

    def _begin_units(self) -> None:
        """What the unit of the boot does."""
        self.is_booting = True
        self.carry_out("reconcile", lambda: self.world.reconcile(boot=True))

    # what is deleted or removed

    @step(what=("run", "run and mark"), then=("", "", "reconcile", "boot"))
    def delete_run(self, what: str, then: str) -> None:
        """`rm -rf /run/piquet`, or `/run/piquet*`, at any moment."""
        self.wanted.delete(self.world.flags())
        shutil.rmtree(self.world.paths.run, ignore_errors=True)
        if what != "run":
            for path in self.world.paths.run.parent.glob("piquet*"):
                path.unlink()
        self._go_on(then)

    @step(how=("remove", "install"))
    def package(self, how: str) -> None:
        """The web server's package is removed, its configuration stays; or it is installed again."""
        if how == "remove" and self.world.is_installed:
            self.world.stop()
            self.world.is_installed = False
            self.is_shown = False
        elif how == "install":
            self._install()

    def _install(self) -> None:
        self.world.is_installed = True
        self.world.start()

    # the hook line

    def unhooked(self) -> frozenset[str]:
        """Held entries whose file has lost our line."""
        if self.world.provider != "nginx" or not hasattr(self, "wanted"):
            return frozenset()
        held = (key for key in self.wanted.keys if self.wanted.status[key] == HELD)
        return frozenset(key for key in held if not self.world.is_hooked(self.world._site(key)))

    def _looked_at_hooks(self, verb: str, is_boot: bool, is_ok: bool) -> None:
        """After a reconcile: a line that was out may be a stop; out in two looks a minute apart it must be one.

        `hook` puts a line back only after it has stopped the site.
        """
        if verb == "hook":
            for key in self.was_unhooked:
                if self.world.is_hooked(self.world._site(key)):
                    self.wanted.status[key] = RELEASED
                elif not is_ok:
                    self.wanted.doubt_one(key)
            return
        out, now = self.unhooked(), self.world.now
        if verb != "reconcile" or is_boot:
            return
        self.out_since = {key: min(self.out_since.get(key, now), now) for key in out}
        if self.is_broken or not self.world.is_installed:
            self.out_since.clear()
        for key in out:
            self.wanted.doubt_one(key)
            if now - self.out_since.get(key, now) >= 60:
                self.wanted.status[key] = RELEASED
                self.steps["(stopped by its hook)"] += 1
