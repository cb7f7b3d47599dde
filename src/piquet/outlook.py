# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site does next: what every sentence about hours and effects is made of. No file, no network, no clock.

Consent knows two answers that show anything: a site takes part in all phases, or in those with a banner only. So what
is true of a strike is true of every site that shows it, and banners alone have two wordings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from piquet.campaign.model import Campaign, Phase


def strikes(campaign: Campaign) -> tuple[Phase, ...]:
    """The phases in which something is blocked or occupied, by their hours."""
    return tuple(sorted((p for p in campaign.phases if p.mode != "banner"), key=lambda p: p.start_at))


def takes_part(campaign: Campaign, numbers: Iterable[int]) -> bool:
    """Whether a site with these phases is ever blocked or occupied, or the campaign has nothing of that kind."""
    own = {phase.number for phase in strikes(campaign)}
    return not own or bool(own & set(numbers))


def whole(campaign: Campaign, phase: Phase) -> Phase:
    """The phase with the hours of all that touch it and show the same, since visitors see nothing end there."""
    start, end = phase, phase
    while before := _adjoining_phase(campaign, phase, ending_at=start.start_at):
        start = before
    while behind := _adjoining_phase(campaign, phase, beginning_at=end.end_at):
        end = behind
    return replace(phase, start_at=start.start_at, end_at=end.end_at)


def following(campaign: Campaign, phase: Phase) -> Phase | None:
    """What begins at the second at which all that shows the same ends, with its whole hours; None for usual hours."""
    end_at = whole(campaign, phase).end_at
    found = next((other for other in campaign.phases if other.start_at == end_at), None)
    return whole(campaign, found) if found else None


def back(campaign: Campaign, phase: Phase) -> Phase:
    """The phase with the end at which whatever it takes away is there again: behind all that touch and take it too."""
    last = whole(campaign, phase)
    while (behind := following(campaign, last)) and _takes(behind, phase):
        last = behind
    return replace(phase, end_at=last.end_at)


def all_back_at(campaign: Campaign) -> datetime:
    """The instant from which every site is as before: the end of the last phase; aware, UTC."""
    return max(phase.end_at for phase in campaign.phases)


def _adjoining_phase(
    campaign: Campaign,
    phase: Phase,
    *,
    beginning_at: datetime | None = None,
    ending_at: datetime | None = None,
) -> Phase | None:
    """The phase that shows the same and begins or ends at an instant."""
    alike = (p for p in campaign.phases if p.mode == phase.mode and set(p.paths) == set(phase.paths))
    return next((p for p in alike if p.start_at == beginning_at or p.end_at == ending_at), None)


def _takes(behind: Phase, phase: Phase) -> bool:
    """Whether a phase takes something away that another one has taken."""
    if behind.mode == "banner":
        return False
    return "block" in (behind.mode, phase.mode) or bool(set(behind.paths) & set(phase.paths))
