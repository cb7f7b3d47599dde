# SPDX-License-Identifier: GPL-3.0-or-later
"""What one inspection found, as text for people and as a document. No file, no network, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from piquet.campaign.model import Campaign, Mode
from piquet.fleet.sites import count_sites, counted, sites_on_hosts
from piquet.printable import in_one_line, printable
from piquet.report.paragraphs import by_cause, paragraph
from piquet.verify.certificate import Certificate, certificate_json, certificate_text
from piquet.verify.expectations import Moment, phase_at
from piquet.verify.fronts import Through
from piquet.verify.observation import UNKNOWN_SITE, Target, Unreachable
from piquet.verify.outside.inspection import Inspection, Stretch
from piquet.verify.public import PublicDoors

REPORT_FORMAT = 1
_SHOWN: Mapping[Mode, str] = {
    "block": "the strike page",
    "occupy": "the strikers' page in the place of theirs",
    "banner": "the banner",
}


@dataclass(frozen=True)
class Report:
    """One inspection and everything it stands on.

    Attributes:
        campaign: what was decided.
        at: aware, UTC; when the asking began.
        moment: as what the answers were judged.
        targets: who was asked.
        unreachable: places that were not asked, with the reason.
        inspection: what was found.
        certificate: the return certificate, None while it is not time for one.
        has_baseline: whether answers could be compared with those before the strike.
        public: where DNS leads visitors, None if that was not asked.
    """

    campaign: Campaign
    at: datetime
    moment: Moment
    targets: Sequence[Target]
    unreachable: Sequence[Unreachable]
    inspection: Inspection
    certificate: Certificate | None
    has_baseline: bool
    public: PublicDoors | None = None

    @property
    def is_ok(self) -> bool:
        """True if there is no error, and the certificate, if any, is clean."""
        is_clean = self.certificate is None or self.certificate.is_clean
        return is_clean and not any(finding.severity == "error" for finding in self.inspection.findings)


def inspection_text(report: Report, max_shown: int | None = None) -> str:
    """The report for people: what was asked, the findings, what could not be asked, the verdict last.

    Args:
        report: what to tell.
        max_shown: how many findings, and rows of the certificate, to show; None: all.
    """
    return printable("\n".join(_lines(report, max_shown)))


def inspection_json(report: Report) -> dict[str, Any]:
    """The report as a document; instants in RFC 3339, UTC."""
    pace = report.inspection.pace
    return {
        "piquet_verify": REPORT_FORMAT,
        "campaign": report.campaign.name,
        "at": report.at.isoformat(),
        "moment": report.moment,
        "in_force": _in_force(report),
        "ok": report.is_ok,
        "targets": len(report.targets),
        "probes": pace.probes,
        "seconds": round(pace.seconds, 3),
        "baseline": report.has_baseline,
        "over_http3_not_asked": sorted(report.inspection.over_http3),
        "public": _public_json(report.public, report.inspection.through) if report.public else None,
        "shown": dict(report.inspection.shown),
        "banners": report.inspection.carrying,
        "parts": [
            {
                "phase": part.phase.number if part.phase else None,
                "asked": part.asked,
                "showing": part.showing,
            }
            for part in report.inspection.stretches
        ],
        "findings": [finding.to_json() for finding in report.inspection.findings],
        "not_asked": [
            {name: getattr(one, name) for name in one.__dataclass_fields__} for one in _not_asked(report)
        ],
        "certificate": certificate_json(report.certificate) if report.certificate else None,
    }


def _lines(report: Report, max_shown: int | None) -> Iterator[str]:
    pace = report.inspection.pace
    yield f"{report.campaign.name} at {report.at:%Y-%m-%d %H:%M:%S} UTC: {_in_force(report)}"
    yield f"asked {_scope(report.targets)}: {pace.probes} probes in {pace.seconds:.1f} s"
    yield from _shown_lines(report)
    if report.public:
        yield from _by_dns(report.public, report.inspection, max_shown)
        if report.has_baseline and _lacks_public(report.inspection):
            yield "  the baseline knows nothing of that: take it with --public too, before the start"
    groups = by_cause(report.inspection.findings)
    shown = groups[:max_shown]
    for group in shown:
        yield f"\n{paragraph(group, show_all=max_shown is None)}"
    hidden = sum(len(group) for group in groups[len(shown) :])
    if hidden:
        yield f"\n… and {counted(hidden, 'more finding')} (--all or --json shows them)"
    if report.unreachable:
        yield f"\nnot asked, so nothing is said of it ({counted(len(report.unreachable), 'place')}):"
    for one in report.unreachable:
        yield f"  {one.label}"
    if over := report.inspection.over_http3:
        names = sorted(over)[:max_shown]
        more = f" … and {len(over) - len(names)} more" if len(names) < len(over) else ""
        verb = "answers" if len(over) == 1 else "answer"
        yield f"\n{counted(len(over), 'site')} {verb} over HTTP/3, too, which was not asked: {', '.join(names)}{more}"
    if not report.has_baseline:
        yield "\nno baseline: sites that should be as usual were only checked for being without the strike"
    if report.certificate:
        yield f"\n{certificate_text(report.certificate, max_shown)}"
    yield f"\n{_verdict(report)}"


def _not_asked(report: Report) -> Sequence[Unreachable]:
    return (*report.unreachable, *(report.public.not_asked if report.public else ()))


def _public_json(public: PublicDoors, through: Through) -> dict[str, Any]:
    """What DNS leads to: names by who answers them, and of each door what is known."""
    return {
        "straight": list(public.straight),
        "elsewhere": sorted(through.asked),
        "showing": sorted(through.showing),
        "by": dict(through.by_name),
        "doors": [
            {"name": t.name, "address": t.address, "port": t.port, "front": f.name, "kept": f.kept}
            for t, f in through.fronts.items()
        ],
    }


def _lacks_public(seen: Inspection) -> bool:
    """Whether somebody answered by DNS, and nothing of it could be compared."""
    return bool(seen.through.asked) and not any(row.reply.target.is_public for row in seen.returned)


def _by_dns(public: PublicDoors, seen: Inspection, max_shown: int | None) -> Iterator[str]:
    """Where DNS leads visitors, and what was not asked there, each name of it."""
    through, parts = seen.through, [part for part in seen.stretches if part.phase]
    lost = sorted({one.site for one in public.not_asked})
    led = {*public.straight, *through.names, *lost}
    yield f"by DNS, {counted(len(led), 'name')} of sites that take part:"
    if public.straight:
        yield f"  {len(public.straight)} straight to their own hosts, asked there and not a second time"
    if through.names:
        who = ", ".join(f"{name} {number}" for name, number in through.by_name.items())
        yield f"  {len(through.names)} to something else{f': {who}' if who else ''}"
    if parts and through.asked:
        yield f"  {len(through.showing)} of {len(through.asked)} of those show the strike through it"
    reasons: dict[str, list[str]] = {}
    for one in public.not_asked:
        reasons.setdefault(one.reason, []).append(f"{one.site}{f' ({one.place})' if one.place else ''}")
    for reason, names in reasons.items():
        shown = names[:max_shown]
        more = f" … and {len(names) - len(shown)} more (--all names them)" if len(shown) < len(names) else ""
        yield in_one_line(f"  not asked: {reason}: {', '.join(shown)}{more}")


def _shown_lines(report: Report) -> Iterator[str]:
    """What visitors met, mode by mode: of a phase in force how many of its sites, of others only if there are any."""
    parts = report.inspection.stretches
    if len(parts) > 1:
        yield "the run crossed a change of phase, so not all sites were asked in the same:"
    for part in parts:
        if text := _part(part, is_one_of_many=len(parts) > 1):
            yield text
    told = {part.phase.mode for part in parts if part.phase}
    for mode, words in _SHOWN.items():
        count = report.inspection.shown.get(mode, 0)
        if count and mode not in told:
            yield f"{counted(count, 'site')} show {words}"
    missing = sum(finding.code == "no-banner" for finding in report.inspection.findings)
    if report.inspection.carrying or missing:
        carrying = report.inspection.carrying
        yield f"{carrying} pages carry the banner; {missing} addresses have pages that do not, see below"


def _part(part: Stretch, *, is_one_of_many: bool) -> str:
    """One part of a run; nothing to say of a whole run outside of all windows."""
    if part.phase is None:
        return f"  {counted(part.asked, 'site')} asked while no phase was in force" if is_one_of_many else ""
    shows = f"{part.showing} of {counted(part.asked, 'site')} show {_SHOWN[part.phase.mode]}"
    return f"  in phase {part.phase.number} ({part.phase.mode}): {shows}" if is_one_of_many else shows


def _in_force(report: Report) -> str:
    """What the answers were judged as, for people."""
    if report.moment in ("before", "after"):
        return f"every site should be as usual ({report.moment} the strike)"
    phase = phase_at(report.campaign.phases, report.at.timestamp())
    if phase is None:
        return "no phase is in force, every site should be as usual"
    return f"phase {phase.number} ({phase.mode}) is in force until {phase.end_at:%Y-%m-%d %H:%M:%S} UTC"


def _scope(targets: Sequence[Target]) -> str:
    asked = [target for target in targets if target.site != UNKNOWN_SITE and not target.is_public]
    selected = count_sites(t.site for t in asked if t.phases)
    places = sites_on_hosts((t.host, t.site) for t in asked)
    return f"{places} ({selected} selected) at {counted(len(asked), 'door')}"


def _verdict(report: Report) -> str:
    """The last line: it says nothing of what was not asked, and nothing of now where the run crossed a switch."""
    counts = Counter(finding.severity for finding in report.inspection.findings)
    told = ", ".join(counted(counts[s], s) for s in ("error", "warning") if counts[s])
    if not report.is_ok:
        return f"NOT as it should be: {told or 'see the certificate'}"
    has_crossed = len(report.inspection.stretches) > 1
    missed = len(_not_asked(report))
    subject = f"every site{' that was asked' if missed else ''}"
    verb = "answered as it should when it was asked" if has_crossed else "answers as it should"
    limits = [f"{counted(missed, 'place')} not asked"] if missed else []
    limits += ["HTTP/3 not asked"] if report.inspection.over_http3 else []
    limits += [told] if told else []
    again = "; run it again to see all of them in the same phase" if has_crossed else ""
    aside = f" ({', '.join(limits)})" if limits else ""
    return f"{subject} {verb}{aside}{again}"
