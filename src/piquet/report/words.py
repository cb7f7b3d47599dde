# SPDX-License-Identifier: GPL-3.0-or-later
"""What is handed to organisers, in their language: the words, and hours as the visitors' pages say them.

French and English. The table is a constant of the package; apart from that no file is opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from piquet import outlook, resources
from piquet.campaign.model import Campaign, Phase, Theme
from piquet.pages.dates import capitalised, instant_markup, window_markup
from piquet.pages.words import Words, words_of
from piquet.printable import in_one_line

HANDED_IN = ("fr", "en")
"""Languages of what is handed to organisers."""


@dataclass(frozen=True)
class ReportWords:
    """The words of one language; all that comes out is plain text.

    Attributes:
        language: one of `HANDED_IN`.
        texts: key of `words.json` → text.
    """

    language: str
    texts: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """A sentence with its values, each of which stays within the sentence's line."""
        return self.texts[key].format(**{name: in_one_line(str(value)) for name, value in values.items()})

    def count(self, noun: str, number: int) -> str:
        """`1 site`, `2 sites`."""
        return self.say(f"{noun}_{'one' if number == 1 else 'many'}", number=number)

    def instant(self, campaign: Campaign, at: datetime) -> str:
        """A day and a time in the campaign's zone, and the zone.

        Args:
            campaign: whose zone.
            at: aware.
        """
        return str(instant_markup(campaign, at, self.pages).striptags())

    def window(self, campaign: Campaign, phase: Phase) -> str:
        """From when until when, with a capital: of all phases that touch this one and show the same."""
        return str(capitalised(window_markup(campaign, phase, self.pages)).striptags())

    @property
    def pages(self) -> Words:
        """The words of hours and zones: ours, whatever a theme calls things."""
        return words_of(self.language, Theme())


def report_words(language: str) -> ReportWords:
    """The words for one of `HANDED_IN`."""
    return ReportWords(language, _report_texts()[language])


def handed_in(campaign: Campaign) -> tuple[str, ...]:
    """The campaign's languages that organisers can be handed something in, in its order; English if there is none."""
    return tuple(language for language in campaign.languages if language in HANDED_IN) or ("en",)


def whole_phases(campaign: Campaign) -> tuple[Phase, ...]:
    """The phases by their hours, each once, with the hours of all that touch it and show the same."""
    found: dict[tuple[object, ...], Phase] = {}
    for phase in sorted(campaign.phases, key=lambda phase: (phase.start_at, phase.number)):
        whole = outlook.whole(campaign, phase)
        found.setdefault((whole.start_at, whole.end_at, whole.mode, whole.paths), whole)
    return tuple(found.values())


@cache
def _report_texts() -> Mapping[str, Mapping[str, str]]:
    text = (resources.templates() / "report" / "words.json").read_text(encoding="utf-8")
    texts: dict[str, dict[str, str]] = json.loads(text)
    return texts
