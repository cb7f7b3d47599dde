# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops that nobody announced: the armed state that is gone, and single flags. Recorded, then asked for.

The printed line deletes what an arming is known by; what was armed last is kept beside it, in a record that arms
nothing. What is not confirmed is asked for again every minute.
"""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from piquet.host import flag_memory, takedown
from piquet.host.machine import Machine
from piquet.host.state import armed, manifest, store
from piquet.host.state.armed import Armed
from piquet.host.state.manifest import Manifest, StagedEntry
from piquet.host.system import files
from piquet.protocol.findings import Finding

REASON = "stopped by hand"
_AT_ONCE = 20
"""So many sites are asked in one minute: somebody may have stopped thousands, one by one."""


class Stop(NamedTuple):
    """One entry that was stopped while its phase is in force."""

    entry: StagedEntry
    phase: int

    @property
    def name(self) -> str:
        """As the record of what was confirmed has it."""
        return f"{self.phase}/stop/{self.entry.key}"


def unrecorded(machine: Machine) -> Optional[Armed]:
    """What was armed last, if somebody has deleted the armed state since and no end of it was recorded."""
    last, ended = armed.read_last(machine.paths), armed.read_ended(machine.paths)
    is_known = ended is not None and last is not None and ended.arming == last.arming
    return None if files.exists(machine.paths.armed) or is_known else last


def notice(machine: Machine, verb: str) -> None:
    """Record that somebody deleted the armed state: `ended.json` and the journal say so, once."""
    last = unrecorded(machine)
    if last is None:
        return
    record = {**last.to_json(), "reason": REASON, "ended_at": machine.now()}
    with contextlib.suppress(OSError):
        store.write_state(machine.paths.ended, record)
        machine.log(verb, "disarmed", reason=REASON, found="the armed state is gone")


def confirm_stops(machine: Machine, verb: str, first: str = "") -> List[Finding]:
    """Ask for every single entry that was stopped inside its window, until its site is seen without the strike.

    Args:
        machine: this host.
        verb: for the journal.
        first: key of the entry that is asked before all others.
    """
    current, staged = armed.current_arming(machine.paths), manifest.staged(machine.paths)
    if current is None or staged is None or staged.campaign != current.campaign:
        return []
    seen = store.sightings(machine.paths, current.armed_at)
    found = sorted(_stops(machine, current, staged), key=lambda stop: stop.entry.key != first)
    due = [stop for stop in found if stop.name not in seen["confirmed"]][:_AT_ONCE]
    if not due:
        return []
    is_forgotten, findings = _forget(machine, staged, seen, due)
    told = {stop.name: _look(machine, verb, staged, seen, stop) for stop in due}
    if is_forgotten:
        seen["confirmed"] += [name for name, finding in told.items() if finding is None]
    findings += [finding for finding in told.values() if finding is not None]
    seen["unconfirmed_stops"] = {name: f.to_json() for name, f in told.items() if f is not None}
    with contextlib.suppress(OSError):
        store.write_state(machine.paths.boundaries, seen)
    return findings


def unconfirmed_stops(machine: Machine) -> List[Finding]:
    """What the last look found of stops that were not confirmed since; nobody is asked."""
    current, staged = armed.current_arming(machine.paths), manifest.staged(machine.paths)
    if current is None or staged is None:
        return []
    seen = store.sightings(machine.paths, current.armed_at)
    records: Dict[str, Any] = seen.get("unconfirmed_stops") or {}
    due = (stop.name for stop in _stops(machine, current, staged) if stop.name not in seen["confirmed"])
    return [Finding(**records[name]) for name in due if name in records]


def is_in_force(machine: Machine, key: str) -> bool:
    """Whether an entry that was stopped would be shown now, so that its site can be asked what became of it."""
    current, staged = armed.current_arming(machine.paths), manifest.staged(machine.paths)
    if current is None or staged is None or staged.campaign != current.campaign:
        return False
    return any(stop.entry.key == key for stop in _stops(machine, current, staged))


def _stops(machine: Machine, current: Armed, staged: Manifest) -> Iterator[Stop]:
    """Entries that were stopped, with the phases of theirs that are in force and an address to ask at."""
    now = machine.now()
    in_force = [phase.number for phase in current.phases if phase.start <= now < phase.end]
    for entry in staged.entries:
        if entry.key in current.stopped and entry.probe:
            yield from (Stop(entry, number) for number in in_force if number in entry.phases)


def _forget(
    machine: Machine, staged: Manifest, seen: Dict[str, Any], due: List[Stop]
) -> tuple[bool, List[Finding]]:
    """One reload for all stops that are new."""
    name = machine.hooked_server.name
    names = [s.name for s in due if s.entry.provider == name and s.name not in seen["forgotten"]]
    if not names:
        return True, []
    is_done, findings = flag_memory.forget(machine, staged, seen, names[0])
    seen["forgotten"] += names[1:] if is_done else []
    return is_done, findings


def _look(
    machine: Machine, verb: str, staged: Manifest, seen: Dict[str, Any], stop: Stop
) -> Optional[Finding]:
    """Ask one site; tell the journal once for each outcome."""
    answer = takedown.row(stop.entry, staged, stop.phase, wants_ours=False)
    word = "not-confirmed" if answer["ours"] else "unanswered" if answer["is_unasked"] else "confirmed"
    if f"{stop.name}/{word}" not in seen["told"]:
        seen["told"].append(f"{stop.name}/{word}")
        machine.log(verb, f"stop-{word}", phase=stop.phase, answers=[answer])
    if word == "confirmed":
        return None
    message = {
        "not-confirmed": "Its flag is gone, but it still shows the strike.",
        "unanswered": "Its flag is gone, but nobody answers for it.",
    }[word]
    hint = "it is asked again every minute; rollback takes every site of this host back"
    got = answer["error"] or f"status {answer['status']}"
    return Finding("warning", "stop-not-confirmed", stop.entry.name, message, "the usual site", got, hint)
