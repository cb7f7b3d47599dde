# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollback: back to normal now. Needs no network, no lock, no working configuration and no free disk space."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Sequence

from piquet.host import passes, recall, release, servers, stop_watch, token_file
from piquet.host.errors import LockedError
from piquet.host.findings import Finding, errors
from piquet.host.lock import locked
from piquet.host.machine import Machine, recover
from piquet.host.outcome import Outcome, Request


def run(machine: Machine, request: Request) -> Outcome:
    """Take the flags away at once, then disarm for good, then look whether it is true."""
    is_changed, is_rehearsed = _is_something_up(machine), passes.are_there(machine.paths)
    if request.is_check:
        message = "It would be released." if is_changed or is_rehearsed else "Nothing is armed."
        return Outcome(is_changed or is_rehearsed, message)
    recall.stamp(machine.paths)
    findings = release.flags_down(machine)  # before the lock: whoever holds it may hang
    findings += release.end_rehearsal(machine, request.verb)[1]
    try:
        with locked(machine.paths):
            findings += recover(machine, request.verb)
            is_changed = is_changed or _is_something_up(machine)
            is_rehearsed = is_rehearsed or passes.are_there(machine.paths)
            findings += _release(machine, request.verb, is_changed)
    except (LockedError, OSError) as error:
        found = error.findings if isinstance(error, LockedError) else ()
        findings += found or (Finding("warning", "no-lock", str(machine.paths.lock), str(error)),)
        findings += _release(machine, request.verb, is_changed)
    message = _sentence(machine, is_changed, is_rehearsed, findings)
    return Outcome(is_changed or is_rehearsed, message, tuple(findings))


def _sentence(machine: Machine, was_up: bool, was_rehearsed: bool, told: Sequence[Finding]) -> str:
    """What was taken away, and what the servers said to it.

    Args:
        machine: this host.
        was_up: whether there was anything to release.
        was_rehearsed: whether there was a rehearsal to end.
        told: all that was found, what the look at the servers found last.
    """
    rehearsal = "; a rehearsal was ended" if was_rehearsed and not was_up else ""
    done = "Released" if was_up else f"Nothing was armed{rehearsal}"
    if errors(told):
        return f"{done}: not everything could be taken away, see the problems."
    asked = [finding for finding in told if finding.code in release.OF_THE_LOOK]
    return f"{done}: {release.flags_and_sites(machine, asked)}."


def _is_something_up(machine: Machine) -> bool:
    """Whether there is anything to release; asked again behind the lock, since an arm may have held it."""
    paths = machine.paths
    return paths.armed.exists() or paths.live.is_symlink() or token_file.is_there(paths)


def _release(machine: Machine, verb: str, is_changed: bool) -> List[Finding]:
    """Disarm, and look at what the servers really answer, also where somebody else has released before."""
    findings = release.disarm(machine, verb, "rollback") if is_changed else release.flags_down(machine)
    findings += release.end_rehearsal(machine, verb)[1]
    stop_watch.notice(machine, verb)
    findings += release.confirm(machine, verb)
    for server in machine.present().values():
        if server.is_running() and not server.test().ok:
            told = servers.broken(server)
            message = f"{told.message} The release did not need it."
            findings.append(replace(told, severity="warning", message=message))
    return findings
