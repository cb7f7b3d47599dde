# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaign + fleet → plan: who shows what, when, what is worth knowing, and what is refused.

* `model`      what a plan is
* `selection`  which names of a host are meant
* `capabilities`  what ours may do in a server
* `gates`      findings on campaign and hosts
* `make`       all of it together
* `document`   the canonical JSON and its digest
"""

from piquet.plan.document import plan_digest, plan_document
from piquet.plan.gates import raise_if_unsafe
from piquet.plan.make import make_plan
from piquet.plan.model import Entry, HostPlan, Plan, Probe

__all__ = [
    "Entry",
    "HostPlan",
    "Plan",
    "Probe",
    "make_plan",
    "plan_digest",
    "plan_document",
    "raise_if_unsafe",
]
