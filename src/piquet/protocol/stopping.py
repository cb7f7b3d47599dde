# SPDX-License-Identifier: GPL-3.0-or-later
"""A decision that one of its signers has stopped: which one, and nothing else. No file, no network, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

from piquet.protocol.canonical import canonical, read_canonical

_NAME, _SHA256 = re.compile(r"[a-z0-9-]{3,48}"), re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class StoppedDecision:
    """Which decision is over: that digest, so that the same words stop nothing else when somebody repeats them."""

    campaign: str
    revision: int
    digest: str


def stop_document(stopped: StoppedDecision) -> bytes:
    """What one signer signs to stop a decision."""
    return canonical({"piquet_stop": 1, **vars(stopped)})


def read_stop(document: bytes) -> StoppedDecision:
    """Read what anybody may have written.

    Raises:
        ValueError: it is not canonical, or stops no decision.
    """
    value = read_canonical(document)
    if not isinstance(value, dict) or set(value) != {"piquet_stop", "campaign", "revision", "digest"}:
        raise ValueError("it stops no decision")
    campaign, revision, digest = value["campaign"], value["revision"], value["digest"]
    is_sound = isinstance(campaign, str) and isinstance(digest, str) and type(revision) is int
    if value["piquet_stop"] != 1 or not is_sound or revision < 1:
        raise ValueError("it stops no decision")
    if not _NAME.fullmatch(campaign) or not _SHA256.fullmatch(digest):
        raise ValueError("it stops no decision")
    return StoppedDecision(campaign, revision, digest)
