# SPDX-License-Identifier: GPL-3.0-or-later
"""Arm: the point of commitment. Every check first, all reasons at once; then flags, in steps that end in a release."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

from piquet.host import decided, flag_memory, hook_watch, proof, readiness, reconciliation, takedown
from piquet.host.errors import AgentError, StateError
from piquet.host.machine import Machine, recover, this_boot
from piquet.host.outcome import Outcome, Request
from piquet.host.spoken import spoken
from piquet.host.state import armed, boot_mark, manifest, store, withdrawals
from piquet.host.state.armed import Armed
from piquet.host.state.manifest import Manifest
from piquet.host.system import files
from piquet.host.system.lock import locked
from piquet.protocol.clock import clock_skew
from piquet.protocol.findings import Finding, errors
from piquet.protocol.places import ETC

MAX_SKEW_S = 2.0


def run(machine: Machine, request: Request) -> Outcome:
    """Check; unless only that was asked for, arm."""
    received_at = machine.now()
    is_dry = request.is_check or bool(request.options.get("only_check"))
    with contextlib.nullcontext() if request.is_check else locked(machine.paths):
        findings = [] if request.is_check else recover(machine, request.verb)
        if not request.is_check:
            findings += reconciliation.reconcile_now(machine, request.verb)[1]
            decided.note_deletion(machine, request.verb)
        digest = str(request.options.get("plan_digest", ""))
        current = armed.current_arming(machine.paths)
        is_stopped = files.exists(machine.paths.stopped)
        is_same = (
            current is not None
            and current.plan_digest == digest
            and set(current.stopped) == _withdrawn(machine, current.campaign)[0] & set(current.entries)
        )
        if is_same and not is_stopped:
            return Outcome(False, "Armed with this plan already.", tuple(findings))
        findings += refusals_to_arm(machine, request, digest, current, received_at)
        if errors(findings):
            return Outcome(False, "Not armed", tuple(findings))
        if is_dry:
            return Outcome(request.is_check, "Everything is ready to be armed.", tuple(findings))
        findings += _arm(machine, request.verb, digest)
    if errors(findings):
        return Outcome(False, "Arming failed; what it had put up was taken away.", tuple(findings))
    return Outcome(True, "Armed.", tuple(findings))


def refusals_to_arm(
    machine: Machine, request: Request, digest: str, current: Optional[Armed], received_at: float
) -> List[Finding]:
    """Every reason not to arm, and what somebody should know."""
    if files.exists(machine.paths.armed) and _is_stopped(machine, request, current):
        place, message = (
            str(machine.paths.armed),
            "It was stopped, and the record of that arming cannot be deleted.",
        )
        hint = "make that file system writable, then arm"
        return [Finding("error", "stopped-elsewhere", place, message, hint=hint)]
    if current is not None and current.plan_digest != digest:
        message = f"The host is armed with another plan, of {current.campaign}."
        return [
            Finding("error", "armed", "armed.json", message, digest, current.plan_digest, "rollback first")
        ]
    installed, staged = store.installed(machine.paths), manifest.staged(machine.paths)
    if installed is None or staged is None:
        return [Finding("error", "not-staged", ETC, "Nothing is staged here.", hint="stage first")]
    if installed.get("plan_digest") != digest:
        message, got = "Another plan is staged here.", str(installed.get("plan_digest"))
        return [Finding("error", "other-plan", ETC, message, digest, got, "stage this plan")]
    found = [*manifest.not_intact(machine.paths, digest), *_clock(machine, request, staged, received_at)]
    found += decided.refusals_of_decision(machine, staged) if not errors(found) else []
    found += readiness.readiness(machine, staged)
    found += [] if errors(found) else proof.unproved(machine, staged)  # whose cause would be one of those
    gone, unread = _withdrawn(machine, staged.campaign)
    if not unread and not {entry.key for entry in staged.entries} - gone:
        message, hint = (
            "Every site of this host took its consent back.",
            "plan and stage again, which leaves them out",
        )
        unread = [Finding("error", "all-withdrawn", staged.campaign, message, hint=hint)]
    return [*found, *unread, *_stops(machine, digest, current)]


def _withdrawn(machine: Machine, campaign: str) -> Tuple[FrozenSet[str], List[Finding]]:
    """Entries that are never shown again, and why that is not known."""
    try:
        return withdrawals.withdrawn_keys(machine.paths, campaign), []
    except StateError as error:
        place, message = str(machine.paths.withdrawn), "The list of withdrawals cannot be read."
        hint = "mend it, or remove piquet from this host and begin again without the sites that are in it"
        return frozenset(), [Finding("error", "withdrawals", place, message, got=str(error), hint=hint)]


def _is_stopped(machine: Machine, request: Request, current: Optional[Armed]) -> bool:
    """Whether what lies there is over, and could not be deleted; check mode has not tried to."""
    is_over = current is None and not request.is_check
    return is_over or files.exists(machine.paths.stopped)


def _stops(machine: Machine, digest: str, current: Optional[Armed]) -> List[Finding]:
    """What somebody stopped here by hand: a new arm starts it again, and whoever types that should know."""
    last, record = armed.read_ended(machine.paths), store.read_or_none(machine.paths.ended) or {}
    if current is not None:
        last, record = current, {}
    if last is None or last.plan_digest != digest:
        return []
    whole = "every site" if str(record.get("reason")).startswith("stopped by") else ""
    what = whole or ", ".join(sorted(set(last.stopped) - _withdrawn(machine, last.campaign)[0]))
    if not what:
        return []
    message, hint = "Somebody stopped this by hand; arming starts it again.", "ask whoever stopped it first"
    return [Finding("warning", "was-stopped", last.campaign, message, got=what, hint=hint)]


def _clock(machine: Machine, request: Request, staged: Manifest, received_at: float) -> List[Finding]:
    """The window is measured by this host's own clock."""
    found = []
    if machine.now() >= staged.end:
        message = "The last phase has ended already."
        expected, got = f"an end after {spoken(machine, machine.now())}", spoken(machine, staged.end)
        hint = "look at this host's clock; else plan new dates, then stage"
        found.append(Finding("error", "past", staged.campaign, message, expected, got, hint))
    skew = received_at - request.at if request.at is not None else 0.0
    limit = float(request.options.get("max_skew_s", MAX_SKEW_S))
    if abs(skew) > limit:
        found.append(clock_skew("clock", skew, limit))
    return found


def _arm(machine: Machine, verb: str, digest: str) -> List[Finding]:
    """Put the flags up; any failure takes them down again."""
    staged = manifest.staged(machine.paths)
    if staged is None:
        return [Finding("error", "not-staged", ETC, "Nothing is staged here.")]
    watch, hooks, kept = _watch(machine), hook_watch.lines(machine), hook_watch.kept_keys(machine)
    new = armed.begin(staged, digest, machine.now(), this_boot(machine), watch, hooks, kept)
    gone, unread = _withdrawn(machine, staged.campaign)
    if unread:
        return unread
    new = new.without(gone & frozenset(new.entries), new.armed_at, "name")
    try:
        decided.note_armed(machine)
        store.forget_stop(machine.paths)
        files.remove(machine.paths.boundaries)
        with contextlib.suppress(OSError):  # for later reconciles; an arm may put flags up at any time
            boot_mark.make(machine.paths)
        reconciliation.put_up(machine, new, new.expected(machine.now()))
        store.write_state(machine.paths.arming, new.to_json())
        files.remove(machine.paths.ended)
    except (OSError, AgentError, ValueError) as error:
        finding = Finding(
            "error", "not-armed", str(machine.paths.armed), "It could not be armed.", got=str(error)
        )
        return [finding, *takedown.disarm(machine, verb, "arming failed")]
    machine.log(verb, "armed", campaign=new.campaign, plan_digest=digest, entries=len(new.entries))
    return _see_at_once(machine, staged)


def _see_at_once(machine: Machine, staged: Manifest) -> List[Finding]:
    """Inside of a window nginx may remember that a flag was missing; before it, it asks for none."""
    is_inside = any(phase.start <= machine.now() < phase.end for phase in staged.phases)
    return flag_memory.forget(machine, staged, {"forgotten": []}, "arm")[1] if is_inside else []


def _watch(machine: Machine) -> Dict[str, Any]:
    """Stamps of the files that carry the hook, or bring it in."""
    blocks = hook_watch.selected_blocks(machine)
    carriers = {block.file for block in blocks} | {block.kept_in for block in blocks if block.kept_in}
    return hook_watch.stamps_of(sorted(map(str, carriers)))
