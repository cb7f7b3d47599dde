# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may decide for a host: roles with thresholds and signers, as one canonical document that is pinned there.

The same rules for signers hold on both sides. No file, no network, no clock.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timezone
from typing import Any, Dict, Iterable, List, Tuple

from piquet.protocol.canonical import canonical, read_canonical
from piquet.protocol.signatures import SigningRole
from piquet.protocol.signers import DECISION_NAMESPACE, STOP_NAMESPACE, Signer, read_signers

MAX_TRUST_BYTES = 4 * 1024 * 1024
_ROLE = re.compile(r"[a-z0-9-]{1,48}")


def trust_document(roles: Iterable[SigningRole]) -> bytes:
    """What is pinned on a host; the same people give the same bytes, however their files are written."""
    value = {
        role.name: {
            "threshold": role.threshold,
            "signers": sorted({_line(signer) for signer in role.signers}),
        }
        for role in roles
    }
    return canonical({"piquet_trust": 1, "roles": value})


def trust_digest(document: bytes) -> str:
    """sha256 of the document, 64 hex digits."""
    return hashlib.sha256(document).hexdigest()


def read_trust(document: bytes) -> Tuple[SigningRole, ...]:
    """The roles of a document that anybody may have written, sorted by name.

    Raises:
        ValueError: it is not canonical, names nobody, or a role could never be met.
    """
    if len(document) > MAX_TRUST_BYTES:
        raise ValueError("it is too long")
    value = read_canonical(document)
    if not isinstance(value, dict) or set(value) != {"piquet_trust", "roles"} or value["piquet_trust"] != 1:
        raise ValueError("it is no list of signers of version 1")
    roles = value["roles"]
    if not isinstance(roles, dict) or not roles:
        raise ValueError("it names no role")
    return tuple(_role(name, roles[name]) for name in sorted(roles))


def _role(name: str, value: Any) -> SigningRole:
    if not _ROLE.fullmatch(name) or not isinstance(value, dict) or set(value) != {"threshold", "signers"}:
        raise ValueError("a role has the wrong form")
    threshold, lines = value["threshold"], value["signers"]
    if type(threshold) is not int or threshold < 1 or not isinstance(lines, list):
        raise ValueError(f"the role {name} has the wrong form")
    if not all(isinstance(line, str) and "\n" not in line for line in lines):
        raise ValueError(f"the signers of {name} have the wrong form")
    signers, faults = read_signers("\n".join(lines))
    if faults:
        raise ValueError(f"the signers of {name}: {faults[0].message}")
    role = SigningRole(name, threshold, signers)
    if sorted({_line(signer) for signer in signers}) != lines:
        raise ValueError(f"the signers of {name} are not written in the one form")
    if role.persons < threshold:
        raise ValueError(f"{name} has fewer signers than it takes")
    return role


def _line(signer: Signer) -> str:
    options: Dict[str, str] = {}
    if signer.namespaces != (DECISION_NAMESPACE, STOP_NAMESPACE):
        options["namespaces"] = ",".join(signer.namespaces)
    for name, at in (("valid-after", signer.valid_after), ("valid-before", signer.valid_before)):
        if at is not None:
            options[name] = _time(at)
    told: List[str] = [",".join(f'{name}="{text}"' for name, text in options.items())] if options else []
    return " ".join([signer.name, *told, signer.key_type, signer.key])


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y%m%d%H%M%SZ")
