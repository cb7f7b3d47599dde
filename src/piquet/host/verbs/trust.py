# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust: pin who may decide for this host. The first time root does; after that only those who are pinned change it.

Whoever is root here can end it by deleting one file, which is noticed and journalled by the next verb that asks.
"""

from __future__ import annotations

import contextlib
from typing import List, Sequence

from piquet.host import decided
from piquet.host.errors import StateError
from piquet.host.machine import Machine, recover
from piquet.host.outcome import Outcome, Request
from piquet.host.state import trust
from piquet.host.system import files
from piquet.host.system.lock import locked
from piquet.protocol.findings import Finding, errors
from piquet.protocol.places import SIGNATURES, TRUST_FILE
from piquet.protocol.signatures import MAX_SIGNATURES, SigningRole, count_signatures
from piquet.protocol.signers import DECISION_NAMESPACE
from piquet.protocol.ssh_keygen import SshKeygenMissing, verify_signature
from piquet.protocol.trust import read_trust, trust_digest

_SIGN = "have them sign the new list: piquet decision sign --trust --as NAME"


def run(machine: Machine, request: Request) -> Outcome:
    """Pin the signers that came along, unless those who are pinned have not agreed."""
    document = request.members.get(TRUST_FILE, b"")
    try:
        new = read_trust(document)
    except (ValueError, RecursionError) as error:
        message = f"The list of signers cannot be used: {error}."
        hint = "name roles with a threshold and a file of signers under `mandate` in the campaign"
        return Outcome(False, message, (Finding("error", "bad-signers", TRUST_FILE, message, hint=hint),))
    with contextlib.nullcontext() if request.is_check else locked(machine.paths):
        findings = [] if request.is_check else recover(machine, request.verb)
        if not request.is_check:
            decided.note_deletion(machine, request.verb)
        is_same = files.exists(machine.paths.signers) and machine.paths.signers.read_bytes() == document
        if is_same:
            return Outcome(False, f"Pinned already: {_roles_in_words(new)}.", tuple(findings))
        findings += _refusals(machine, request, document)
        if errors(findings):
            return Outcome(False, "Nobody was pinned or taken off.", tuple(findings))
        if request.is_check:
            return Outcome(True, f"These would be pinned: {_roles_in_words(new)}.", tuple(findings))
        is_first = not files.exists(machine.paths.signers)
        trust.pin(machine.paths, document)
        event = "signers-pinned" if is_first else "signers-changed"
        machine.log(request.verb, event, digest=trust_digest(document), roles=[role.name for role in new])
    return Outcome(
        True,
        f"Pinned: {_roles_in_words(new)}. From now on nothing is armed here without them.",
        tuple(findings),
    )


def _roles_in_words(roles: Sequence[SigningRole]) -> str:
    return ", ".join(f"{role.name} ({role.threshold} of {role.persons})" for role in roles)


def _refusals(machine: Machine, request: Request, document: bytes) -> List[Finding]:
    """Why those who are pinned stay; nobody is asked for the first ones."""
    try:
        old = trust.pinned(machine.paths)
        if old is None:
            return []
        given = {
            name[len(SIGNATURES) :]: data
            for name, data in sorted(request.members.items())[: MAX_SIGNATURES + 10]
            if name.startswith(SIGNATURES)
        }
        counts, refused = count_signatures(
            old, given, document, DECISION_NAMESPACE, machine.now(), verify_signature
        )
    except (StateError, SshKeygenMissing) as error:
        message = f"Whether they agreed cannot be told: {error}"
        return [
            Finding("error", "not-agreed", str(machine.paths.signers), message, hint="have root look at it")
        ]
    found = [
        Finding(
            "error",
            "not-agreed",
            count.role.name,
            f"{count.role.name}, as pinned here, has not agreed to other signers: {count.missing} missing.",
            f"{count.role.threshold} of the persons who are pinned",
            ", ".join(count.signed) or "nobody's signature",
            f"{_SIGN}; or root at the host deletes {machine.paths.signers}",
        )
        for count in counts
        if count.missing
    ]
    return [*found, *(_refused_finding(one.name, one.reason) for one in refused)]


def _refused_finding(name: str, reason: str) -> Finding:
    return Finding("warning", "signature-refused", name, f"A signature does not count: {reason}.")
