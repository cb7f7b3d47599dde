# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge where signatures lie: `mandate/signed/DIGEST/` beside the campaign file, a file for each name.

The decision that they are over lies beside them, so that one can tell what was signed before the campaign changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from piquet.protocol.decision import Decision, decision_digest, read_decision
from piquet.protocol.places import DECISION_FILE
from piquet.protocol.signatures import MAX_SIGNATURE_BYTES, MAX_SIGNATURES

SUFFIX = ".sig"
_FOLDER = Path("mandate") / "signed"
_MAX_DECISION_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class SignedDecision:
    """A decision with the signatures that lie beside it.

    Attributes:
        decision: what it says.
        document: its bytes.
        signatures: name of the file, without its suffix → armored signature, unverified.
    """

    decision: Decision
    document: bytes
    signatures: dict[str, bytes]


def read_signed(campaign_file: Path, document: bytes) -> SignedDecision:
    """The decision with whatever signatures there are.

    Args:
        campaign_file: whose folder to look in.
        document: the campaign's decision.
    """
    decision = read_decision(document)
    return SignedDecision(decision, document, signatures_in(_place(campaign_file, decision.digest)))


def read_signatures(campaign_file: Path, document: bytes) -> dict[str, bytes]:
    """The signatures that lie beside the campaign over any document."""
    return signatures_in(_place(campaign_file, decision_digest(document)))


def read_others(campaign_file: Path, digest: str) -> Iterator[SignedDecision]:
    """Whatever else was signed, by revision; folders that hold no decision under its digest are passed over."""
    found = []
    folder = campaign_file.parent / _FOLDER
    for other in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = other / DECISION_FILE
        if other.name == digest or not file.is_file() or file.stat().st_size > _MAX_DECISION_BYTES:
            continue
        with contextlib.suppress(ValueError):
            document = file.read_bytes()
            if decision_digest(document) == other.name:
                found.append(SignedDecision(read_decision(document), document, signatures_in(other)))
    yield from sorted(found, key=lambda signed: (signed.decision.revision, signed.decision.digest))


def keep_signature(
    campaign_file: Path, document: bytes, name: str, signature: bytes, file_name: str = DECISION_FILE
) -> Path:
    """Write a signature down that was found good; the file.

    Args:
        campaign_file: beside which.
        document: what was signed.
        name: of the person, a plain word.
        signature: armored.
        file_name: of what was signed.
    """
    folder = _place(campaign_file, decision_digest(document))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file_name).write_bytes(document)
    file = folder / f"{name}{SUFFIX}"
    file.write_bytes(signature)
    return file


def _place(campaign_file: Path, digest: str) -> Path:
    return campaign_file.parent / _FOLDER / digest


def signatures_in(folder: Path) -> dict[str, bytes]:
    """The signatures in a folder by the names of their files.

    One byte too many is read of a long file, so that it is refused as one.
    """
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    found = {}
    for file in files[:MAX_SIGNATURES]:
        if file.is_file():
            with file.open("rb") as stream:
                found[file.name.removesuffix(SUFFIX)] = stream.read(MAX_SIGNATURE_BYTES + 1)
    return found
