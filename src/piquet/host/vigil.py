# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconcile as the schedule calls it: every minute, and where a boundary lies within that minute until it has passed.

No unit and no cron file names a boundary, since anybody on the machine may ask for those. Whoever waits holds no
lock, and looks at once where somebody has taken a flag away: a service manager does not begin anew what is at work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Tuple

from piquet.host import armed, files, reconcile
from piquet.host.machine import Machine
from piquet.host.outcome import Outcome, Request
from piquet.host.paths import Paths
from piquet.host.pause import pause

_MINUTE_S = 60
_LOOK_S = 0.2


def run(machine: Machine, request: Request) -> Outcome:
    """Reconcile; where that was asked for, again at every boundary of this minute."""
    seen = _stamps(machine.paths)
    outcome = reconcile.run(machine, request)
    while request.options.get("wait"):
        boundary = next_boundary(machine)
        if boundary is None or not _waited(machine, boundary, seen):
            return outcome
        for server in machine.servers.values():
            server.forget()
        seen = _stamps(machine.paths)
        outcome = _together(outcome, reconcile.run(machine, request))
    return outcome


def next_boundary(machine: Machine) -> Optional[int]:
    """The next start or end of what is armed before the next full minute, when the schedule looks again by itself."""
    current, now = armed.current(machine.paths), machine.now()
    instants = [at for phase in current.phases for at in (phase.start, phase.end)] if current else []
    full = (now // _MINUTE_S + 1) * _MINUTE_S
    return min((at for at in instants if now < at < full), default=None)


def _waited(machine: Machine, boundary: int, seen: Tuple[object, ...]) -> bool:
    """Wait for the boundary, or until something has changed; False if piquet was taken away meanwhile."""
    while machine.now() < boundary and _stamps(machine.paths) == seen:
        pause(min(_LOOK_S, boundary - machine.now()))
    return files.is_there(machine.paths.etc)


def _stamps(paths: Paths) -> Tuple[object, ...]:
    """What changes when flags come or go, or the armed state does."""
    found: List[object] = []
    for look in (paths.run.stat, paths.live.lstat, paths.live.stat, paths.armed.lstat):
        try:
            status = look()
            found.append((status.st_ino, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def _together(first: Outcome, second: Outcome) -> Outcome:
    """One outcome of several looks: the sentence of the last that did something, every finding once."""
    message = second.message if second.is_changed or not first.is_changed else first.message
    findings = tuple(dict.fromkeys((*first.findings, *second.findings)))
    return replace(
        second, is_changed=first.is_changed or second.is_changed, message=message, findings=findings
    )
