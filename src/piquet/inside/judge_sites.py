# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a site answer what it should, asked on its own host? In the words of `piquet.verify`. No file, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from piquet.findings import Finding
from piquet.inside.look import Look
from piquet.verify.expectations import Expectations
from piquet.verify.judge import gathered, judge
from piquet.verify.observation import UNKNOWN_SITE, Reply


def site_findings(look: Look, site: str, expectations: Expectations) -> tuple[Finding, ...]:
    """What is wrong with one site's answers, judged at the instants of the host's own clock."""
    return gathered(
        finding for reply in look.by_site.get(site, ()) for finding in _judged(reply, expectations)
    )


def unknown_name_findings(look: Look, expectations: Expectations) -> tuple[Finding, ...]:
    """Doors at which the strike answers for a name that nobody serves."""
    return site_findings(look, UNKNOWN_SITE, expectations)


def _judged(reply: Reply, expectations: Expectations) -> Iterator[Finding]:
    yield from (
        finding for finding in judge(reply, expectations.answers(reply)) if finding.severity == "error"
    )
