# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether signatures carry a decision: k of n persons for each role, or one person for a stop.

What a signature says of itself (key, namespace) is read here, so that the reason of a refusal is told; whether it is
true is what `ssh-keygen` says (`piquet.protocol.ssh_keygen`), which is handed in. No file, no network, no clock.

Source: OpenSSH, PROTOCOL.sshsig.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Mapping, Tuple

from piquet.protocol.signers import Signer, persons

MAX_SIGNATURE_BYTES = 16 * 1024
MAX_SIGNATURES = 200
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG\0\0\0\x01"

Verify = Callable[[Signer, bytes, bytes, str], bool]
"""Whether a signature is this signer's over these bytes in this namespace: signer, signature, message, namespace."""


@dataclass(frozen=True)
class SigningRole:
    """A role with those who may sign for it.

    Attributes:
        name: of the role.
        threshold: how many persons it takes.
        signers: of its file.
    """

    name: str
    threshold: int
    signers: Tuple[Signer, ...]

    @property
    def persons(self) -> int:
        """How many people there are."""
        return len(set(persons(self.signers).values()))


@dataclass(frozen=True)
class RoleCount:
    """How far a role is.

    Attributes:
        role: which one.
        signed: one name of each person that signed, sorted.
    """

    role: SigningRole
    signed: Tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many persons are missing."""
        return max(0, self.role.threshold - len(self.signed))


@dataclass(frozen=True)
class Refused:
    """A signature that counts for nobody: which, and why."""

    name: str
    reason: str


def count_signatures(
    roles: Iterable[SigningRole],
    signatures: Mapping[str, bytes],
    message: bytes,
    namespace: str,
    at: float,
    verify: Verify,
) -> Tuple[Tuple[RoleCount, ...], Tuple[Refused, ...]]:
    """Count the persons of each role whose signature over these bytes holds.

    Args:
        roles: all of them.
        signatures: name → armored signature; the name is for messages and proves nothing.
        message: what had to be signed.
        namespace: in which.
        at: seconds of the epoch at which the keys must be valid.
        verify: asks ssh-keygen.
    """
    asked = tuple(roles)
    signed: Dict[str, List[str]] = {role.name: [] for role in asked}
    refused: List[Refused] = []
    for name, armored in sorted(signatures.items()):
        try:
            key = signing_key(armored, namespace)
            _count_one(asked, key, armored, message, namespace, at, verify, signed)
        except ValueError as err:
            refused.append(Refused(name, str(err)))
    counts = (RoleCount(role, tuple(sorted(_people(role, signed[role.name])))) for role in asked)
    return tuple(counts), tuple(refused)


def _count_one(
    roles: Tuple[SigningRole, ...],
    key: str,
    armored: bytes,
    message: bytes,
    namespace: str,
    at: float,
    verify: Verify,
    signed: Dict[str, List[str]],
) -> None:
    known = [(role, signer) for role in roles for signer in role.signers if signer.key == key]
    if not known:
        raise ValueError("its key is none of the signers'")
    if not verify(known[0][1], armored, message, namespace):
        raise ValueError("it is no signature over these words")
    reasons = []
    for role, signer in known:
        if namespace not in signer.namespaces:
            reasons.append(f"{signer.name} may not sign in {namespace}")
        elif not signer.is_valid(at):
            reasons.append(f"the key of {signer.name} is not valid at this time")
        else:
            signed[role.name].append(signer.name)
    if len(reasons) == len(known):
        raise ValueError("; ".join(sorted(set(reasons))))


def _people(role: SigningRole, names: Iterable[str]) -> Iterable[str]:
    """One name of each person."""
    person = persons(role.signers)
    first: Dict[str, str] = {}
    for name in sorted(names):
        first.setdefault(person[name], name)
    return first.values()


def signing_key(armored: bytes, namespace: str) -> str:
    """The key (base64) by which a signature in this namespace claims to be made.

    Raises:
        ValueError: it is no signature, or one in another namespace.
    """
    try:
        lines = armored.decode("ascii").split()
        begin, end = _BEGIN.split(), _END.split()
        if len(armored) > MAX_SIGNATURE_BYTES or lines[:3] != begin or lines[-3:] != end:
            raise ValueError
        blob = base64.b64decode("".join(lines[3:-3]), validate=True)
        if not blob.startswith(_MAGIC):
            raise ValueError
        key, rest = _field(blob[len(_MAGIC) :])
        given, _ = _field(rest)
    except (ValueError, binascii.Error):
        raise ValueError("it is no signature of ssh-keygen") from None
    if given != namespace.encode():
        other = ascii(given.decode("ascii", "replace"))[:60]
        raise ValueError(f"it was made in the namespace {other}, not in '{namespace}'")
    return base64.b64encode(key).decode()


def _field(blob: bytes) -> Tuple[bytes, bytes]:
    size = int.from_bytes(blob[:4], "big")
    if len(blob) < 4 + size:
        raise ValueError
    return blob[4 : 4 + size], blob[4 + size :]
