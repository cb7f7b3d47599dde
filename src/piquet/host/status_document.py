# SPDX-License-Identifier: GPL-3.0-or-later
"""The STATUS of the agent protocol: what this host is in. Part of every answer. Reads, never writes."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping, Optional

from piquet.host import hook_watch, stop_watch, takedown
from piquet.host.errors import AgentError, StateError
from piquet.host.machine import Machine, this_boot
from piquet.host.state import armed, flags, journal, manifest, rehearsal_tokens, store, withdrawals
from piquet.host.state.armed import Armed
from piquet.host.state.manifest import Manifest
from piquet.host.system import files

NOT_PINNED = "record only, signatures not checked"
"""Nobody is pinned here."""


def _mandate(machine: Machine) -> str:
    """In which of the kinds this host is: whose signatures it asks for."""
    if not files.exists(machine.paths.signers):
        return NOT_PINNED
    from piquet.host.state import trust  # which most hosts never need

    try:
        roles = trust.pinned(machine.paths) or ()
    except AgentError as error:
        return f"nobody may decide: {error.message}"
    return "signed: " + ", ".join(f"{role.name} ({role.threshold} of {role.persons})" for role in roles)


def status_of(machine: Machine) -> Dict[str, Any]:
    """The STATUS of the agent protocol."""
    paths, staged = machine.paths, manifest.staged(machine.paths)
    installed = store.installed(paths)
    current = armed.current_arming(machine.paths)
    schedule = machine.schedule(staged.scheduler if staged else "")
    active, next_at = schedule.timer(machine.now())
    return {
        "state": _state(machine, installed),
        "campaign": staged.campaign if staged else None,
        "plan_digest": installed.get("plan_digest") if installed else None,
        "armed_at": current.armed_at if current else None,
        "live": flags.up(paths) is not None,
        "released": _released_sentence(machine),
        "ended": _end_record(machine),
        "rehearsal": _rehearsal(machine),
        "entries": _entries(machine, staged, current),
        "timezone": staged.document.get("timezone") if staged else None,
        "phases": [vars(phase) for phase in staged.phases] if staged else [],
        "now": machine.now(),
        "boot_id": this_boot(machine),
        "hooked": _hooked_counts(machine, staged),
        "scheduler": schedule.name if staged else None,
        "timer": {"active": active, "next": next_at},
        "servers": _servers(machine),
        "journal": journal.last(paths),
        "mandate": _mandate(machine),
    }


def _released_sentence(machine: Machine) -> str:
    """What is known of the sites of a host that is not armed."""
    return "flags are up" if flags.up(machine.paths) is not None else takedown.flags_and_sites(machine)


def _rehearsal(machine: Machine) -> Optional[Dict[str, Any]]:
    """Which phase is rehearsed, and until when."""
    found = rehearsal_tokens.current_token(machine.paths, machine.now())
    return {"phase": found.phase, "until": found.until} if found else None


def _state(machine: Machine, installed: Optional[Mapping[str, Any]]) -> str:
    """One of absent, staged, armed, stopped, ended."""
    if machine.paths.armed.exists():
        is_armed = armed.current_arming(machine.paths) is not None and not files.exists(machine.paths.stopped)
        return "armed" if is_armed else "stopped"
    if installed is None:
        return "absent"
    last = store.read_or_none(machine.paths.ended)
    gone = stop_watch.unrecorded(machine)
    if gone is not None and gone.plan_digest == installed.get("plan_digest"):
        return "stopped"
    if last is None or last.get("plan_digest") != installed.get("plan_digest"):
        return "staged"
    return "ended" if last.get("reason") == "ended" else "stopped"


def _end_record(machine: Machine) -> Optional[Dict[str, Any]]:
    """Why and when what was armed last ended, epoch seconds; None while it is armed, and where that is unknown."""
    record = None if machine.paths.armed.exists() else store.read_or_none(machine.paths.ended)
    return {"reason": record.get("reason"), "at": record.get("ended_at")} if record else None


def _entries(machine: Machine, staged: Optional[Manifest], current: Optional[Armed]) -> List[Dict[str, Any]]:
    """Each selected site: its phases, whether its flag is up, and when and how it was stopped alone."""
    up = flags.up(machine.paths) or frozenset()
    gone = _withdrawn(machine, staged)
    found: List[Dict[str, Any]] = []
    for entry in staged.entries if staged else ():
        is_stopped = current is not None and entry.key in current.stopped
        found.append(
            {"key": entry.key, "phases": list(entry.phases), "flag": entry.key in up, "stopped": is_stopped}
        )
        if current is not None and is_stopped:
            found[-1]["stopped_at"] = current.stopped[entry.key]
            found[-1]["stopped_by"] = current.stopped_by(entry.key)
            found[-1]["withdrawn"] = entry.key in gone
    return found


def _withdrawn(machine: Machine, staged: Optional[Manifest]) -> FrozenSet[str]:
    """Entries that no arm starts again; none where that cannot be read, which `arm` refuses."""
    try:
        return withdrawals.withdrawn_keys(machine.paths, staged.campaign) if staged else frozenset()
    except StateError:
        return frozenset()


def _hooked_counts(machine: Machine, staged: Optional[Manifest]) -> Dict[str, Any]:
    """Blocks of selected sites, or of all sites while nothing is staged."""
    if not machine.hooked_server.is_present():
        return {"blocks": 0, "hooked": 0, "missing": []}
    blocks = hook_watch.selected_blocks(machine) if staged else machine.hooked_server.blocks()
    unhooked = [hook_watch.place(block) for block in blocks if block.hooked is None]
    missing = [] if staged and not staged.needs_hooks else unhooked
    return {"blocks": len(blocks), "hooked": len(blocks) - len(unhooked), "missing": missing}


def _servers(machine: Machine) -> Dict[str, Any]:
    """Whether each server runs, and passes its test; None for one that does not run: its test says nothing of sites."""
    present = machine.present().items()
    running = {name: server.is_running() for name, server in present}
    return {
        name: {"running": running[name], "test_ok": server.test().ok if running[name] else None}
        for name, server in present
    }
