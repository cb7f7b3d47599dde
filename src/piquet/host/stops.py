# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping single entries of an armed host for good: flags first, then the record in token and armed state."""

from __future__ import annotations

from typing import FrozenSet, List, Mapping

from piquet.host import takedown
from piquet.host.errors import AgentError
from piquet.host.machine import Machine
from piquet.host.state import armed, documents, flags
from piquet.host.state.armed import StoppedBy
from piquet.protocol.findings import Finding

_EVENTS: Mapping[StoppedBy, str] = {
    "hand": "stopped-by-hand",
    "hook": "hook-taken-out",
    "name": "stopped-by-name",
}
"""What the journal says of each."""


def remember_stop(machine: Machine, verb: str, keys: FrozenSet[str], by: StoppedBy = "hand") -> None:
    """Remember that entries were stopped, where their flags are gone.

    Raises:
        OSError, AgentError, …: it could not be written; the caller must release the host.
    """
    current = armed.current_arming(machine.paths)
    if current is not None:
        armed.write_armed(machine.paths, current.without(keys, machine.now(), by))
        machine.log(verb, _EVENTS[by], keys=sorted(keys))


def stop_entries(machine: Machine, verb: str, keys: FrozenSet[str], by: StoppedBy) -> List[Finding]:
    """Stop entries of an armed host: their flags, then the record; the host, if nothing else is left to show."""
    current = armed.current_arming(machine.paths)
    if current is None or not current.expected(machine.now()) - keys:
        is_over = current is not None and machine.now() >= current.end
        reason = "ended" if is_over else "stopped by name" if by == "name" else "stopped by hand"
        return takedown.disarm(machine, verb, reason)
    try:
        flags.take_down(machine.paths, keys)
        remember_stop(machine, verb, keys, by)
    except (OSError, AgentError, *documents.FAULTS) as error:
        return not_written(machine, verb, error)
    return []


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
    if current is None or not keys:
        return []
    if machine.now() >= current.end:  # nobody has looked since; a clock that is set back must find nothing
        return takedown.disarm(machine, verb, "ended")
    expected = current.expected(machine.now())
    try:
        flags.take_down(machine.paths, keys & frozenset(current.entries) - expected)
    except OSError as error:
        return not_written(machine, verb, error)
    keys = keys & expected
    if not keys:
        return []
    found = [stopped_by_hand(key) for key in sorted(keys)]
    return [*found, *stop_entries(machine, verb, keys, "hook")]


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
