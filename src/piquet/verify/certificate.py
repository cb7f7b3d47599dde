# SPDX-License-Identifier: GPL-3.0-or-later
"""The return certificate: did every site come back as it was, at every door of every host?

Made from the comparison with the baseline; JSON for machines, a sentence and a table for people. No file,
no network, no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from piquet.fleet.sites import counted, sites_on_hosts
from piquet.printable import in_one_line
from piquet.verify.baseline import WEIGHT, Baseline, Key, Returned, Verdict
from piquet.verify.observation import Target, Unreachable

CERTIFICATE_FORMAT = 1
_TIME = "%Y-%m-%d %H:%M:%SZ"
_WORDS: Mapping[Verdict, str] = {
    "identical": "identical",
    "stable": "identical in all that does not change by itself",
    "limited": "whose front page was not compared (asked too often, 429)",
    "unknown": "not in the baseline",
    "different": "different",
    "unreachable": "unreachable",
}


@dataclass(frozen=True)
class CertificateRow:
    """One site at one door of one host.

    Attributes:
        target: where.
        verdict: the worst of its paths; where the front page was compared, others that could not be since the site
            limits how often one may ask make it `stable` at best.
        returned: its paths, as compared.
    """

    target: Target
    verdict: Verdict
    returned: tuple[Returned, ...]


@dataclass(frozen=True)
class Certificate:
    """The whole fleet's return.

    Attributes:
        campaign: name.
        at: aware, UTC; when the sites were asked.
        baseline_at: aware, UTC; when the baseline was taken.
        rows: in the order asked.
        not_asked: places that were not asked, with the reason.
        missing: places of the baseline that nobody asked again (no longer in the survey).
        over_http3: how many sites answer over HTTP/3, too, which was not asked.
    """

    campaign: str
    at: datetime
    baseline_at: datetime
    rows: tuple[CertificateRow, ...]
    not_asked: tuple[Unreachable, ...]
    missing: int
    over_http3: int = 0

    @property
    def is_clean(self) -> bool:
        """True if every row is identical, at least in its stable parts, and nothing is missing."""
        return bool(self.rows) and not self.missing and all(WEIGHT[row.verdict] <= 1 for row in self.rows)


def make_certificate(
    baseline: Baseline,
    returned: Iterable[Returned],
    at: datetime,
    baseline_at: datetime,
    not_asked: Iterable[Unreachable] = (),
    hosts: Collection[str] | None = None,
    over_http3: int = 0,
) -> Certificate:
    """Gather the compared replies by target.

    Args:
        baseline: what was compared with.
        returned: one per compared reply.
        at: aware, UTC; when the sites were asked.
        baseline_at: aware, UTC; when the baseline was taken.
        not_asked: places that were not asked, with the reason.
        hosts: those that were asked; places of other hosts are not missing. None: all of the baseline.
        over_http3: how many sites answer over HTTP/3, too.
    """
    by_target: dict[Target, list[Returned]] = {}
    returned = tuple(returned)
    for one in returned:
        by_target.setdefault(one.reply.target, []).append(one)
    rows = tuple(CertificateRow(t, _worst_verdict(found), tuple(found)) for t, found in by_target.items())
    asked = {_door(Key.of(one.reply.target, one.reply.question)) for one in returned}
    missing = _doors(baseline, hosts) - asked
    return Certificate(baseline.campaign, at, baseline_at, rows, tuple(not_asked), len(missing), over_http3)


def certificate_summary(certificate: Certificate) -> str:
    """One sentence for people."""
    counts = Counter(row.verdict for row in certificate.rows)
    own = [row.target for row in certificate.rows if not row.target.is_public]
    by_dns = len(certificate.rows) - len(own)
    scope = f"{sites_on_hosts((t.host, t.site) for t in own)}, {counted(len(own), 'door')}"
    scope += f" and {by_dns} by DNS" if by_dns else ""
    parts = [f"{counts[verdict]} {_WORDS[verdict]}" for verdict in WEIGHT if counts[verdict]]
    parts += [f"{certificate.missing} of the baseline not asked again"] if certificate.missing else []
    told = "; ".join(parts) or "nothing to compare"
    missed = certificate.not_asked
    asked = "Every site that was asked came back" if missed else "Every site came back"
    opening = asked if certificate.is_clean else "Not every site came back as it was"
    unasked = f" {counted(len(missed), 'place')} not asked, so nothing is said of them." if missed else ""
    over = certificate.over_http3
    quic = f" HTTP/3, over which {counted(over, 'site')} answered, too, was not asked." if over else ""
    return f"{opening}: {scope}: {told}.{unasked}{quic}"


def certificate_text(certificate: Certificate, max_rows: int | None = None) -> str:
    """The certificate for people: summary, then the rows that are not plainly identical, the worst first.

    Args:
        certificate: what to tell.
        max_rows: how many rows to show; None: all.
    """
    head = [
        f"Return certificate of {certificate.campaign}",
        f"asked {certificate.at:{_TIME}}, baseline of {certificate.baseline_at:{_TIME}}",
        certificate_summary(certificate),
    ]
    shown = [row for row in certificate.rows if row.verdict != "identical"]
    shown.sort(key=lambda row: (-WEIGHT[row.verdict], row.target.label))
    lines = [line for row in shown[:max_rows] for line in _row_lines(row)]
    hidden = len(shown) - len(shown[:max_rows])
    lines += [f"  … and {hidden} more (--all shows them)"] if hidden else []
    seen = [f"  not asked: {one.label}" for one in certificate.not_asked]
    return "\n".join([*head, *lines, *seen])


def certificate_json(certificate: Certificate) -> dict[str, Any]:
    """The certificate as a document; instants in RFC 3339, UTC."""
    counts = Counter(row.verdict for row in certificate.rows)
    return {
        "piquet_return_certificate": CERTIFICATE_FORMAT,
        "campaign": certificate.campaign,
        "at": certificate.at.isoformat(),
        "baseline_at": certificate.baseline_at.isoformat(),
        "clean": certificate.is_clean,
        "summary": certificate_summary(certificate),
        "counts": {verdict: counts[verdict] for verdict in WEIGHT},
        "missing": certificate.missing,
        "rows": [_row_json(row) for row in certificate.rows],
        "not_asked": [
            {name: getattr(u, name) for name in u.__dataclass_fields__} for u in certificate.not_asked
        ],
    }


def _worst_verdict(found: Iterable[Returned]) -> Verdict:
    """The verdict on a site: a limited path that is not its front page leaves the others to tell."""
    verdicts: list[Verdict] = []
    for one in found:
        is_beside = one.verdict == "limited" and one.reply.question.path != "/"
        verdicts.append("stable" if is_beside else one.verdict)
    return max(verdicts, key=WEIGHT.__getitem__)


def _doors(baseline: Baseline, hosts: Collection[str] | None) -> set[tuple[str, str, int, str]]:
    keys = (key for key in baseline.prints if hosts is None or key.host in hosts)
    return {_door(key) for key in keys}


def _door(key: Key) -> tuple[str, str, int, str]:
    return key.host, key.address, key.port, key.name


def _row_lines(row: CertificateRow) -> Iterator[str]:
    yield f"  {_WORDS[row.verdict]}: {row.target.label}"
    for one in row.returned:
        for difference in one.found:
            yield f"    {one.reply.question.label}: {in_one_line(difference.field)}"
            yield f"      expected: {in_one_line(difference.expected)}"
            yield f"      got:      {in_one_line(difference.got)}"
    if limited := [one.reply.question.path for one in row.returned if one.verdict == "limited"]:
        yield f"    not compared, as the site limits how often one may ask (429): {', '.join(limited)}"
    by_itself: dict[tuple[str, ...], list[str]] = {}
    for one in row.returned:
        if one.volatile:
            by_itself.setdefault(one.volatile, []).append(one.reply.question.path)
    for fields, paths in by_itself.items():
        where = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        yield f"    not compared, as it changes by itself: {', '.join(fields)} ({where})"


def _row_json(row: CertificateRow) -> dict[str, Any]:
    return {
        "host": row.target.host,
        "address": row.target.address,
        "port": row.target.port,
        "tls": row.target.tls,
        "site": row.target.site,
        "name": row.target.name,
        "verdict": row.verdict,
        "paths": [
            {
                "path": one.reply.question.path,
                "verdict": one.verdict,
                "differences": [difference.__dict__ for difference in one.found],
                "volatile": list(one.volatile),
            }
            for one in row.returned
        ],
    }
