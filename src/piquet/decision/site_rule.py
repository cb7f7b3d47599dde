# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sites take part, as one smallest table: selection and consent as they stood at the vote.

Two campaigns that mean the same for every name have the same table, however they say it. No file, no clock.
"""

from __future__ import annotations

from dataclasses import replace

from piquet.campaign.model import Campaign
from piquet.plan.selection import Selector
from piquet.protocol.entries import pattern_ladder


def site_rule(campaign: Campaign) -> dict[str, str]:
    """Pattern → `in`, `message` (banners only) or `out`, sorted; the longest match wins, and no match is `out`.

    `in` is every phase, so that of a campaign of banners only nobody has to know the difference.
    """
    sites = replace(campaign.sites, withdrawn=())  # nobody has to vote on being left out
    selector = Selector(replace(campaign, sites=sites))
    patterns = selector.include | selector.exclude | selector.consent.keys()
    answers = {pattern: _answer(selector, _name_below(pattern)) for pattern in patterns}
    return {
        pattern: answers[pattern]
        for pattern in sorted(patterns)
        if answers[pattern] != _wider_answer(pattern, answers)
    }


def _answer(selector: Selector, name: str) -> str:
    phases = selector.phases(name)
    if not phases:
        return "out"
    return "in" if len(phases) == len(selector.campaign.phases) else "message"


def _wider_answer(pattern: str, answers: dict[str, str]) -> str:
    """What a name of this pattern would do if the pattern were not there."""
    ladder = pattern_ladder(_name_below(pattern))
    return next((answers[wider] for wider in ladder if wider in answers and wider != pattern), "out")


def _name_below(pattern: str) -> str:
    """A name that the pattern means and that nobody can have written: no label is `_` alone."""
    return "_._" if pattern == "*" else pattern.replace("*", "_", 1)
