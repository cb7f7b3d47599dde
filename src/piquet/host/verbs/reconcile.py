# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconcile: every minute, and where a boundary lies within that minute until it has passed; at boot, and as units end.

The rule, which only ever takes flags away, is in `reconciliation`.

No unit and no cron file names a boundary, since anybody on the machine may ask for those. Whoever waits holds no
lock, and looks at once where somebody has taken a flag away: a service manager does not begin anew what is at work.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import List, Optional, Tuple

from piquet.host import code_watch, hook_watch, proof, reconciliation, stop_watch, stops, takedown
from piquet.host.errors import LockedError
from piquet.host.machine import Machine, recover
from piquet.host.outcome import Outcome, Request
from piquet.host.state import armed, manifest, signs
from piquet.host.state.armed import Armed
from piquet.host.system import files
from piquet.host.system.lock import locked
from piquet.host.system.paths import Paths
from piquet.host.system.pause import pause
from piquet.protocol.findings import Finding

_MINUTE_S = 60
_LOOK_S = 0.2


def run(machine: Machine, request: Request) -> Outcome:
    """Reconcile; where that was asked for, again at every boundary of this minute.

    Check mode tells that it would run: it looks as the rule does, and does nothing.
    """
    if request.is_check:
        reconciliation.decide(reconciliation.gather(machine))
        return Outcome(False, "It runs here.")
    seen = _stamps(machine.paths)
    outcome = _decide_and_act(machine, request)
    while request.options.get("wait"):
        boundary = next_boundary(machine)
        if boundary is None or not _wait_for_boundary(machine, boundary, seen):
            return outcome
        for server in machine.servers.values():
            server.forget()
        seen = _stamps(machine.paths)
        outcome = _joined_outcome(outcome, _decide_and_act(machine, request))
    return outcome


def next_boundary(machine: Machine) -> Optional[int]:
    """The next start or end of what is armed before the next full minute, when the schedule looks again by itself."""
    current, now = armed.current_arming(machine.paths), machine.now()
    instants = [at for phase in current.phases for at in (phase.start, phase.end)] if current else []
    full = (now // _MINUTE_S + 1) * _MINUTE_S
    return min((at for at in instants if now < at < full), default=None)


def _wait_for_boundary(machine: Machine, boundary: int, seen: Tuple[object, ...]) -> bool:
    """Wait for the boundary, or until something has changed; False if piquet was taken away meanwhile."""
    while machine.now() < boundary and _stamps(machine.paths) == seen:
        pause(min(_LOOK_S, boundary - machine.now()))
    return files.exists(machine.paths.etc)


def _stamps(paths: Paths) -> Tuple[object, ...]:
    """What changes when flags come or go, or the armed state or code does."""
    found: List[object] = []
    for look in (paths.run.stat, paths.live.lstat, paths.live.stat, paths.armed.lstat, paths.code.stat):
        try:
            status = look()
            found.append((status.st_ino, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return tuple(found)


def _joined_outcome(first: Outcome, second: Outcome) -> Outcome:
    """One outcome of several looks: the sentence of the last that did something, every finding once."""
    message = second.message if second.is_changed or not first.is_changed else first.message
    findings = tuple(dict.fromkeys((*first.findings, *second.findings)))
    return replace(
        second, is_changed=first.is_changed or second.is_changed, message=message, findings=findings
    )


def _decide_and_act(machine: Machine, request: Request) -> Outcome:
    """Decide, do it, then look at the boundaries that have passed."""
    if not _is_here(machine):
        return _nothing_here(machine)
    code_watch.make_harmless(machine)
    is_over, findings = takedown.end_rehearsal(machine, request.verb, only_over=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(machine.paths))
        except LockedError as error:
            findings += [*error.findings, *_end_unlocked(machine)]
            return Outcome(is_over, error.message, tuple(findings))
        except OSError as error:  # a /run that cannot be written must not keep a picket up
            findings.append(Finding("warning", "no-lock", str(machine.paths.lock), str(error)))
        if not _is_here(machine):
            files.remove(machine.paths.lock)
            return _nothing_here(machine)
        proof.sweep_proofs(machine.paths, machine.now())
        findings += recover(machine, request.verb)
        actions, found = reconciliation.reconcile_now(machine, request.verb)
        findings += found
        findings += _keep_watch(machine, request)
        findings += code_watch.look_at_code(machine, request.verb)
        if not request.options.get("boot"):  # at boot the web server is not up yet
            findings += hook_watch.look_at_hooks(machine, request.verb)
            findings += takedown.confirm_boundaries(machine, request.verb)
            findings += stop_watch.confirm_stops(machine, request.verb)
    done = [type(action).__name__ for action in actions] + (["EndRehearsal"] if is_over else [])
    names = ", ".join(done) or "nothing to do"
    return Outcome(bool(done), f"Reconciled: {names}.", tuple(findings))


def _keep_watch(machine: Machine, request: Request) -> List[Finding]:
    """Note that somebody has looked; and, in the token, that our units are stopped by hand, or run again.

    A shutdown stops them too, after a look of its own: that is no stop. Units that were masked, changed or deleted are
    as good as stopped, since they may not even be asked any more.
    """
    current = armed.current_arming(machine.paths)
    if current is None:
        return []
    signs.note(machine.paths)
    was_watched, is_watched = current.unwatched_at is None, _is_watched(machine, request, current)
    if was_watched == is_watched:
        return []
    change = replace(current, unwatched_at=None if is_watched else machine.now())
    try:
        armed.write_armed(machine.paths, change)
    except OSError as error:
        return stops.not_written(machine, request.verb, error)
    machine.log(request.verb, "watched-again" if is_watched else "unwatched")
    return []


def _is_watched(machine: Machine, request: Request, current: Armed) -> bool:
    """Whether somebody will look again: as before, unless our units just begin, just end, or are not ours any more."""
    staged = manifest.staged(machine.paths)
    schedule = machine.schedule(staged.scheduler if staged else "")
    if staged and manifest.are_units_touched(machine.paths, staged, current.plan_digest, schedule.owns):
        return False
    if request.options.get("boot"):
        return True
    is_over = request.options.get("stopping") and not schedule.is_going_down()
    return current.unwatched_at is None and not is_over


def _is_here(machine: Machine) -> bool:
    """A minute of cron may begin before a remove has ended, or wait for its lock."""
    paths = machine.paths
    return any(files.exists(path) for path in (paths.etc, paths.lib, paths.run, paths.spool))


def _nothing_here(machine: Machine) -> Outcome:
    """What a death left of the mark of this boot, which lies beside our folders, goes too."""
    with contextlib.suppress(OSError):
        files.remove(files.temporary(machine.paths.boot_mark))
    return Outcome(False, "Nothing of piquet is here.")


def _end_unlocked(machine: Machine) -> List[Finding]:
    """Somebody hangs with the lock: after the end the flags go nevertheless."""
    facts = reconciliation.gather(machine)
    is_over = facts.armed is not None and facts.now >= facts.armed.end
    return takedown.flags_down(machine) if is_over else []
