# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's clock against the controller's, as far as one round trip can prove it. No clock is read here."""

from __future__ import annotations

from dataclasses import replace

from piquet.controller.answer import AgentAnswer
from piquet.protocol.clock import clock_skew

SLOW_WAY_S = 20.0
"""The agent cannot tell a slow way to it from a clock that is ahead, so its own limit is larger by this."""


def proven_skew_s(host_at: float, earliest_at: float, latest_at: float) -> float:
    """How far a host's clock is ahead, seconds; negative if it is behind.

    Of all the skews that fit, the one nearest to zero: a slow connection never looks like a wrong clock.

    Args:
        host_at: what the host's clock said, epoch seconds.
        earliest_at: the controller's clock at the earliest moment at which the host can have read it.
        latest_at: and at the latest.
    """
    least, most = host_at - latest_at, host_at - earliest_at
    return round(max(least, 0.0) + min(most, 0.0), 3)


def judged_by_clock(
    answer: AgentAnswer, sent_at: float, received_at: float, max_skew_s: float
) -> AgentAnswer:
    """The answer, failed if the time in its status proves that the host's clock differs too much."""
    now = answer.status.get("now")
    skew_s = proven_skew_s(float(now), sent_at, received_at) if now is not None else 0.0
    if abs(skew_s) <= max_skew_s:
        return answer
    finding = clock_skew("clock", skew_s, max_skew_s)
    return replace(answer, ok=False, problems=(*answer.problems, finding))
