# SPDX-License-Identifier: GPL-3.0-or-later
"""The timers that call reconcile. They only ever help: the lease ends a phase without them.

Source: systemd.timer(5), systemctl(1) `show`.
"""

from __future__ import annotations

import calendar
import re
import time
from typing import Optional, Tuple

from piquet.host import commands
from piquet.host.platforms import Command

TIMER = "piquet-reconcile.timer"
WATCH = "piquet-watch.path"
BOOT = "piquet-boot.service"
UNIT_FOLDER = "/etc/systemd/system/"


class Schedule:
    """systemd's timers, or nothing at all where there is no systemctl."""

    def __init__(self, systemctl: Command) -> None:
        """Keep the command; () for none."""
        self.systemctl = systemctl

    def is_usable(self) -> bool:
        """Whether this machine has a service manager that we can talk to."""
        return commands.exists(self.systemctl)

    def take_up(self) -> commands.Result:
        """Read changed unit files, restart the timer so that it has the new times, mark the boot unit as run.

        The boot unit is not waited for: it runs reconcile, which wants the lock that the caller holds.
        """
        if not self.is_usable():
            return commands.Result(True, "no systemd")
        self._call("daemon-reload")
        started = self._call("restart", TIMER)
        if not self._call(
            "restart", WATCH
        ).ok:  # a machine out of inotify instances: the timer sees a stop too, later
            self._call("reset-failed", WATCH)
        self._call("start", "--no-block", BOOT)
        return started

    def read_units(self) -> None:
        """After unit files came or went."""
        if self.is_usable():
            self._call("daemon-reload")

    def stop(self) -> None:
        """Stop timer and boot unit. Never call this with the lock held: stopping runs reconcile."""
        if self.is_usable():
            self._call("stop", TIMER, WATCH, BOOT)

    def forget_failures(self) -> None:
        """Leave no trace in the service manager's list."""
        if self.is_usable():
            self._call("reset-failed", TIMER, WATCH, BOOT, "piquet-reconcile.service")

    def timer(self) -> Tuple[bool, Optional[float]]:
        """Whether the timer waits, and for when (epoch seconds)."""
        if not self.is_usable():
            return False, None
        shown = self._call("show", TIMER, "-p", "ActiveState", "-p", "NextElapseUSecRealtime").output
        return "ActiveState=active" in shown, _elapse(shown)

    def _call(self, *words: str) -> commands.Result:
        return commands.run([*self.systemctl, *words], timeout_s=45)


def _elapse(shown: str) -> Optional[float]:
    """Read `NextElapseUSecRealtime=Thu 2026-12-17 00:00:00 UTC` (the environment asks for UTC)."""
    match = re.search(
        r"^NextElapseUSecRealtime=\w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* UTC$", shown, re.MULTILINE
    )
    if match is None:
        return None
    return float(calendar.timegm(time.strptime(match.group(1), "%Y-%m-%d %H:%M:%S")))
