# SPDX-License-Identifier: GPL-3.0-or-later
"""Status: what this host is in, for the controller's table and for somebody at the machine. Reads, never writes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional

from piquet.host import (
    armed,
    files,
    flags,
    hook_watch,
    journal,
    manifest,
    passes,
    release,
    servers,
    state,
    stop_watch,
    transaction,
)
from piquet.host.armed import Armed
from piquet.host.findings import Finding
from piquet.host.machine import Machine, boot_id
from piquet.host.manifest import Manifest
from piquet.host.outcome import Outcome, Request

MANDATE = "record only, signatures not checked"


def run(machine: Machine, request: Request) -> Outcome:
    """The status is part of every response; this verb adds what is wrong."""
    current = document(machine)
    schedule = machine.schedule(str(current["scheduler"]))
    note = f" {schedule.note}" if schedule.note and current["state"] == "armed" else ""
    return Outcome(False, f"{sentence(current)}{note}", tuple(_findings(machine, current)))


def document(machine: Machine) -> Dict[str, Any]:
    """The STATUS of the agent protocol."""
    paths, staged = machine.paths, manifest.staged(machine.paths)
    installed = state.installed(paths)
    current = _armed(machine)
    schedule = machine.schedule(staged.scheduler if staged else "")
    active, next_at = schedule.timer(machine.now())
    return {
        "state": _state(machine, installed),
        "campaign": staged.campaign if staged else None,
        "plan_digest": installed.get("plan_digest") if installed else None,
        "armed_at": current.armed_at if current else None,
        "live": flags.up(paths) is not None,
        "released": _released(machine),
        "rehearsal": _rehearsal(machine),
        "entries": _entries(machine, staged, current),
        "phases": [vars(phase) for phase in staged.phases] if staged else [],
        "now": machine.now(),
        "boot_id": boot_id(machine),
        "hooked": _hooked(machine, staged),
        "scheduler": schedule.name if staged else None,
        "timer": {"active": active, "next": next_at},
        "servers": _servers(machine),
        "journal": journal.last(paths),
        "mandate": MANDATE,
    }


def sentence(current: Mapping[str, Any]) -> str:
    """The status in one sentence."""
    words = {
        "absent": "Nothing of piquet is staged here.",
        "staged": f"Staged, not armed: {current['released']}.",
        "armed": f"Armed: shows {_when(current)}.",
        "stopped": f"Stopped until somebody arms again: {current['released']}.",
        "ended": f"Ended: {current['released']}.",
    }
    return words[current["state"]] + _rehearsed(current.get("rehearsal"))


def _rehearsed(rehearsal: Optional[Mapping[str, Any]]) -> str:
    """A sentence more while there is one; never with its secret."""
    if rehearsal is None:
        return ""
    until = _utc(rehearsal["until"])
    return f" A rehearsal of phase {rehearsal['phase']} shows the strike to its own cookie until {until} UTC."


def _when(current: Mapping[str, Any]) -> str:
    """The windows of all phases, e.g. `from 2026-12-16 23:00:00 to 2026-12-17 23:00:00 UTC`."""
    return ", ".join(
        f"from {_utc(phase['start'])} to {_utc(phase['end'])} UTC" for phase in current["phases"]
    )


def _utc(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _released(machine: Machine) -> str:
    """What is known of the sites of a host that is not armed."""
    return "flags are up" if flags.up(machine.paths) is not None else release.flags_and_sites(machine)


def _rehearsal(machine: Machine) -> Optional[Dict[str, Any]]:
    """Which phase is rehearsed, and until when."""
    found = passes.current(machine.paths, machine.now())
    return {"phase": found.phase, "until": found.until} if found else None


def _state(machine: Machine, installed: Optional[Mapping[str, Any]]) -> str:
    """One of absent, staged, armed, stopped, ended."""
    if machine.paths.armed.exists():
        is_armed = _armed(machine) is not None and not files.is_there(machine.paths.stopped)
        return "armed" if is_armed else "stopped"
    if installed is None:
        return "absent"
    last = state.read_or_none(machine.paths.ended)
    gone = stop_watch.unrecorded(machine)
    if gone is not None and gone.plan_digest == installed.get("plan_digest"):
        return "stopped"
    if last is None or last.get("plan_digest") != installed.get("plan_digest"):
        return "staged"
    return "ended" if last.get("reason") == "ended" else "stopped"


def _armed(machine: Machine) -> Optional[Armed]:
    return armed.current(machine.paths)


def _entries(machine: Machine, staged: Optional[Manifest], current: Optional[Armed]) -> List[Dict[str, Any]]:
    up, stopped = flags.up(machine.paths) or frozenset(), current.stopped if current else {}
    entries = staged.entries if staged else ()
    return [{"key": e.key, "flag": e.key in up, "stopped": e.key in stopped} for e in entries]


def _unwatched(machine: Machine) -> List[Finding]:
    """That our units were stopped, so that a boot ends it."""
    current = _armed(machine)
    if current is None or current.unwatched_at is None:
        return []
    at = _utc(int(current.unwatched_at))
    message = f"Our units were stopped by hand at {at} UTC; nothing comes back after a boot."
    hint = "if nobody meant to stop it: systemctl start piquet-reconcile.timer piquet-watch.path piquet-boot"
    return [Finding("warning", "unwatched", str(machine.paths.token), message, hint=hint)]


def _stopped(machine: Machine) -> List[Finding]:
    """Sites that were stopped since somebody took their hook line out, and when: it may have been a mere deploy."""
    current, found = _armed(machine), []
    for key in sorted(current.unhooked & set(current.stopped)) if current else ():
        at = _utc(int(current.stopped[key])) if current else ""
        message = f"Its hook line was taken out, so the site was stopped at {at} UTC; the others go on."
        hint = "if nobody meant to stop it: hook, then arm, which puts it up again"
        found.append(Finding("error", "stopped", key, message, hint=hint))
    return found


def _hooked(machine: Machine, staged: Optional[Manifest]) -> Dict[str, Any]:
    """Blocks of selected sites, or of all sites while nothing is staged."""
    if not machine.nginx.is_present():
        return {"blocks": 0, "hooked": 0, "missing": []}
    blocks = hook_watch.selected_blocks(machine) if staged else machine.nginx.blocks()
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


def _findings(machine: Machine, current: Mapping[str, Any]) -> List[Finding]:
    """What is wrong with what is staged or armed."""
    found: List[Finding] = []
    if transaction.is_open(machine.paths):
        message = "A transaction was interrupted; the next verb that writes undoes it first."
        found.append(Finding("warning", "interrupted", str(machine.paths.checkpoint), message))
    if current["state"] in ("staged", "armed") and current["plan_digest"]:
        found += [_as_warning(f) for f in manifest.faults(machine.paths, str(current["plan_digest"]))]
        found += [hook_watch.finding(record) for record in current["hooked"]["missing"]]
        found += map(hook_watch.not_first, hook_watch.late_blocks(machine))
        found += hook_watch.unread(machine)
        found += _refused(machine, current["servers"])
    unconfirmed = [*release.unconfirmed(machine), *stop_watch.unconfirmed(machine)]
    found += [replace(f, severity="error") for f in unconfirmed]  # nobody may overlook that
    fault = machine.schedule(str(current["scheduler"])).fault(machine.now())
    if fault and current["state"] == "armed":
        found.append(_as_warning(fault))
    found += [*_stopped(machine), *_unwatched(machine)]
    if current["live"] and current["state"] != "armed":
        message = "Flags are up although the host is not armed; reconcile takes them away."
        found.append(Finding("warning", "flags-without-arming", str(machine.paths.live), message))
    return found


def _refused(machine: Machine, said: Mapping[str, Mapping[str, Any]]) -> List[Finding]:
    """Servers that would not start again: somebody changed their configuration since."""
    names = [name for name in said if said[name]["test_ok"] is False]
    return [_as_warning(servers.broken(machine.servers[name])) for name in names]


def _as_warning(finding: Finding) -> Finding:
    """Status reports; it does not fail because of what it reports."""
    return Finding(
        "warning", finding.code, finding.subject, finding.message, got=finding.got, hint=finding.hint
    )
