# SPDX-License-Identifier: GPL-3.0-or-later
"""Which state a host should be in at which moment of a campaign. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from piquet.campaign.model import Campaign
from piquet.verify import expectations
from piquet.verify.expectations import phase_at

InsideMoment = Literal["now", "before", "armed", "during", "after", "removed"]

INSIDE_MOMENTS: Mapping[InsideMoment, str] = {
    "now": "whatever the clock says (the default)",
    "before": "staged, and nothing shows, whatever the clock says",
    "armed": "armed; what shows goes by the clock",
    "during": "armed, and a phase must be in force",
    "after": "all is back, whatever the clock says; our files may still be there",
    "removed": "all is back, and nothing of ours is left",
}
"""What a user may ask for, and what it means."""

STATES: Mapping[InsideMoment, frozenset[str]] = {
    "before": frozenset({"staged", "armed"}),
    "armed": frozenset({"armed"}),
    "during": frozenset({"armed"}),
    "after": frozenset({"ended", "stopped", "absent"}),
    "removed": frozenset({"absent"}),
}
GRACE_S = 90.0
"""So long after the end a host may still be armed: the schedule looks every minute, the lease ended it on time."""


def states_at(moment: InsideMoment, campaign: Campaign, instant: float) -> frozenset[str]:
    """The states that are right for a host with something to show.

    Args:
        moment: what was asked for.
        campaign: its windows decide for `now`.
        instant: the host's clock, epoch seconds UTC.
    """
    if moment != "now":
        return STATES[moment]
    starts = [phase.start_at.timestamp() for phase in campaign.phases]
    ends = [phase.end_at.timestamp() for phase in campaign.phases]
    if instant < min(starts):
        return STATES["before"]
    if instant < max(ends):
        return STATES["armed"]
    return STATES["after"] | (STATES["armed"] if instant < max(ends) + GRACE_S else frozenset())


def verify_moment(moment: InsideMoment) -> expectations.Moment:
    """The same moment as `piquet.verify` knows it."""
    if moment == "removed":
        return "after"
    return "now" if moment == "armed" else moment


def moment_words(campaign: Campaign, instant: float) -> str:
    """Where in the campaign an instant lies, in a few words."""
    if phase := phase_at(campaign.phases, instant):
        return f"in phase {phase.number}, {phase.mode}"
    if instant < min(phase.start_at.timestamp() for phase in campaign.phases):
        return "before the start"
    is_over = instant >= max(phase.end_at.timestamp() for phase in campaign.phases)
    return "after the end" if is_over else "between two phases"
