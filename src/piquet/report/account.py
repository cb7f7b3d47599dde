# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of a campaign: what was decided, what was to be, what was, as one document for programs and for people.

Made of what the controller has kept; hosts are not asked. What is not known is there as null or `unknown`.
No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from piquet.campaign.model import Campaign
from piquet.fleet.sites import count_sites
from piquet.plan import Plan
from piquet.report.decided import decided_json
from piquet.report.host_story import HostStory, JournalLine, Sighting, host_story

ACCOUNT_FORMAT = 1


@dataclass(frozen=True)
class Picture:
    """One picture that `preview --export` made.

    Attributes:
        name: of its file.
        phase: number.
        language: tag.
        device: `phone` or `desktop`.
        png: its bytes.
    """

    name: str
    phase: int
    language: str
    device: str
    png: bytes


@dataclass(frozen=True)
class Kept:
    """What the controller has kept.

    Attributes:
        plan: as it would be made now.
        unsurveyed: hosts of the inventory whose sites nobody has asked for.
        withdrawals: site → when it took its consent back, as it is written.
        plans: digest → the plan's document, of those that are kept.
        statuses: host → what it last told: `at`, `verb`, `status`.
        journals: host → lines of its journal.
        journal: our own.
        certificate: the newest return certificate of the campaign, None if there is none.
        pictures: of what visitors got.
        made_at: aware, UTC; now.
    """

    plan: Plan
    unsurveyed: Sequence[str]
    withdrawals: Mapping[str, str]
    plans: Mapping[str, Mapping[str, Any]]
    statuses: Mapping[str, Mapping[str, Any]]
    journals: Mapping[str, Sequence[JournalLine]]
    journal: Sequence[JournalLine]
    certificate: Mapping[str, Any] | None
    pictures: Sequence[Picture]
    made_at: datetime

    @property
    def campaign(self) -> Campaign:
        """What was decided."""
        return self.plan.campaign


def account(kept: Kept) -> dict[str, Any]:
    """The document; instants in RFC 3339, UTC, those of hosts by their own clocks."""
    campaign, now = kept.campaign, kept.made_at.timestamp()
    planned = {host.host for host in kept.plan.hosts if host.entries}
    stories = [
        host_story(host, campaign, kept.journals.get(host, ()), kept.statuses.get(host, {}), now)
        for host in sorted(planned | _who_did_something(kept))
    ]
    return {
        "piquet_report": ACCOUNT_FORMAT,
        "campaign": campaign.name,
        "timezone": campaign.timezone,
        "contact": campaign.contact,
        "made_at": _utc(now),
        "decision": dict(decided_json(campaign)),
        "phases": [
            {
                "number": phase.number,
                "mode": phase.mode,
                "start": phase.start_at.isoformat(),
                "end": phase.end_at.isoformat(),
                "paths": list(phase.paths),
            }
            for phase in campaign.phases
        ],
        "hosts": [_host(story) for story in stories],
        "coverage": _coverage(kept, stories),
        "withdrawals": [{"site": site, "at": at} for site, at in sorted(kept.withdrawals.items())],
        "commands": _commands(kept.journal, stories, campaign),
        "looks": [
            dict(record)
            for record in kept.journal
            if record.get("verb") == "verify" and record.get("campaign") == campaign.name
        ],
        "certificate": dict(kept.certificate) if kept.certificate else None,
        "pictures": [picture.name for picture in kept.pictures],
    }


def _who_did_something(kept: Kept) -> set[str]:
    """Hosts with a line of this campaign in their journal."""
    name = kept.campaign.name
    return {
        host
        for host, records in kept.journals.items()
        if any(record.get("campaign") == name for record in records)
    }


def _host(story: HostStory) -> dict[str, Any]:
    return {
        "host": story.host,
        "heard_at": _utc(story.heard_at),
        "state": story.state,
        "journal_is_whole": story.is_whole,
        "armed": [
            asdict(span) | {"since": _utc(span.since), "until": _utc(span.until)} for span in story.armed
        ],
        "phases": [
            {"number": number, "start": _sighting(begun), "end": _sighting(ended)}
            for number, (begun, ended) in sorted(story.phases.items())
        ],
        "stops": [asdict(stop) | {"at": _utc(stop.at), "sites": list(stop.sites)} for stop in story.stops],
        "others": [dict(record) for record in story.others],
    }


def _sighting(seen: Sighting) -> dict[str, Any]:
    return {
        "word": seen.word,
        "at": _utc(seen.at),
        "is_release": seen.is_release,
        "answers": [dict(one) for one in seen.answers],
    }


def _coverage(kept: Kept, stories: Iterable[HostStory]) -> dict[str, Any]:
    """Which sites were to show what, by the plans that hosts were armed with; where no host was, by the plan of now."""
    armed = {story.host: story.armed[-1].digest for story in stories if story.armed}
    shown: dict[str, set[int]] = {}
    unknown = []
    for host, digest in armed.items():
        part = _part(kept.plans.get(digest), host)
        if part is None:
            unknown.append(host)
        for entry in part or ():
            shown.setdefault(str(entry["name"]), set()).update(int(number) for number in entry["phases"])
    if not armed:
        for planned in kept.plan.hosts:
            for one in planned.entries:
                shown.setdefault(one.name, set()).update(one.phases)
    usual: dict[str, set[str]] = {}
    for host_plan in kept.plan.hosts:
        for site in host_plan.usual:
            if site.name not in shown:
                usual.setdefault(site.reason, set()).add(site.name)
    return {
        "is_of_armed_plans": bool(armed),
        "plan_digests": sorted(set(armed.values())),
        "unknown_hosts": sorted(unknown),
        "unsurveyed_hosts": sorted(kept.unsurveyed),
        "phases": [
            {
                "number": phase.number,
                "mode": phase.mode,
                "sites": sum(phase.number in n for n in shown.values()),
            }
            for phase in kept.campaign.phases
        ],
        "sites": count_sites(shown),
        "shown": _groups_of_sites(shown),
        "as_usual": {reason: sorted(names) for reason, names in sorted(usual.items())},
    }


def _part(document: Mapping[str, Any] | None, host: str) -> list[Mapping[str, Any]] | None:
    """A host's entries in a plan; None where that is not known."""
    if document is None or host not in document.get("hosts", {}):
        return None
    return list(document["hosts"][host]["entries"])


def _groups_of_sites(shown: Mapping[str, set[int]]) -> list[dict[str, Any]]:
    """Sites with the same phases together."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in sorted(shown):
        groups.setdefault(tuple(sorted(shown[name])), []).append(name)
    return [{"phases": list(phases), "sites": names} for phases, names in sorted(groups.items())]


def _commands(
    journal: Iterable[JournalLine], stories: Iterable[HostStory], campaign: Campaign
) -> list[dict[str, Any]]:
    """Our own lines since the first host had anything of the campaign; all of them where that is not known."""
    begun = [span.since for story in stories for span in story.armed]
    first = min(begun, default=0.0) - 7 * 86400
    return [
        dict(record)
        for record in journal
        if float(record["at"]) >= first and record.get("campaign", campaign.name) == campaign.name
        if record.get("verb") != "verify"
    ]


def _utc(epoch_s: float | None) -> str | None:
    if epoch_s is None:
        return None
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
