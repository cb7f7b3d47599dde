# SPDX-License-Identifier: GPL-3.0-or-later
"""Back to normal now. Needs no network, no lock, no working configuration and no free disk space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List, Tuple

from piquet.host import stop_watch, takedown
from piquet.host.errors import LockedError
from piquet.host.machine import Machine, recover
from piquet.host.servers import web_server
from piquet.host.state import rehearsal_tokens, rollback_stamp, token_file
from piquet.host.system.lock import locked
from piquet.protocol.findings import Finding


@dataclass(frozen=True)
class Stopped:
    """What was taken away.

    Attributes:
        was_up: whether there was anything to release.
        was_rehearsed: whether there was a rehearsal to end.
        findings: all that went wrong, and last what the look at the servers found.
    """

    was_up: bool
    was_rehearsed: bool
    findings: Tuple[Finding, ...]


def stop_now(machine: Machine, verb: str) -> Stopped:
    """Take the flags away at once, then disarm for good, then look whether it is true."""
    was_up, was_rehearsed = is_something_up(machine), rehearsal_tokens.are_there(machine.paths)
    rollback_stamp.stamp_rollback(machine.paths)
    findings = takedown.flags_down(machine)  # before the lock: whoever holds it may hang
    findings += takedown.end_rehearsal(machine, verb)[1]
    try:
        with locked(machine.paths):
            findings += recover(machine, verb)
            was_up = was_up or is_something_up(machine)
            was_rehearsed = was_rehearsed or rehearsal_tokens.are_there(machine.paths)
            findings += _release(machine, verb, was_up)
    except (LockedError, OSError) as error:
        found = error.findings if isinstance(error, LockedError) else ()
        findings += found or (Finding("warning", "no-lock", str(machine.paths.lock), str(error)),)
        findings += _release(machine, verb, was_up)
    return Stopped(was_up, was_rehearsed, tuple(findings))


def is_something_up(machine: Machine) -> bool:
    """Whether there is anything to release, or just was; asked again behind the lock, which an arm may have held."""
    paths = machine.paths
    return machine.was_up or paths.armed.exists() or paths.live.is_symlink() or token_file.has_token(paths)


def _release(machine: Machine, verb: str, is_changed: bool) -> List[Finding]:
    """Disarm, and look at what the servers really answer, also where somebody else has released before."""
    findings = takedown.disarm(machine, verb, "rollback") if is_changed else takedown.flags_down(machine)
    findings += takedown.end_rehearsal(machine, verb)[1]
    stop_watch.notice(machine, verb)
    findings += takedown.confirm_boundaries(machine, verb)
    for server in machine.present().values():
        if server.is_running() and not server.test().ok:
            told = web_server.broken(server)
            message = f"{told.message} The release did not need it."
            findings.append(replace(told, severity="warning", message=message))
    return findings
