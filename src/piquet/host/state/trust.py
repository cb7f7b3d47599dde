# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may decide for this host, and which decisions were armed here: apart from all else, so that remove leaves it."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from piquet.host.errors import StateError
from piquet.host.state import documents, store
from piquet.host.system import files
from piquet.host.system.paths import Paths
from piquet.protocol.signatures import MAX_SIGNATURE_BYTES, MAX_SIGNATURES, SigningRole
from piquet.protocol.stopping import StoppedDecision
from piquet.protocol.trust import read_trust

Decided = Tuple[int, str]
"""Revision and digest."""


def pinned(paths: Paths) -> Optional[Tuple[SigningRole, ...]]:
    """The roles that are pinned here; None where nobody is.

    Raises:
        StateError: the file is there and cannot be used: nobody may decide until root has looked at it.
    """
    if not files.exists(paths.signers):
        return None
    try:
        return read_trust(paths.signers.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise StateError(f"{paths.signers} cannot be used: {error}.") from error


def pin(paths: Paths, document: bytes) -> None:
    """Write the signers down durably, root's alone.

    Raises:
        OSError: they could not be written.
    """
    _make_folder(paths)
    files.write_now(paths.signers, document, 0o600)
    store.write_state(paths.pinned, {"piquet_pinned": 1})


def forget_deleted(paths: Paths) -> bool:
    """Whether root has deleted the signers since somebody last looked."""
    return files.exists(paths.pinned) and not files.exists(paths.signers) and files.remove(paths.pinned)


def last_decided(paths: Paths, campaign: str) -> Optional[Decided]:
    """What was armed here last of a campaign by a decision.

    Raises:
        StateError: that cannot be read.
    """
    record = (store.read_state(paths.decided) or {}).get(campaign)
    try:
        return (documents.count(record["revision"]), documents.text(record["digest"])) if record else None
    except documents.FAULTS as error:
        raise StateError(f"{paths.decided} cannot be used: {error!r}.") from error


def note_decided(paths: Paths, campaign: str, revision: int, digest: str) -> None:
    """What is armed now, before its flags go up.

    Raises:
        OSError, StateError: it cannot be written, so that nothing must be armed.
    """
    record = store.read_state(paths.decided) or {}
    new = {**record, campaign: {"revision": revision, "digest": digest}}
    if new != record:
        _make_folder(paths)
        files.write_now(paths.decided, store.encode(new), 0o600)


def stopped_decisions(paths: Paths) -> Tuple[StoppedDecision, ...]:
    """Every decision that was stopped here.

    Raises:
        StateError: the record cannot be read: nobody knows what was stopped.
    """
    record = store.read_state(paths.stopped_decisions) or {"stopped": []}
    try:
        return tuple(
            StoppedDecision(
                documents.text(one["campaign"]),
                documents.count(one["revision"]),
                documents.text(one["digest"]),
            )
            for one in record["stopped"]
        )
    except documents.FAULTS as error:
        raise StateError(f"{paths.stopped_decisions} cannot be used: {error!r}.") from error


def note_stopped(paths: Paths, stopped: StoppedDecision) -> None:
    """Write down for good that a decision is over.

    Raises:
        OSError, StateError: it could not be written.
    """
    found = sorted({*stopped_decisions(paths), stopped})
    _make_folder(paths)
    files.write_now(paths.stopped_decisions, store.encode({"stopped": [vars(one) for one in found]}), 0o600)


def staged_signatures(paths: Paths) -> Mapping[str, bytes]:
    """Name → signature, as they were staged; unverified.

    Raises:
        StateError: they cannot be read.
    """
    record = store.read_state(paths.signatures) or {}
    found: Dict[str, bytes] = {}
    try:
        for name, text in sorted(record.items())[:MAX_SIGNATURES]:
            found[documents.text(name)] = documents.text(text).encode()[: MAX_SIGNATURE_BYTES + 1]
    except documents.FAULTS as error:
        raise StateError(f"{paths.signatures} cannot be used: {error!r}.") from error
    return found


def _make_folder(paths: Paths) -> None:
    if not paths.trust.is_dir():
        files.make_folder(paths.trust, 0o700)
