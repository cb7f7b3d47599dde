# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearse: show what is staged to one secret cookie, on the real host, for half an hour at most.

Nothing is reloaded and no flag is touched. The secret is made here and leaves in the answer alone: no journal, status
or message has it.
"""

from __future__ import annotations

import contextlib
from typing import Any, Dict, List, Mapping, Optional, Tuple

from piquet.host import readiness, takedown
from piquet.host.errors import LockedError, StateError
from piquet.host.machine import Machine, recover
from piquet.host.outcome import Outcome, Request
from piquet.host.spoken import spoken
from piquet.host.state import armed, manifest, rehearsal_tokens, rollback_stamp, store
from piquet.host.state.manifest import Manifest, StagedEntry, StagedPhase
from piquet.host.system.lock import locked
from piquet.protocol.findings import Finding, Severity, errors
from piquet.protocol.http import REHEARSAL_PREFIX
from piquet.protocol.places import ETC

_SHOWN_PER_SERVER = 3


def run(machine: Machine, request: Request) -> Outcome:
    """Begin one, which ends the one before; or end it."""
    if request.options.get("end"):
        return _end(machine, request)
    with contextlib.nullcontext() if request.is_check else locked(machine.paths):
        findings = [] if request.is_check else recover(machine, request.verb)
        staged = manifest.staged(machine.paths)
        findings += refusals_to_rehearse(machine, request, staged)
        if staged is None or errors(findings):
            return Outcome(False, "No rehearsal has begun.", tuple(findings))
        number = _number(machine, request, staged)
        taking_part = [entry for entry in staged.entries if number in entry.phases]
        if not taking_part:
            message = f"No site of this host takes part in phase {number}: there is nothing to see."
            return Outcome(False, message, tuple(findings + _notes(machine, staged)))
        entries, found = _outside_windows(machine, staged, taking_part)
        findings += [*_notes(machine, staged), *found]
        if errors(found):
            return Outcome(False, "No rehearsal has begun.", tuple(findings))
        if request.is_check:
            return Outcome(True, f"A rehearsal of phase {number} would begin.", tuple(findings))
        return _begin(machine, request.verb, number, entries, findings)


def refusals_to_rehearse(machine: Machine, request: Request, staged: Optional[Manifest]) -> List[Finding]:
    """Every reason not to begin: what arm would refuse too, since it is arm that is rehearsed."""
    installed = store.installed(machine.paths)
    if installed is None or staged is None:
        return [Finding("error", "not-staged", ETC, "Nothing is staged here.", hint="stage first")]
    wanted, got = str(request.options.get("plan_digest") or ""), str(installed.get("plan_digest"))
    if wanted and wanted != got:
        message = "Another plan is staged here."
        return [Finding("error", "other-plan", ETC, message, wanted, got, "stage this plan")]
    found = [*manifest.not_intact(machine.paths, got), *_phase(machine, request, staged)]
    return [*found, *readiness.readiness(machine, staged)]


def _phase(machine: Machine, request: Request, staged: Manifest) -> List[Finding]:
    """Whether there is such a phase, and any still to come."""
    known = [phase.number for phase in staged.phases]
    if machine.now() >= staged.end:
        message, hint = (
            "The last phase has ended already.",
            "look at this host's clock; else plan new dates, then stage",
        )
        return [Finding("error", "past", staged.campaign, message, hint=hint)]
    number = _number(machine, request, staged)
    if number in known:
        return []
    expected = f"one of {', '.join(map(str, known))}"
    message, hint = "The plan that is staged has no such phase.", "without a number the next one is shown"
    return [Finding("error", "no-such-phase", staged.campaign, message, expected, str(number), hint)]


def _number(machine: Machine, request: Request, staged: Manifest) -> int:
    """The phase that was asked for, else the next to begin, else the last to end."""
    asked = int(request.options.get("phase") or 0)
    to_begin = [phase for phase in staged.phases if machine.now() < phase.start]
    if to_begin:
        return asked or min(to_begin, key=lambda phase: phase.start).number
    return asked or max(staged.phases, key=lambda phase: phase.end).number


def _outside_windows(
    machine: Machine, staged: Manifest, entries: List[StagedEntry]
) -> Tuple[List[StagedEntry], List[Finding]]:
    """The entries that show a rehearsal now, and what whoever looks should know of the others.

    In a window of a site its servers show the phase of that window or, where the host is not armed, nothing.
    """
    now = machine.now()
    until = rehearsal_tokens.until(int(now))
    begun = next((phase for phase in staged.phases if phase.start <= now < phase.end), None)
    soon = next((phase for phase in staged.phases if now < phase.start < until), None)
    shown = [entry for entry in entries if begun is None or begun.number not in entry.phases]
    found = (
        [_open_window_finding(machine, staged, begun, len(entries), len(shown))]
        if begun and len(shown) < len(entries)
        else []
    )
    if soon and any(soon.number in entry.phases for entry in shown):
        message = f"Phase {soon.number} begins {spoken(machine, soon.start)}: from then on its sites show no rehearsal."
        found.append(Finding("info", "window-soon", staged.campaign, message))
    return shown, found


def _open_window_finding(
    machine: Machine, staged: Manifest, phase: StagedPhase, total: int, shown: int
) -> Finding:
    """That a window is open: no reason to refuse as long as some site is outside of it."""
    message = (
        f"Phase {phase.number} has begun: in its window {total - shown} of {total} sites show no rehearsal."
    )
    got = f"open until {spoken(machine, phase.end)}"
    hint = "on an armed host everybody sees that phase; to look first, wait for its end or plan a later start"
    severity: Severity = "warning" if shown else "error"
    return Finding(severity, "in-window", staged.campaign, message, "no open window", got, hint)


def _notes(machine: Machine, staged: Manifest) -> List[Finding]:
    """What whoever looks should know."""
    found = []
    with contextlib.suppress(StateError):
        if armed.read_armed(machine.paths) is not None:
            message = "The host is armed: in a real window everybody sees its phase, whatever is rehearsed."
            found.append(Finding("info", "armed", staged.campaign, message))
    server = machine.hooked_server
    if server.name in staged.providers and server.flag_lag_s() > 0:
        message = "open_file_cache is used: the end of the rehearsal can be seen some seconds late."
        found.append(Finding("warning", "open-file-cache", server.name, message))
    return found


def _phase_in_words(machine: Machine, number: int) -> str:
    """A phase by its number and what it is: `Phase 2 (occupy)`."""
    staged = manifest.staged(machine.paths)
    modes = {phase.number: phase.mode for phase in staged.phases} if staged else {}
    return f"Phase {number} ({modes[number]})" if number in modes else f"Phase {number}"


def _begin(
    machine: Machine, verb: str, number: int, entries: List[StagedEntry], findings: List[Finding]
) -> Outcome:
    """Make the pass; a rollback meanwhile wins."""
    try:
        made = rehearsal_tokens.issue(machine.paths, number, machine.now())
        rollback_stamp.require_none_since(machine.paths, machine.recalled)
    except OSError as error:
        subject, message = str(machine.paths.rehearse), "The pass could not be made."
        got = error.strerror or str(error)
        failed = Finding("error", "not-begun", subject, message, got=got)
        findings = [*findings, failed, *takedown.end_rehearsal(machine, verb)[1]]
        return Outcome(False, "No rehearsal has begun.", tuple(findings))
    machine.log(verb, "rehearsal-begun", phase=number, until=made.until)
    until = spoken(machine, made.until)
    message = (
        f"{_phase_in_words(machine, number)} is rehearsed until {until}, seen by whoever opens the link."
    )
    shown = _document(made, entries)
    return Outcome(True, message, tuple(findings), rehearsal=shown)


def _document(made: rehearsal_tokens.RehearsalToken, entries: List[StagedEntry]) -> Dict[str, Any]:
    """What the caller needs to look at it: the one place that holds the secret."""
    path = REHEARSAL_PREFIX + made.name
    sample: Dict[str, List[str]] = {}
    for entry in entries:
        links = sample.setdefault(entry.provider, [])
        if entry.probe and len(links) < _SHOWN_PER_SERVER:
            links.append(_address(entry.probe) + path)
    links = [link for provider in sorted(sample) for link in sample[provider]]
    return {"phase": made.phase, "until": made.until, "path": path, "sites": len(entries), "links": links}


def _address(probe: Mapping[str, Any]) -> str:
    """How a browser asks for a site."""
    scheme, usual_port = ("https", 443) if probe["tls"] else ("http", 80)
    port = "" if probe["port"] == usual_port else f":{probe['port']}"
    return f"{scheme}://{probe['host']}{port}"


def _end(machine: Machine, request: Request) -> Outcome:
    """Take it away before the lock, whoever hangs with it; then once more, since that may have been a rehearsal."""
    if request.is_check:
        is_on = rehearsal_tokens.are_there(machine.paths)
        return Outcome(is_on, "The rehearsal would be ended." if is_on else "No rehearsal is on.")
    was_on, findings = takedown.end_rehearsal(machine, request.verb)
    again, found = _end_behind_lock(machine, request.verb)
    was_on, findings = was_on or again, [*findings, *found]
    if errors(findings):
        return Outcome(was_on, "It is not certain that the rehearsal is over.", tuple(findings))
    return Outcome(was_on, "The rehearsal is over." if was_on else "No rehearsal was on.", tuple(findings))


def _end_behind_lock(machine: Machine, verb: str) -> Tuple[bool, List[Finding]]:
    try:
        with locked(machine.paths):
            return takedown.end_rehearsal(machine, verb)
    except LockedError as error:
        return False, list(error.findings)
    except OSError as error:  # a /run that cannot be written must not keep it up
        return False, [Finding("warning", "no-lock", str(machine.paths.lock), str(error))]
