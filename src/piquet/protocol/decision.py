# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision that people vote on and sign, as controller and host read it; and which sites it lets take part.

It says hours, modes, sites, doors, limits and the sha256 of every body and asset as rendered: no host, no server, no
byte of configuration. `piquet.decision` makes the document. No file, no network, no clock.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Dict, Mapping, Tuple

from piquet.protocol.canonical import read_canonical
from piquet.protocol.entries import pattern_ladder

DECISION_VERSION = 1
INSTANT_FORM = "%Y-%m-%dT%H:%M:%SZ"
ANSWERS_DECIDED = ("in", "message", "out")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9-]{3,48}")
_KEYS = frozenset(
    ("piquet_decision", "campaign", "revision", "timezone", "languages", "phases", "sites", "doors", "limits")
)
_PHASE_KEYS = frozenset(("number", "mode", "start", "end", "paths", "bodies", "assets"))


@dataclass(frozen=True)
class DecidedPhase:
    """One window of the decision.

    Attributes:
        number: 1-based.
        mode: block, occupy or banner.
        start: first second, of the epoch.
        end: first second after it.
        paths: what is occupied, sorted; empty for other modes.
        bodies: path below the web root → sha256, hex; of banners `banner/N/LANG`, and `message/N/LANG` where a site
            shows banners only.
        assets: the same for what lies below `/.well-known/piquet/`.
    """

    number: int
    mode: str
    start: int
    end: int
    paths: Tuple[str, ...]
    bodies: Mapping[str, str]
    assets: Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    """What was decided.

    Attributes:
        campaign: its name.
        revision: which version of it, from 1.
        timezone: IANA name that people read the hours in.
        languages: first = default.
        phases: in order.
        sites: pattern → `in`, `message` or `out`; the longest match wins, and no match is `out`.
        digest: sha256 of the document, hex.
    """

    campaign: str
    revision: int
    timezone: str
    languages: Tuple[str, ...]
    phases: Tuple[DecidedPhase, ...]
    sites: Mapping[str, str]
    digest: str

    def answer(self, name: str) -> str:
        """What was decided of a site: `in`, `message` (banners only) or `out`."""
        found = next((pattern for pattern in pattern_ladder(name) if pattern in self.sites), None)
        return "out" if found is None else self.sites[found]

    def phases_of(self, name: str) -> Tuple[int, ...]:
        """Numbers of the phases that a site may take part in."""
        answer = self.answer(name)
        return tuple(
            phase.number
            for phase in self.phases
            if answer == "in" or (answer == "message" and phase.mode == "banner")
        )


def decision_digest(document: bytes) -> str:
    """sha256 of the document, 64 hex digits: what is read aloud."""
    return hashlib.sha256(document).hexdigest()


def read_decision(document: bytes) -> Decision:
    """Read a document that anybody may have written.

    Raises:
        ValueError: it is not canonical, or not a decision of this version; the sentence says what is wrong.
    """
    value = read_canonical(document)
    if not isinstance(value, dict) or value.get("piquet_decision") != DECISION_VERSION:
        raise ValueError(f"it is no decision of version {DECISION_VERSION}")
    try:
        return _decision(value, decision_digest(document))
    except (KeyError, TypeError, AttributeError) as err:
        raise ValueError(f"a part of it has the wrong form: {err!r}") from err


def _decision(value: Dict[str, Any], digest: str) -> Decision:
    _must(set(value) == _KEYS, "its keys are not those of a decision")
    _must(bool(_NAME.fullmatch(value["campaign"])), "its campaign has no name")
    _must(type(value["revision"]) is int and value["revision"] >= 1, "its revision is no number from 1")
    sites = value["sites"]
    _must(all(answer in ANSWERS_DECIDED for answer in sites.values()), "it has an unknown answer of a site")
    phases = tuple(_phase(number, phase) for number, phase in enumerate(value["phases"], 1))
    _must(bool(phases), "it has no phase")
    _must(all(isinstance(tag, str) for tag in value["languages"]), "its languages are no list of tags")
    return Decision(
        value["campaign"],
        value["revision"],
        str(value["timezone"]),
        tuple(value["languages"]),
        phases,
        dict(sites),
        digest,
    )


def _phase(number: int, value: Dict[str, Any]) -> DecidedPhase:
    _must(set(value) == _PHASE_KEYS, f"the keys of phase {number} are not those of a phase")
    _must(type(value["number"]) is int and value["number"] == number, "its phases are not in order")
    _must(value["mode"] in ("block", "occupy", "banner"), f"phase {number} has an unknown mode")
    start, end = (_instant(value[key]) for key in ("start", "end"))
    _must(start < end, f"phase {number} ends before it begins")
    for files in (value["bodies"], value["assets"]):
        _must(all(_SHA256.fullmatch(digest) for digest in files.values()), f"phase {number} names no sha256")
    paths = tuple(str(path) for path in value["paths"])
    return DecidedPhase(
        number, value["mode"], start, end, paths, dict(value["bodies"]), dict(value["assets"])
    )


def _instant(text: str) -> int:
    at = datetime.strptime(text, INSTANT_FORM).replace(tzinfo=timezone.utc)
    _must(at.strftime(INSTANT_FORM) == text, "an instant is not written as it should be")
    return int(at.timestamp())


def _must(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise ValueError(otherwise)
