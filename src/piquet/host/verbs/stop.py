# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop: one site of an armed host back to normal, for good; all others go on. Without a reload, without the network.

Its flag goes before the lock, since whoever holds that may hang, and again behind it, since that may have been an arm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Tuple

from piquet.host import stop_watch, stops, takedown
from piquet.host.errors import LockedError, StateError
from piquet.host.machine import Machine, recover
from piquet.host.outcome import Outcome, Request
from piquet.host.state import armed, flags, manifest, withdrawals
from piquet.host.state.armed import Armed
from piquet.host.system.lock import locked
from piquet.protocol.entries import entry_key, entry_name, match_site
from piquet.protocol.findings import Finding, errors
from piquet.protocol.places import RUN, STOP_FILE


def run(machine: Machine, request: Request) -> Outcome:
    """Stop the site that was named, if this host shows it; or a whole decision, where one came along."""
    if STOP_FILE in request.members:
        from piquet.host import decision_stop  # which a site never needs

        return decision_stop.stop_decision(machine, request)
    name = _named_site(request)
    if request.options.get("is_withdrawn") and not request.is_check:
        kept = _withdrawn(machine, request.verb, name)
        outcome = _run(machine, request, name)
        found = [one for one in outcome.findings if kept[1] or one.code != "not-armed"]  # an arm knows of it
        return replace(outcome, is_changed=outcome.is_changed or kept[0], findings=(*found, *kept[1]))
    return _run(machine, request, name)


def _run(machine: Machine, request: Request, name: str) -> Outcome:
    refusal = _refusal(machine, name)
    if refusal is not None:
        return Outcome(False, refusal.message, (refusal,) if refusal.severity == "error" else ())
    return _would_stop(machine, name) if request.is_check else _stop_site(machine, request.verb, name)


def _withdrawn(machine: Machine, verb: str, name: str) -> Tuple[bool, List[Finding]]:
    """Keep it for good, also where an arm puts the flags of all others up; whether that is new, and what hindered it.

    Before the flag goes: whoever arms meanwhile reads the list behind the lock, and this verb waits for that.
    """
    staged = manifest.staged(machine.paths)
    if staged is None or not name:
        return False, []
    try:
        is_new = withdrawals.add_withdrawn(machine.paths, staged.campaign, entry_key(name))
    except (StateError, OSError) as error:
        hint = "withdraw it again once the disk can be written; until then no arm may come"
        place, message = (
            str(machine.paths.withdrawn),
            "The withdrawal could not be written down on this host.",
        )
        return False, [Finding("error", "withdrawal-not-kept", place, message, got=str(error), hint=hint)]
    if is_new:
        machine.log(verb, "withdrawn", campaign=staged.campaign, keys=[entry_key(name)])
    return is_new, []


def _named_site(request: Request) -> str:
    """As host and campaign write it: small letters, no dot at the end."""
    name = str(request.options.get("site") or "").strip().lower()
    return name[:-1] if name.endswith(".") else name


def _refusal(machine: Machine, name: str) -> Optional[Finding]:
    """Why there is nothing here to stop: no reason to fail, unless the site is shown under a wider name."""
    known = _names(machine)
    if not name:
        return Finding("error", "no-site", "stop", "No site was named.", hint="piquet-host stop SITE")
    if name in known:
        return None
    wider = match_site(name, known)
    if wider is not None:
        message = f"{name} is shown as one of {wider}, which can only be stopped together."
        return Finding("error", "below-wildcard", name, message, hint=f"to stop them all: stop '{wider}'")
    return Finding("info", "no-such-site", name, f"{name} is no site of the campaign on this host.")


def _names(machine: Machine) -> List[str]:
    """Sites of what is staged, of what is armed and of flags that are up, whichever can be read."""
    staged, current = manifest.staged(machine.paths), armed.current_arming(machine.paths)
    names = {entry.name for entry in staged.entries} if staged else set()
    keys = {*(current.entries if current else ()), *(flags.up(machine.paths) or ())}
    return sorted(names | set(map(entry_name, keys)))


def _nothing_armed(machine: Machine, name: str) -> Outcome:
    """Nobody sees a strike; whoever wants this site left out for good should know that an arm knows nothing of it."""
    message = f"This host is not armed, so there is nothing to stop: {takedown.flags_and_sites(machine)}."
    hint = "an arm would start this site with all others: to leave it out, exclude it, then plan and stage"
    return Outcome(False, message, (Finding("warning", "not-armed", name, message, hint=hint),))


def _stopped_before(name: str, current: Armed) -> str:
    """That there is nothing left to stop of a site; "" if there is.

    A site whose phases are over is stopped all the same: a clock that is set back would bring it back with a boot.
    """
    is_stopped = entry_key(name) in current.stopped
    return f"{name} was stopped before, and stays so until somebody arms again." if is_stopped else ""


def _would_stop(machine: Machine, name: str) -> Outcome:
    current = armed.current_arming(machine.paths)
    if current is not None:
        before = _stopped_before(name, current)
        return Outcome(not before, before or f"{name} would be stopped, all others would go on.")
    if flags.up(machine.paths):
        return Outcome(
            True, "Flags are up without an arming that can be read: all of them would be taken away."
        )
    return _nothing_armed(machine, name)


def _stop_site(machine: Machine, verb: str, name: str) -> Outcome:
    key = entry_key(name)
    findings: List[Finding] = []
    try:
        flags.take_down(machine.paths, [key])
    except OSError as error:
        findings.append(_stays(machine, name, error))
    try:
        with locked(machine.paths):
            findings += recover(machine, verb)
            outcome = _record_and_stop(machine, verb, name)
    except (LockedError, OSError) as error:
        hint = "stop it again; while another piquet-host hangs, rollback takes every site of this host back"
        refused = f"The stop could not be recorded: {error}"
        findings.append(Finding("error", "not-recorded", name, refused, hint=hint))
        return Outcome(True, f"It is not certain that {name} is stopped.", tuple(findings))
    findings += outcome.findings
    message = f"{name} was not stopped as it should be." if errors(findings) else outcome.message
    return Outcome(outcome.is_changed, message, tuple(findings))


def _record_and_stop(machine: Machine, verb: str, name: str) -> Outcome:
    """Behind the lock: stop it whatever was done meanwhile, and ask the site."""
    current = armed.current_arming(machine.paths)
    if current is None and not flags.up(machine.paths):
        return _nothing_armed(machine, name)
    before = _stopped_before(name, current) if current else ""
    if before:
        return Outcome(False, before)
    findings = stops.stop_entries(machine, verb, frozenset([entry_key(name)]), "name")
    if armed.current_arming(machine.paths) is None:
        findings += takedown.confirm_boundaries(machine, verb)
        said = takedown.flags_and_sites(machine, [f for f in findings if f.code in takedown.OF_THE_LOOK])
        why = f"{name} was the last site of this host" if current else "Flags were up without an arming"
        return Outcome(True, f"{why}, which is released: {said}.", tuple(findings))
    found = stop_watch.confirm_stops(machine, verb, first=entry_key(name))
    message = f"Stopped for good: {_seen_sentence(machine, name, found)}. All other sites go on."
    return Outcome(True, message, (*findings, *found))


def _seen_sentence(machine: Machine, name: str, found: List[Finding]) -> str:
    """What is known of the site itself; never that it is as usual without its having been asked."""
    if not stop_watch.is_in_force(machine, entry_key(name)):
        return "it was not asked: none of its phases is in force now, or it has no address to ask at"
    of_others = (f for f in found if f.code == "stop-not-confirmed" and f.subject != name)
    if set(found) - set(of_others):  # of this site, or of workers that may remember its flag
        return "but it is not confirmed by the server, which is asked every minute"
    return "it was asked and is as usual"


def _stays(machine: Machine, name: str, error: OSError) -> Finding:
    """The flag resists: what root can do."""
    place = machine.paths.live / entry_key(name)
    hint = f"as root: rm {RUN}/live/{entry_key(name)}; or rollback, which takes every site of this host back"
    return Finding("error", "flag-stays", str(place), "It cannot be removed.", got=str(error), hint=hint)
