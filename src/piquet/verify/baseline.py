# SPDX-License-Identifier: GPL-3.0-or-later
"""How every site answered before the strike, kept as fingerprints, and the comparison afterwards.

A baseline is taken twice a moment apart: what differs between the takes changes by itself and is not
compared. Where that is the body, its lines are taken twice too, and those that stay must still be there
afterwards. Only `GET`s without our cookie are kept. No file, no network, no clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from piquet.errors import FleetError
from piquet.verify.fingerprint import (
    OF_A_BANNER,
    OF_ONE_APART,
    THROUGH_A_FRONT,
    Difference,
    differences,
    fingerprint,
    volatile_fields,
)
from piquet.verify.observation import PUBLIC, UNKNOWN_SITE, Observation, Question, Reply, Target

BASELINE_FORMAT = 1
Verdict = Literal["identical", "stable", "limited", "unknown", "different", "unreachable"]
WEIGHT: Mapping[Verdict, int] = {
    "identical": 0,
    "stable": 1,
    "limited": 2,
    "unknown": 3,
    "different": 4,
    "unreachable": 5,
}
_TOO_MANY = 429
"""Tells that somebody asks too often, and nothing of the page. Source: RFC 6585 section 4."""


@dataclass(frozen=True, order=True)
class Key:
    """What a fingerprint belongs to: one path of one name at one door of one host, `[cookie]` if one was sent."""

    host: str
    address: str
    port: int
    tls: bool
    name: str
    path: str

    @classmethod
    def of(cls, target: Target, question: Question) -> Key:
        """The place of a reply; of its request headers only a cookie counts, since applications may echo it."""
        path = question.path + (" [cookie]" if "cookie" in dict(question.headers) else "")
        # DNS gives another address each time, and they answer alike.
        address = "" if target.is_public else target.address
        return cls(target.host, address, target.port, target.tls, target.name, path)


@dataclass(frozen=True)
class Print:
    """One fingerprint.

    Attributes:
        fields: of the first take.
        volatile: names of fields that changed by themselves, sorted.
        lines: digests of the body's lines that stayed, only where the body changes by itself.
    """

    fields: Mapping[str, str]
    volatile: tuple[str, ...] = ()
    lines: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Baseline:
    """All fingerprints of a campaign's fleet.

    Attributes:
        campaign: name of the campaign.
        taken_at: host → epoch seconds, UTC, when the first take of it began.
        prints: by place.
    """

    campaign: str
    taken_at: Mapping[str, float]
    prints: Mapping[Key, Print] = field(default_factory=dict)

    @property
    def last_at(self) -> float:
        """When the last host was taken, epoch seconds, UTC."""
        return max(self.taken_at.values(), default=0.0)


@dataclass(frozen=True)
class Returned:
    """How one path of one target came back.

    Attributes:
        reply: what it answers now.
        verdict: `identical`; `stable` = equal in all that does not change by itself; `limited` = the site said
            "too many requests", now or at the baseline, so that there is nothing to compare, and nothing is wrong
            otherwise; `different`;
            `unreachable` = no answer now though there was one; `unknown` = not in the baseline.
        found: the differences.
        volatile: what was not compared.
    """

    reply: Reply
    verdict: Verdict
    found: tuple[Difference, ...] = ()
    volatile: tuple[str, ...] = ()


def make_baseline(
    campaign: str, taken_at: float, first: Iterable[Reply], second: Iterable[Reply]
) -> Baseline:
    """Two takes of the same questions as one baseline; lines are added by `with_lines`.

    A door that cannot be reached leaves no print: nobody knows how it answers when all is well. Where one take met
    "too many requests", the other one counts for both.
    """
    again = {Key.of(r.target, r.question): r.observation for r in second}
    prints = {}
    for reply in (r for r in first if not r.observation.is_unreached):
        key = Key.of(reply.target, reply.question)
        takes = (reply.observation, again.get(key, reply.observation))
        told = [take for take in takes if take.status != _TOO_MANY] or [reply.observation]
        fields = fingerprint(told[0])
        changed = volatile_fields(fields, fingerprint(told[-1]))
        prints[key] = Print(fields, tuple(sorted(changed)))
    return Baseline(campaign, dict.fromkeys((key.host for key in prints), taken_at), prints)


def after_surveys(baseline: Baseline, surveyed_at: Mapping[str, float]) -> Baseline:
    """Of a baseline the hosts that were not surveyed again since it was taken.

    Args:
        baseline: as it was kept.
        surveyed_at: host → epoch seconds, UTC.
    """
    hosts = {h: at for h, at in baseline.taken_at.items() if at >= surveyed_at.get(h, float("inf"))}
    prints = {key: one for key, one in baseline.prints.items() if key.host in hosts}
    return Baseline(baseline.campaign, hosts, prints)


def merge(old: Baseline, new: Baseline) -> Baseline:
    """The new baseline, and of the old one the hosts that were not asked this time."""
    asked = {_asked_together(key) for key in new.prints}
    kept = {key: one for key, one in old.prints.items() if _asked_together(key) not in asked}
    return Baseline(new.campaign, {**old.taken_at, **new.taken_at}, {**kept, **new.prints})


def _asked_together(key: Key) -> tuple[str, str]:
    """What one take has all of: a host, or a name by DNS."""
    return key.host, key.name if key.host == PUBLIC else ""


def with_missing(kept: Baseline, new: Baseline) -> Baseline:
    """The new baseline, but nothing that was taken before is replaced."""
    return Baseline(new.campaign, {**new.taken_at, **kept.taken_at}, {**new.prints, **kept.prints})


def with_lines(baseline: Baseline, first: Iterable[Reply], second: Iterable[Reply]) -> Baseline:
    """The baseline with the lines that two more takes of the changing bodies have in common."""
    again = {Key.of(r.target, r.question): r.observation.lines for r in second}
    prints = dict(baseline.prints)
    for reply in (r for r in first if r.observation.status != _TOO_MANY):
        key = Key.of(reply.target, reply.question)
        lines = reply.observation.lines & again.get(key, frozenset())
        prints[key] = Print(prints[key].fields, prints[key].volatile, lines)
    return Baseline(baseline.campaign, baseline.taken_at, prints)


def compare(baseline: Baseline, reply: Reply, in_banner: bool = False, *, is_apart: bool = False) -> Returned:
    """One reply against the baseline.

    Args:
        baseline: how all answered as usual.
        reply: how one answers now.
        in_banner: in a banner's window: a page that could carry one has the headers of one that does, and the
            bytes of its own, whether there was a place for the banner in it or not.
        is_apart: where others get something of ours, so that no cache is to keep it.
    """
    before = baseline.prints.get(Key.of(reply.target, reply.question))
    if before is None:
        return Returned(reply, "unknown")
    if reply.observation.is_unreached and before.fields.get("error") != reply.observation.error:
        was = f"status {before.fields.get('status', 'none')}"
        return Returned(reply, "unreachable", (Difference("answer", was, reply.observation.error),))
    seen, changing = reply.observation, frozenset(before.volatile)
    if _is_limited(before, seen, in_banner):
        return Returned(reply, "limited", (), before.volatile)
    if in_banner and seen.banners:  # what stays must be the page itself
        bare = next(
            (one for one in seen.bare_spellings if one == before.fields.get("body")), seen.bare_sha256
        )
        seen = replace(seen, sha256=bare, size=seen.bare_size)
    if in_banner and seen.has_place is not None:
        changing |= OF_A_BANNER
    changing |= OF_ONE_APART if is_apart else frozenset()
    now = fingerprint(seen)
    if reply.target.is_public:
        changing |= {*before.fields, *now} - THROUGH_A_FRONT
    found = differences(before.fields, now, changing)
    found += _lost_lines(before, seen) if not seen.banners else ()
    verdict: Verdict = "different" if found else "stable" if before.volatile else "identical"
    return Returned(reply, verdict, found, before.volatile)


def certificate_trouble(baseline: Baseline | None, target: Target) -> str | None:
    """What was wrong with a target's certificate at the baseline; None if nothing was or nothing is known."""
    if baseline is None:
        return None
    front = baseline.prints.get(Key.of(target, Question("GET", "/")))
    return front.fields.get("certificate") if front else None


def write_baseline(baseline: Baseline) -> str:
    """The baseline as JSON, one place a line, sorted."""
    lines = (
        json.dumps(
            {
                **key.__dict__,
                "fields": dict(one.fields),
                "volatile": one.volatile,
                "lines": sorted(one.lines),
            },
            sort_keys=True,
        )
        for key, one in sorted(baseline.prints.items())
    )
    when = {"taken_at": baseline.last_at, "hosts": dict(sorted(baseline.taken_at.items()))}
    head = json.dumps({"campaign": baseline.campaign, **when})[1:-1]
    body = ",\n".join(lines)
    return f'{{"piquet_baseline": {BASELINE_FORMAT}, {head}, "prints": [\n{body}\n]}}\n'


def read_baseline(text: str) -> Baseline:
    """A baseline from its JSON.

    Raises:
        FleetError: not a baseline of this format.
    """
    try:
        document: Mapping[str, Any] = json.loads(text)
        if document["piquet_baseline"] != BASELINE_FORMAT:
            raise FleetError(
                f"a baseline of format {document['piquet_baseline']}, this piquet reads {BASELINE_FORMAT}"
            )
        prints = dict(_read_print(record) for record in document["prints"])
        hosts = document.get("hosts") or dict.fromkeys((k.host for k in prints), document["taken_at"])
        taken_at = {host: float(at) for host, at in hosts.items()}
        return Baseline(str(document["campaign"]), taken_at, prints)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FleetError(f"not a baseline: {error!r}; take it again") from error


def is_kept(reply: Reply) -> bool:
    """Tell whether a reply can be compared: a GET of a site that people may ask for."""
    return reply.question.method == "GET" and reply.target.site != UNKNOWN_SITE


def _is_limited(before: Print, seen: Observation, in_banner: bool) -> bool:
    """Whether one of two answers is about how often we ask, and the one now could be the site's usual one.

    A baseline that tells nothing excuses no answer of ours, no connection that was closed, and no error of the server.
    """
    if seen.ours or seen.error or (seen.banners and not in_banner):
        return False
    was_limited = before.fields.get("status") == str(_TOO_MANY)
    is_fine = seen.status is not None and seen.status < 500
    return seen.status == _TOO_MANY or (was_limited and is_fine)


def _lost_lines(before: Print, observation: Observation) -> tuple[Difference, ...]:
    lost = before.lines - observation.lines
    if not lost:
        return ()
    return (
        Difference(
            "lines of the body", f"{len(before.lines)} that do not change", f"{len(lost)} of them gone"
        ),
    )


def _read_print(record: Mapping[str, Any]) -> tuple[Key, Print]:
    key = Key(**{name: record[name] for name in Key.__dataclass_fields__})
    return key, Print(dict(record["fields"]), tuple(record["volatile"]), frozenset(record["lines"]))
