# SPDX-License-Identifier: GPL-3.0-or-later
"""Status: what this host is in, for the controller's table and for somebody at the machine. Reads, never writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Mapping, Optional

from piquet.host import hook_watch, status_document, stop_watch, takedown
from piquet.host.machine import Machine
from piquet.host.outcome import Outcome, Request
from piquet.host.servers import web_server
from piquet.host.spoken import spoken
from piquet.host.state import armed, manifest, transaction
from piquet.host.state.armed import Armed
from piquet.protocol.findings import Finding


def run(machine: Machine, request: Request) -> Outcome:
    """The status is part of every response; this verb adds what is wrong."""
    current = status_document.status_of(machine)
    schedule = machine.schedule(str(current["scheduler"]))
    note = f" {schedule.note}" if schedule.note and current["state"] == "armed" else ""
    return Outcome(False, f"{sentence(machine, current)}{note}", tuple(_findings(machine, current)))


def sentence(machine: Machine, current: Mapping[str, Any]) -> str:
    """The status in one sentence; its windows are in the document."""
    words = {
        "absent": "Nothing of piquet is staged here.",
        "staged": f"Not armed: {current['released']}.",
        "armed": "Armed.",
        "stopped": f"Stopped until somebody arms again: {current['released']}.",
        "ended": f"Ended: {current['released']}.",
    }
    return words[current["state"]] + _rehearsal_sentence(machine, current.get("rehearsal"))


def _rehearsal_sentence(machine: Machine, rehearsal: Optional[Mapping[str, Any]]) -> str:
    """A sentence more while there is one; never with its secret."""
    if rehearsal is None:
        return ""
    until = spoken(machine, float(rehearsal["until"]))
    return f" Phase {rehearsal['phase']} is rehearsed until {until}, seen by whoever has its cookie."


def _current_arming(machine: Machine) -> Optional[Armed]:
    return armed.current_arming(machine.paths)


def _unwatched_findings(machine: Machine) -> List[Finding]:
    """That our units were stopped, so that a boot ends it."""
    current = _current_arming(machine)
    if current is None or current.unwatched_at is None:
        return []
    at = spoken(machine, current.unwatched_at)
    message = f"Our units were stopped by hand, {at}; nothing comes back after a boot."
    hint = "if nobody meant to stop it: systemctl start piquet-reconcile.timer piquet-watch.path piquet-boot"
    return [Finding("warning", "unwatched", str(machine.paths.token), message, hint=hint)]


def _stopped_findings(machine: Machine) -> List[Finding]:
    """Sites that were stopped since somebody took their hook line out, and when: it may have been a mere deploy."""
    current, found = _current_arming(machine), []
    for key in sorted(current.unhooked & set(current.stopped)) if current else ():
        at = spoken(machine, current.stopped[key]) if current else ""
        message = f"Its hook line was taken out, so the site was stopped, {at}; the others go on."
        hint = "if nobody meant to stop it: hook, then arm, which puts it up again"
        found.append(Finding("error", "stopped", key, message, hint=hint))
    return found


def _findings(machine: Machine, current: Mapping[str, Any]) -> List[Finding]:
    """What is wrong with what is staged or armed."""
    found: List[Finding] = []
    if transaction.is_open(machine.paths):
        message = "A transaction was interrupted; the next verb that writes undoes it first."
        found.append(Finding("warning", "interrupted", str(machine.paths.checkpoint), message))
    if current["state"] in ("staged", "armed") and current["plan_digest"]:
        found += [_as_warning(f) for f in manifest.not_intact(machine.paths, str(current["plan_digest"]))]
        found += [hook_watch.unreached(record) for record in current["hooked"]["missing"]]
        found += map(hook_watch.not_first, hook_watch.late_blocks(machine))
        found += hook_watch.unread(machine)
        found += _refused_findings(machine, current["servers"])
    unconfirmed = [*takedown.unconfirmed_boundaries(machine), *stop_watch.unconfirmed_stops(machine)]
    found += [replace(f, severity="error") for f in unconfirmed]  # nobody may overlook that
    fault = machine.schedule(str(current["scheduler"])).fault(machine.now())
    if fault and current["state"] == "armed":
        found.append(_as_warning(fault))
    found += [*_stopped_findings(machine), *_unwatched_findings(machine)]
    if current["live"] and current["state"] != "armed":
        message = "Flags are up although the host is not armed; reconcile takes them away."
        found.append(Finding("warning", "flags-without-arming", str(machine.paths.live), message))
    return found


def _refused_findings(machine: Machine, said: Mapping[str, Mapping[str, Any]]) -> List[Finding]:
    """Servers that would not start again: somebody changed their configuration since."""
    names = [name for name in said if said[name]["test_ok"] is False]
    return [_as_warning(web_server.broken(machine.servers[name])) for name in names]


def _as_warning(finding: Finding) -> Finding:
    """Status reports; it does not fail because of what it reports."""
    return Finding(
        "warning", finding.code, finding.subject, finding.message, got=finding.got, hint=finding.hint
    )
