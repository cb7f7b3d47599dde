# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of exit codes, so that a script can tell whose turn it is.

| code | whose turn |
|---|---|
| 0 | nobody's: all is well |
| 1 | the reader's: it ran, and what it found is not as it should be |
| 2 | the caller's: the command line is wrong |
| 3 | the campaign's author |
| 4 | the keeper of the inventory and the surveys |
| 5 | whoever decides: the plan is unsafe or not the reviewed one |
| 6 | the author of pages and templates |
| 7 | the host's administrator |
| 70 | ours, or the machine's: it could not run |
| 130 | nobody's: interrupted |
"""

from __future__ import annotations

from piquet.errors import BundleError, CampaignError, FleetError, HostError, PiquetError, PlanError

OK = 0
FINDINGS = 1
USAGE = 2
CAMPAIGN = 3
FLEET = 4
PLAN = 5
BUNDLE = 6
HOST = 7
INTERNAL = 70
INTERRUPTED = 130

_BY_ERROR: tuple[tuple[type[PiquetError], int], ...] = (
    (CampaignError, CAMPAIGN),
    (FleetError, FLEET),
    (PlanError, PLAN),
    (BundleError, BUNDLE),
    (HostError, HOST),
)


def code_of(error: PiquetError) -> int:
    """The exit code for an error of ours."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FINDINGS)
