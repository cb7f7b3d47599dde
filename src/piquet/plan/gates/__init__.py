# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a plan's way, and what somebody should know before it is carried out.

Each gate looks at one thing and yields findings with a stable code; `error` refuses the plan. Only hosts
that show something are judged, but everything that a survey found is passed on. No file, no network, no
clock.

* `campaign`    its windows
* `selection`   names, consent, share of the fleet
* `spelling`    names that mean nothing, or less than they seem to
* `host`        survey, clock, schedule
* `server`      what a server tells by itself, which the survey shows too; each kind's own gates are with it
* `tiers`       servers of a host behind each other
* `unheld`      sites that others refuse by name, all at once
"""

from piquet.errors import PlanError, Problem
from piquet.plan.gates.campaign import campaign_findings
from piquet.plan.gates.host import host_findings
from piquet.plan.gates.selection import selection_findings
from piquet.plan.gates.unheld import unheld_findings
from piquet.plan.model import Plan
from piquet.protocol.findings import Finding, errors

__all__ = ["campaign_findings", "host_findings", "raise_if_unsafe", "selection_findings", "unheld_findings"]


def raise_if_unsafe(plan: Plan) -> None:
    """Refuse a plan that has errors.

    Raises:
        PlanError: with every error of the plan.
    """
    found = errors(plan.findings)
    if found:
        count = "1 error" if len(found) == 1 else f"{len(found)} errors"
        raise PlanError(f"this plan is not safe: {count}, nothing was written", map(_as_problem, found))


def _as_problem(finding: Finding) -> Problem:
    message = f"{finding.message} [{finding.code}]"
    return Problem(finding.subject, 0, 0, message, finding.expected, finding.got, finding.hint)
