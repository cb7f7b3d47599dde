# SPDX-License-Identifier: GPL-3.0-or-later
"""A view: one phase, seen in one language before, during or after its window.

Each view is a site of its own with a host name below `localhost`, so that a page's absolute addresses, cookies and
what it keeps in the browser are those of that view alone, as they would be on a real site.

A word between a view's name and `piquet.localhost` makes a new visitor, whom no cookie and no closed dialog follows.

Source: RFC 6761 §6.3, names below `localhost` mean this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from piquet.campaign.model import Campaign, Phase

PreviewMoment = Literal["before", "during", "after"]
PREVIEW_MOMENTS: tuple[PreviewMoment, ...] = ("before", "during", "after")
HOME = "piquet.localhost"
"""Host name of the index; the views are below it, so that browsers take a view in a frame for the same site."""

_HOST = re.compile(rf"(?P<label>[a-z0-9-]+)(?:\.[a-z0-9]{{1,16}})?\.{re.escape(HOME)}")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class View:
    """What a visitor comes for.

    Attributes:
        moment: the second before the start, the window, or the instant of the end.
        phase: whose window it is.
        language: what the visitor's browser asks for.
    """

    moment: PreviewMoment
    phase: Phase
    language: str

    @property
    def label(self) -> str:
        """The view's name in addresses, such as `during-1-fr`."""
        return f"{self.moment}-{self.phase.number}-{self.language.lower()}"

    def host(self, visitor: str = "") -> str:
        """The host name of the view's site.

        Args:
            visitor: a word of its own for each visitor who knows nothing of the others.
        """
        return f"{self.label}.{visitor}.{HOME}" if visitor else f"{self.label}.{HOME}"

    def in_force(self, campaign: Campaign) -> Phase | None:
        """The phase that a visitor meets at that moment: at the end of one the next may begin."""
        start_at, end_at = self.phase.start_at, self.phase.end_at
        at = {"before": start_at - _SECOND, "during": start_at, "after": end_at}[self.moment]
        return next((phase for phase in campaign.phases if phase.start_at <= at < phase.end_at), None)


def label_of(host: str) -> str:
    """The label that a host name begins with; "" if it is no name of a view's site."""
    found = _HOST.fullmatch(host)
    return found["label"] if found else ""


def views(campaign: Campaign) -> Iterator[View]:
    """Every view of a campaign: by phase, language, moment."""
    for phase in campaign.phases:
        for language in campaign.languages:
            yield from (View(moment, phase, language) for moment in PREVIEW_MOMENTS)
