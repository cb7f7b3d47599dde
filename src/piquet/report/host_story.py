# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host did in a campaign, from its own journal: armed when, shown and back when, stopped how.

A host looks at its own servers at every start and end; what it saw then, by its own clock, is what is told here.
Whatever is not in the journal is unknown, and never "as it should". No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from piquet.campaign.model import Campaign, Phase
from piquet.protocol.entries import entry_name

SightingWord = Literal["confirmed", "not-confirmed", "unanswered", "not-armed", "unknown", "to-come"]
_SEEN: Mapping[str, SightingWord] = {
    "confirmed": "confirmed",
    "not-confirmed": "not-confirmed",
    "unanswered": "unanswered",
    "foreign": "not-confirmed",
}
_STOPS: Mapping[str, str] = {
    "stopped-by-hand": "hand",
    "stopped-by-name": "name",
    "hook-taken-out": "hook",
    "withdrawn": "withdrawn",
}
"""Event of a journal → what stopped single sites."""
ENDED = "ended"
"""The reason of a release that is none: the last phase was over."""
_ROUTINE = frozenset({"armed", "staged", "disarmed", "hooked", "unhooked", *_STOPS})
_LOOKS = ("start-", "end-", "release-", "stop-")

JournalLine = Mapping[str, Any]


@dataclass(frozen=True)
class Sighting:
    """What a host saw of the start or the end of a phase.

    Attributes:
        word: what is known.
        at: epoch seconds, the host's clock; None where nothing was seen.
        answers: what its servers answered then, as far as it is told.
        is_release: of an end: it was brought forward, by a stop.
    """

    word: SightingWord
    at: float | None = None
    answers: tuple[JournalLine, ...] = ()
    is_release: bool = False


@dataclass(frozen=True)
class ArmedSpan:
    """One arming; epoch seconds, the host's clock.

    Attributes:
        digest: of the plan.
        until: None as long as no release is known.
        reason: of the release, in the agent's words.
    """

    digest: str
    since: float
    until: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class HostStop:
    """Something that was ended before its time.

    Attributes:
        at: epoch seconds, the host's clock.
        sites: which; empty: all of the host.
        by: `hand`, `name`, `hook`, or the agent's reason.
        role: who called, as the journal has it; no person.
    """

    at: float
    sites: tuple[str, ...]
    by: str
    role: str


@dataclass(frozen=True)
class HostStory:
    """One host.

    Attributes:
        host: inventory name.
        heard_at: epoch seconds, the controller's clock, when it last answered; None if it never did.
        state: that it was in then.
        is_whole: whether no line of its journal is known to be missing.
        armed: its armings, oldest first.
        phases: number → what it saw of start and end.
        stops: oldest first.
        others: records of anything else that happened.
    """

    host: str
    heard_at: float | None
    state: str
    is_whole: bool
    armed: tuple[ArmedSpan, ...]
    phases: Mapping[int, tuple[Sighting, Sighting]]
    stops: tuple[HostStop, ...]
    others: tuple[JournalLine, ...]


def host_story(
    host: str, campaign: Campaign, records: Sequence[JournalLine], told: Mapping[str, Any], at: float
) -> HostStory:
    """Read one host's journal for one campaign.

    Args:
        host: inventory name.
        campaign: which.
        records: what is kept of its journal, in order.
        told: its last status with `at`; {} if it never answered.
        at: epoch seconds; now.
    """
    status = told.get("status") if isinstance(told.get("status"), dict) else {}
    own = list(_of_campaign(records, campaign.name))
    armed = tuple(_spans(own))
    heard_at = float(told["at"]) if isinstance(told.get("at"), int | float) else None
    is_whole = bool(records) and not any(record.get("event") == "lines-missing" for record in records)
    limits = _Limits(heard_at, at, is_whole)
    phases = {phase.number: _sightings(phase, own, armed, limits) for phase in campaign.phases}
    return HostStory(
        host,
        heard_at,
        str((status or {}).get("state") or "unknown"),
        is_whole,
        armed,
        phases,
        tuple(_stops(own)),
        tuple(record for record in own if not _is_routine(str(record.get("event")))),
    )


@dataclass(frozen=True)
class _Limits:
    """Up to when something is known (`heard_at`), when that is told (`at`), and whether no line is missing."""

    heard_at: float | None
    at: float
    is_whole: bool


def _of_campaign(records: Iterable[JournalLine], name: str) -> Iterator[JournalLine]:
    """The records since the campaign was staged, without those of another one in between."""
    is_ours = False
    for record in records:
        if "campaign" in record:
            is_ours = record["campaign"] == name
        if is_ours:
            yield record


def _spans(records: Iterable[JournalLine]) -> Iterator[ArmedSpan]:
    current: ArmedSpan | None = None
    for record in records:
        event, at = record.get("event"), float(record["at"])
        if event not in ("armed", "disarmed"):
            continue
        if current:
            reason = str(record.get("reason") or "") if event == "disarmed" else "armed again"
            yield ArmedSpan(current.digest, current.since, at, reason)
        current = ArmedSpan(str(record.get("plan_digest") or ""), at) if event == "armed" else None
    if current:
        yield current


def _sightings(
    phase: Phase, records: Sequence[JournalLine], armed: Sequence[ArmedSpan], limits: _Limits
) -> tuple[Sighting, Sighting]:
    start, end = phase.start_at.timestamp(), phase.end_at.timestamp()
    was_armed = any(span.since < end and (span.until is None or span.until > start) for span in armed)
    released = next((s.until for s in armed if s.until and start < s.until < end), None)
    begun = _last_sighting(records, phase.number, ("start",), start, was_armed, limits)
    ended = _last_sighting(records, phase.number, ("end", "release"), released or end, was_armed, limits)
    return begun, ended


def _last_sighting(
    records: Sequence[JournalLine],
    number: int,
    kinds: Sequence[str],
    due: float,
    was_armed: bool,
    limits: _Limits,
) -> Sighting:
    """The last word on one boundary; a look that confirms it is the last."""
    found: Sighting | None = None
    for record in records:
        kind, _, word = str(record.get("event")).partition("-")
        if record.get("phase") == number and kind in kinds and word in _SEEN:
            answers = tuple(a for a in record.get("answers") or () if isinstance(a, dict))
            found = Sighting(_SEEN[word], float(record["at"]), answers, kind == "release")
            if word == "confirmed":
                break
    if found:
        return found
    if due > limits.at:
        return Sighting("to-come")
    is_heard = limits.heard_at is not None and limits.heard_at >= due
    return Sighting("not-armed" if is_heard and limits.is_whole and not was_armed else "unknown")


def _stops(records: Iterable[JournalLine]) -> Iterator[HostStop]:
    for record in records:
        event, at, role = str(record.get("event")), float(record["at"]), str(record.get("role") or "")
        if event in _STOPS:
            keys = record.get("keys")
            names = tuple(entry_name(str(key)) for key in keys) if isinstance(keys, list) else ()
            yield HostStop(at, names, _STOPS[event], role)
        elif event == "disarmed" and record.get("reason") != ENDED:
            yield HostStop(at, (), str(record.get("reason") or ""), role)


def _is_routine(event: str) -> bool:
    return event in _ROUTINE or event.startswith(_LOOKS)
