# SPDX-License-Identifier: GPL-3.0-or-later
"""One to stop: a single signer ends a decision here for good; what is armed by it is released at once.

It ends that digest alone. Afterwards only a later revision, signed as it must be, can be armed here.
"""

from __future__ import annotations

from typing import List, Sequence

from piquet.host import stop_now
from piquet.host.errors import LockedError, StateError
from piquet.host.machine import Machine
from piquet.host.outcome import Outcome, Request
from piquet.host.state import flags, store, trust
from piquet.host.system.lock import locked
from piquet.protocol.findings import Finding, errors
from piquet.protocol.places import SIGNATURES, STOP_FILE
from piquet.protocol.signatures import SigningRole, count_signatures
from piquet.protocol.signers import STOP_NAMESPACE
from piquet.protocol.ssh_keygen import SshKeygenMissing, verify_signature
from piquet.protocol.stopping import StoppedDecision, read_stop

_ROLLBACK = "rollback needs no signature and no list: it takes every site of this host back now"


def stop_decision(machine: Machine, request: Request) -> Outcome:
    """Stop the decision that came along, if one of those who are pinned has signed that."""
    document = request.members[STOP_FILE]
    try:
        stopped = read_stop(document)
        roles = trust.pinned(machine.paths)
        known = trust.stopped_decisions(machine.paths)
        findings = _refusals(machine, request, document, roles or ())
    except (ValueError, RecursionError, StateError, SshKeygenMissing, OSError) as error:
        message = f"Whether a signer stops this decision cannot be told: {error}"
        return Outcome(False, message, (Finding("error", "not-stopped", STOP_FILE, message, hint=_ROLLBACK),))
    if errors(findings):
        return Outcome(False, "No decision was stopped.", tuple(findings))
    is_shown, is_known = _is_shown(machine, stopped), stopped in known
    told = f"Revision {stopped.revision} of {stopped.campaign}"
    if is_known and not is_shown:
        return Outcome(False, f"{told} was stopped before.", tuple(findings))
    if request.is_check:
        return Outcome(True, f"{told} would be stopped for good.", tuple(findings))
    findings += stop_now.stop_now(machine, request.verb).findings if is_shown else ()
    findings += _record_stop(machine, request.verb, stopped)
    said = "what it showed here was taken away" if is_shown else "it was not armed here"
    return Outcome(True, f"{told} is stopped for good; {said}.", tuple(findings))


def _refusals(
    machine: Machine, request: Request, document: bytes, roles: Sequence[SigningRole]
) -> List[Finding]:
    """Why nobody's word counts; one person of any role is enough."""
    if not roles:
        message = "No signers are pinned on this host, so that nobody's signature can stop a decision."
        return [Finding("error", "not-pinned", STOP_FILE, message, hint=_ROLLBACK)]
    given = {
        name[len(SIGNATURES) :]: data for name, data in request.members.items() if name.startswith(SIGNATURES)
    }
    one_of_each = [SigningRole(role.name, 1, role.signers) for role in roles]
    counts, refused = count_signatures(
        one_of_each, given, document, STOP_NAMESPACE, machine.now(), verify_signature
    )
    if any(count.signed for count in counts):
        return []
    found = [
        Finding(
            "error",
            "stop-not-signed",
            one.name,
            f"This signature stops nothing: {one.reason}.",
            hint=_ROLLBACK,
        )
        for one in refused
    ]
    message = "No signer has stopped this decision."
    return found or [Finding("error", "stop-not-signed", STOP_FILE, message, hint=_ROLLBACK)]


def _is_shown(machine: Machine, stopped: StoppedDecision) -> bool:
    """Whether what is up here is, or may be, by that decision."""
    if not (stop_now.is_something_up(machine) or flags.up(machine.paths)):
        return False
    plan = store.read_or_none(machine.paths.plan)
    return plan is None or plan.get("decision") == stopped.digest


def _record_stop(machine: Machine, verb: str, stopped: StoppedDecision) -> List[Finding]:
    try:
        with locked(machine.paths):
            trust.note_stopped(machine.paths, stopped)
            machine.log(verb, "decision-stopped", **vars(stopped))
    except (LockedError, StateError, OSError) as error:
        message = f"The stop could not be recorded, so an arm would not know of it: {error}"
        return [
            Finding(
                "error", "not-recorded", str(machine.paths.stopped_decisions), message, hint="stop it again"
            )
        ]
    return []
