# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping single entries of an armed host for good: flags first, then the record in token and armed state."""

from __future__ import annotations

from typing import FrozenSet, List

from piquet.host import takedown
from piquet.host.errors import AgentError
from piquet.host.machine import Machine
from piquet.host.state import armed, documents, flags
from piquet.protocol.findings import Finding


def remember_stop(machine: Machine, verb: str, keys: FrozenSet[str], *, is_unhooked: bool = False) -> None:
    """Remember that entries were stopped, where their flags are gone.

    Raises:
        OSError, AgentError, …: it could not be written; the caller must release the host.
    """
    current = armed.current_arming(machine.paths)
    if current is not None:
        armed.write_armed(machine.paths, current.without(keys, machine.now(), is_unhooked=is_unhooked))
        machine.log(verb, "hook-taken-out" if is_unhooked else "stopped-by-hand", keys=sorted(keys))


def unhooked(machine: Machine, verb: str, keys: FrozenSet[str]) -> List[Finding]:
    """Stop entries whose hook line somebody has taken out: it may come back, the strike does not without an arm.

    Where flags are up of an arming that cannot be read, nobody knows whose they are: a line that comes back would put
    these sites on strike until the next look, so the host is released.
    """
    current = armed.current_arming(machine.paths)
    if current is None and keys and flags.up(machine.paths):
        message = "Flags were up without an arming that can be read, so the host was released."
        told = Finding("warning", "stopped", str(machine.paths.armed), message, hint="to start it again: arm")
        return [told, *takedown.disarm(machine, verb, "stopped by hand")]
    keys = keys & current.expected(machine.now()) if current else frozenset()
    if current is None or not keys:
        return []
    found = [stopped_by_hand(key) for key in sorted(keys)]
    if not current.expected(machine.now()) - keys:
        return [*found, *takedown.disarm(machine, verb, "stopped by hand")]
    try:
        flags.take_down(machine.paths, keys)
        remember_stop(machine, verb, keys, is_unhooked=True)
    except (OSError, AgentError, *documents.FAULTS) as error:
        return [*found, *not_written(machine, verb, error)]
    return found


def not_written(machine: Machine, verb: str, error: BaseException) -> List[Finding]:
    """What cannot be recorded stops the host: too little rather than too much."""
    message = "The state could not be written, so the host was released."
    told = Finding("error", "state-not-written", str(machine.paths.armed), message, got=str(error))
    return [told, *takedown.disarm(machine, verb, "state not written")]


def stopped_by_hand(key: str) -> Finding:
    """One site that was stopped like this."""
    message = "Its hook line was taken out while the host was armed, so the site was stopped, for good."
    hint = "to start it again: hook, then arm"
    return Finding("warning", "stopped", key, message, hint=hint)
