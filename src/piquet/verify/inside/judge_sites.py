# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a site answer what it should, asked on its own host? In the words of `piquet.verify`. No file, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from piquet.protocol.findings import Finding
from piquet.verify.before_us import Held, before_us
from piquet.verify.expectations import Expectations
from piquet.verify.inside.look import Look
from piquet.verify.judge import gathered, judge
from piquet.verify.observation import UNKNOWN_SITE, Reply


def site_findings(look: Look, site: str, expectations: Expectations) -> tuple[Finding, ...]:
    """What is wrong with one site's answers, judged at the instants of the host's own clock."""
    replies = look.by_site.get(site, ())
    on_strike = {(r.target.host, r.target.name) for r in replies if r.target.tls and r.observation.ours}
    held = Held(None, on_strike)
    return gathered(finding for reply in replies for finding in _judged_errors(reply, expectations, held))


def unknown_name_findings(look: Look, expectations: Expectations) -> tuple[Finding, ...]:
    """Doors at which the strike answers for a name that nobody serves."""
    return site_findings(look, UNKNOWN_SITE, expectations)


def _judged_errors(reply: Reply, expectations: Expectations, held: Held) -> Iterator[Finding]:
    """Errors only: a limit, such as http that is sent to https before us, is told by survey and verify."""
    for finding in judge(reply, expectations.answers(reply)):
        is_limit = finding.code == "not-on-strike" and before_us(reply, held) is not None
        if finding.severity == "error" and not is_limit:
            yield finding
