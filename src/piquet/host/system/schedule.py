# SPDX-License-Identifier: GPL-3.0-or-later
"""What calls reconcile: systemd's timers, cron, or nothing. It only ever helps: the lease ends a phase without it.

Source: sd_booted(3), systemd.timer(5), systemctl(1) `show`; cron(8) of Debian, which looks at /etc/cron.d every minute.
"""

from __future__ import annotations

import calendar
import re
import time
from typing import Mapping, Optional, Tuple

from piquet.host.system import commands, processes
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import Command, Platform
from piquet.protocol.findings import Finding

TIMER = "piquet-reconcile.timer"
WATCH = "piquet-watch.path"
BOOT = "piquet-boot.service"
_UP = ("initializing", "starting", "running", "degraded", "maintenance")
_MINUTE_S = 60


class Schedule:
    """One way to have reconcile called; this base class is the one that never calls it.

    The verbs: `take_up` after its files came, `drop` after they went, `stop` before they go, `timer` and `fault`.
    """

    name = "none"
    folder = ""
    note = ""

    def owns(self, path: str) -> bool:
        """Whether a file, as the manifest names it, is one of this schedule's own."""
        return bool(self.folder) and path.startswith(self.folder)

    def is_usable(self) -> bool:
        """Whether it is at work on this machine."""
        return False

    def take_up(self) -> commands.Result:
        """Let it begin with the files that were written."""
        return commands.Result(True, "")

    def drop(self) -> None:
        """Its files are gone from a host that stays staged: nothing of it may go on."""

    def read_units(self) -> None:
        """After unit files came or went."""

    def stop(self) -> None:
        """Before its files go with everything else. Never call this with the lock held: stopping runs reconcile."""

    def forget_failures(self) -> None:
        """Leave no trace in a service manager's list."""

    def is_going_down(self) -> bool:
        """Whether the machine is being shut down."""
        return False

    def timer(self, now: float) -> Tuple[bool, Optional[float]]:
        """Whether it waits, and for when (epoch seconds)."""
        return False, None

    def fault(self, now: float) -> Optional[Finding]:
        """Why nothing would watch the window; None if it would be watched, or need not be."""
        return None


class Systemd(Schedule):
    """Timers of systemd, where that is process 1: `systemctl` may be installed without it."""

    name = "systemd"
    folder = "/etc/systemd/system/"

    def __init__(self, systemctl: Command, paths: Paths) -> None:
        """Keep the command, () for none, and the places."""
        self.systemctl = systemctl
        self.paths = paths

    def is_usable(self) -> bool:
        """Whether this machine was booted with systemd and has its command."""
        return commands.is_program(self.systemctl) and is_booted_with_systemd(self.paths)

    def take_up(self) -> commands.Result:
        """Read changed unit files, restart the timer so that it has the new times, mark the boot unit as run.

        The boot unit is not waited for: it runs reconcile, which wants the lock that the caller holds.
        """
        self._call("daemon-reload")
        started = self._call(
            "restart", TIMER, WATCH
        )  # at once, since each of them brings the boot unit with it
        if not started.ok:  # a machine out of inotify instances: the timer sees a stop too, later
            self._call("reset-failed", WATCH)
            started = self._call("restart", TIMER)
        self._call("start", "--no-block", BOOT)
        return started

    def drop(self) -> None:
        """Stop the units whose files are gone; read again, they have no ExecStop that would want the lock."""
        self.read_units()
        self.stop()
        self.forget_failures()

    def read_units(self) -> None:
        """After unit files came or went."""
        if self.is_usable():
            self._call("daemon-reload")

    def stop(self) -> None:
        """Stop timer and boot unit."""
        if self.is_usable():
            self._call("stop", TIMER, WATCH, BOOT)

    def forget_failures(self) -> None:
        """Leave no trace in the service manager's list."""
        if self.is_usable():
            self._call("reset-failed", TIMER, WATCH, BOOT, "piquet-reconcile.service")

    def is_going_down(self) -> bool:
        """Whether the machine is being shut down; in doubt it is, since an ordinary reboot is no stop.

        Source: systemctl(1), `is-system-running`.
        """
        return self._call("is-system-running").output.strip() not in _UP

    def timer(self, now: float) -> Tuple[bool, Optional[float]]:
        """Whether the timer waits, and for when."""
        if not self.is_usable():
            return False, None
        shown = self._call("show", TIMER, "-p", "ActiveState", "-p", "NextElapseUSecRealtime").output
        return "ActiveState=active" in shown, _elapse(shown)

    def fault(self, now: float) -> Optional[Finding]:
        """The timer must be active."""
        if self.timer(now)[0]:
            return None
        message = "The timer is not active: nothing would watch the window."
        other = "process 1 is not systemd here: survey this host again, then plan and stage"
        hint = "stage again" if self.is_usable() else other
        return Finding("error", "timer-inactive", TIMER, message, hint=hint)

    def _call(self, *words: str) -> commands.Result:
        return commands.execute([*self.systemctl, *words], timeout_s=45)


class Cron(Schedule):
    """One file in /etc/cron.d, which a running cron finds by itself within the minute."""

    name = "cron"
    folder = "/etc/cron.d/"
    note = "Looked after by cron: a stop by hand is noticed at the next minute."

    def __init__(self, programs: Tuple[str, ...]) -> None:
        """Keep the names of programs that read /etc/cron.d; () for none."""
        self.programs = programs

    def is_usable(self) -> bool:
        """Whether such a program runs on this machine."""
        return processes.is_running(self.programs)

    def timer(self, now: float) -> Tuple[bool, Optional[float]]:
        """Whether it runs, and the next full minute."""
        return (True, (now // _MINUTE_S + 1) * _MINUTE_S) if self.is_usable() else (False, None)

    def fault(self, now: float) -> Optional[Finding]:
        """A cron must run."""
        if self.is_usable():
            return None
        message = "No cron that reads /etc/cron.d runs here: nothing would watch the window."
        expected = (
            f"a process {' or '.join(self.programs)}" if self.programs else "another cron than this system's"
        )
        hint = (
            "have its owner start it, also at boot (Debian: update-rc.d cron enable; service cron start); "
            "busybox's crond does not count"
        )
        return Finding("error", "cron-not-running", "cron", message, expected, hint=hint)


def schedules(platform: Platform, paths: Paths) -> Mapping[str, Schedule]:
    """Every schedule that we know, by the name that a manifest gives it."""
    known = (Systemd(platform.systemctl, paths), Cron(platform.cron))
    return {schedule.name: schedule for schedule in known}


def is_booted_with_systemd(paths: Paths) -> bool:
    """Whether process 1 is systemd.

    Source: sd_booted(3): /run/systemd/system is there then, and only then.
    """
    return paths.systemd.is_dir()


def _elapse(shown: str) -> Optional[float]:
    """Read `NextElapseUSecRealtime=Thu 2026-12-17 00:00:00 UTC` (the environment asks for UTC)."""
    match = re.search(
        r"^NextElapseUSecRealtime=\w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* UTC$", shown, re.MULTILINE
    )
    if match is None:
        return None
    return float(calendar.timegm(time.strptime(match.group(1), "%Y-%m-%d %H:%M:%S")))
