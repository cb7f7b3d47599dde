# SPDX-License-Identifier: GPL-3.0-or-later
"""What one inspection found, as text for people and as a document. No file, no network, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from piquet.campaign.model import Campaign, Mode
from piquet.findings import as_text as finding_text
from piquet.printable import printable
from piquet.report.certificate import Certificate
from piquet.report.certificate import as_text as certificate_text
from piquet.report.certificate import to_json as certificate_json
from piquet.verify.expectations import Moment, phase_at
from piquet.verify.inspection import Inspection
from piquet.verify.observation import UNKNOWN_SITE, Target, Unreachable

FORMAT = 1
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
        unreachable: who cannot be asked from here.
        inspection: what was found.
        certificate: the return certificate, None while it is not time for one.
        has_baseline: whether answers could be compared with those before the strike.
    """

    campaign: Campaign
    at: datetime
    moment: Moment
    targets: Sequence[Target]
    unreachable: Sequence[Unreachable]
    inspection: Inspection
    certificate: Certificate | None
    has_baseline: bool

    @property
    def is_ok(self) -> bool:
        """True if there is no error, and the certificate, if any, is clean."""
        is_clean = self.certificate is None or self.certificate.is_clean
        return is_clean and not any(finding.severity == "error" for finding in self.inspection.findings)


def as_text(report: Report, max_shown: int | None = None) -> str:
    """The report for people: what was asked, the findings, what could not be asked, the verdict last.

    Args:
        report: what to tell.
        max_shown: how many findings, and rows of the certificate, to show; None: all.
    """
    return printable("\n".join(_lines(report, max_shown)))


def to_json(report: Report) -> dict[str, Any]:
    """The report as a document; instants in RFC 3339, UTC."""
    pace = report.inspection.pace
    return {
        "piquet_verify": FORMAT,
        "campaign": report.campaign.name,
        "at": report.at.isoformat(),
        "moment": report.moment,
        "in_force": _in_force(report),
        "ok": report.is_ok,
        "targets": len(report.targets),
        "probes": pace.probes,
        "seconds": round(pace.seconds, 3),
        "baseline": report.has_baseline,
        "shown": dict(report.inspection.shown),
        "banners": report.inspection.carrying,
        "findings": [finding.to_json() for finding in report.inspection.findings],
        "not_asked": [
            {name: getattr(one, name) for name in one.__dataclass_fields__} for one in report.unreachable
        ],
        "certificate": certificate_json(report.certificate) if report.certificate else None,
    }


def _lines(report: Report, max_shown: int | None) -> Iterator[str]:
    pace = report.inspection.pace
    yield f"{report.campaign.name} at {report.at:%Y-%m-%d %H:%M:%S} UTC: {_in_force(report)}"
    yield f"asked {_scope(report.targets)}: {pace.probes} probes in {pace.seconds:.1f} s"
    yield from _shown(report)
    shown = report.inspection.findings[:max_shown]
    for finding in shown:
        yield f"\n{finding_text(finding)}"
    hidden = len(report.inspection.findings) - len(shown)
    if hidden:
        yield f"\n… and {hidden} more findings (--all or --json shows them)"
    if report.unreachable:
        yield f"\nnot asked, as it cannot be reached from outside ({len(report.unreachable)}):"
    for one in report.unreachable:
        yield f"  {one.site} on {one.host}{', ' + one.place if one.place else ''}: {one.reason}"
    if not report.has_baseline:
        yield "\nno baseline: sites that should be as usual were only checked for being without the strike"
    if report.certificate:
        yield f"\n{certificate_text(report.certificate, max_shown)}"
    yield f"\n{_verdict(report)}"


def _shown(report: Report) -> Iterator[str]:
    """What visitors met, mode by mode: of the phase in force how many of its sites, of others only if there are any."""
    phase = (
        None
        if report.moment in ("before", "after")
        else phase_at(report.campaign.phases, report.at.timestamp())
    )
    for mode, words in _SHOWN.items():
        count = report.inspection.shown.get(mode, 0)
        if phase and phase.mode == mode:
            sites = {(t.host, t.site) for t in report.targets if phase.number in t.phases}
            yield f"{count} of {len(sites)} sites show {words}"
        elif count:
            yield f"{count} sites show {words}"
    missing = sum(finding.code == "no-banner" for finding in report.inspection.findings)
    if report.inspection.carrying or missing:
        carrying = report.inspection.carrying
        yield f"{carrying} pages carry the banner; {missing} addresses have pages that do not, see below"


def _in_force(report: Report) -> str:
    """What the answers were judged as, for people."""
    if report.moment in ("before", "after"):
        return f"every site should be as usual ({report.moment} the strike)"
    phase = phase_at(report.campaign.phases, report.at.timestamp())
    if phase is None:
        return "no phase is in force, every site should be as usual"
    return f"phase {phase.number} ({phase.mode}) is in force until {phase.end_at:%Y-%m-%d %H:%M:%S} UTC"


def _scope(targets: Sequence[Target]) -> str:
    asked = [target for target in targets if target.site != UNKNOWN_SITE]
    selected = len({(t.host, t.site) for t in asked if t.phases})
    total = len({(t.host, t.site) for t in asked})
    hosts = len({target.host for target in asked})
    return f"{total} sites ({selected} selected) on {hosts} host{'s' * (hosts != 1)} at {len(asked)} doors"


def _verdict(report: Report) -> str:
    counts = Counter(finding.severity for finding in report.inspection.findings)
    told = ", ".join(f"{counts[s]} {s}{'s' * (counts[s] > 1)}" for s in ("error", "warning") if counts[s])
    if report.is_ok:
        return f"every site answers as it should{f' ({told})' if told else ''}"
    return f"NOT as it should be: {told or 'see the certificate'}"
