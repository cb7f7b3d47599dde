# SPDX-License-Identifier: GPL-3.0-or-later
"""Who decided, as far as it is known: the one place that papers and reports ask. No file, no network, no clock.

Today that is what the campaign records. Nothing here looks at a signature, and it says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel import dates

from piquet.campaign.model import Campaign, Mandate
from piquet.pages.words import locale
from piquet.report.words import ReportWords

_VOTES = ("for", "against", "abstain")


def decided_lines(campaign: Campaign, words: ReportWords) -> tuple[str, ...]:
    """What is known of the decision, a sentence a line, in the organisers' own words."""
    mandate = campaign.mandate
    if mandate is None:
        return (words.say("decided_not"),)
    lines = [
        words.say("decided_by", decision=mandate.decision, date=_day(mandate, words)),
        words.say("decided_votes", votes=", ".join(_votes(mandate, words))) if mandate.votes else "",
        words.say("decided_record", record=mandate.record) if mandate.record else "",
        words.say("decided_unsigned"),
    ]
    return tuple(line for line in lines if line)


def decided_json(campaign: Campaign) -> Mapping[str, Any]:
    """The same for programs: `kind` is `none` or `recorded`; `signatures` is null, since nobody looked at any."""
    mandate = campaign.mandate
    if mandate is None:
        return {"kind": "none", "signatures": None}
    told = {
        "decision": mandate.decision,
        "decided_on": mandate.decided_on,
        "votes": dict(mandate.votes),
        "record": mandate.record or None,
        "roles": {role.name: {"threshold": role.threshold} for role in mandate.roles},
    }
    return {"kind": "recorded", **told, "signatures": None}


def _day(mandate: Mandate, words: ReportWords) -> str:
    return dates.format_date(date.fromisoformat(mandate.decided_on), "long", locale=locale(words.language))


def _votes(mandate: Mandate, words: ReportWords) -> list[str]:
    return [words.say(f"vote_{side}", number=mandate.votes[side]) for side in _VOTES if side in mandate.votes]
