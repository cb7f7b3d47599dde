# SPDX-License-Identifier: GPL-3.0-or-later
"""What each site should answer at an instant, taken from the one table in `piquet.answers`.

No file, no network, no clock: the instants come with the observation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from piquet.answers import STYLE_ASSETS, Answer, SiteRequest, at_host, expect
from piquet.campaign.model import Campaign, Phase
from piquet.verify.observation import Question, Reply, Target

Moment = Literal["now", "before", "during", "after"]


@dataclass(frozen=True)
class Expectations:
    """Everything that decides what is right.

    Attributes:
        campaign: its phases and doors.
        secret: the bypass secret, None where the campaign has none.
        moment: `before` and `after` want every site as usual whatever the clock says (staged but not
            armed; called off early); `now` and `during` go by the clock.
        slack_s: how far, in seconds, the clocks of host and asking machine may differ: a probe that was
            under way within this distance of a switch may have either answer.
        sources: our own address as each target address sees it, as far as we can know (behind NAT we cannot);
            it decides whether we stand in one of the campaign's open networks.
    """

    campaign: Campaign
    secret: str | None = None
    moment: Moment = "now"
    slack_s: float = 1.0
    sources: Mapping[str, str] = field(default_factory=dict)

    def answers(self, reply: Reply) -> tuple[Answer, ...]:
        """Every answer that is right for this reply: one, except around a switch; the likely one first."""
        sides = self.sides(reply.target, reply.observation.sent_at, reply.observation.first_byte_at)
        found = [self.answer(reply.target, reply.question, phase) for phase in sides]
        return tuple(answer for place, answer in enumerate(found) if answer not in found[:place])

    def answer(self, target: Target, question: Question, phase: Phase | None) -> Answer:
        """The table's row for one question while `phase` is in force; of our files only the style is asked for."""
        headers = dict(question.headers)
        source = self.sources.get(target.address, "127.0.0.1")
        request = SiteRequest(question.method, question.path, target.name, headers, source)
        assets = (STYLE_ASSETS[phase.mode],) if phase else ()
        campaign = at_host(self.campaign, target.health_paths)
        return expect(campaign, phase, request, self.secret, assets)

    def phase_at(self, instant: float) -> Phase | None:
        """What is in force at an instant (epoch seconds, UTC), by the clock or by the caller's word."""
        return None if self.moment in ("before", "after") else phase_at(self.campaign.phases, instant)

    def is_in_window(self, instant: float) -> bool:
        """Tell whether some site may be on strike at an instant (epoch seconds, UTC), within the slack."""
        if self.moment in ("before", "after"):
            return False
        near = (instant - self.slack_s, instant, instant + self.slack_s)
        return any(phase_at(self.campaign.phases, one) for one in near)

    def sides(self, target: Target, sent_at: float, first_byte_at: float) -> tuple[Phase | None, ...]:
        """The phases that may have been in force for the target while a probe was under way.

        Args:
            target: its own phases count, not the campaign's.
            sent_at: epoch seconds, UTC.
            first_byte_at: epoch seconds, UTC.
        """
        if self.moment in ("before", "after"):
            return (None,)
        phases = [phase for phase in self.campaign.phases if phase.number in target.phases]
        first, last = sent_at - self.slack_s, first_byte_at + self.slack_s
        edges = {edge for phase in phases for edge in epoch_window(phase) if first < edge <= last}
        instants = [sent_at, first, *sorted(edges)]
        return tuple(dict.fromkeys(phase_at(phases, instant) for instant in instants))


def phase_at(phases: Sequence[Phase], instant: float) -> Phase | None:
    """The phase in force at an instant (epoch seconds, UTC); its end is already outside."""
    for phase in phases:
        start, end = epoch_window(phase)
        if start <= instant < end:
            return phase
    return None


def epoch_window(phase: Phase) -> tuple[float, float]:
    """Start and end of a phase as epoch seconds, UTC."""
    return phase.start_at.timestamp(), phase.end_at.timestamp()
