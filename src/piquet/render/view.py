# SPDX-License-Identifier: GPL-3.0-or-later
"""What templates may know of a campaign: plain values from the table of answers, the same for each server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any

from piquet import answers
from piquet.campaign.model import Campaign, Phase
from piquet.render.lease import window_pattern


@dataclass(frozen=True)
class PhaseView:
    """One phase, ready to be written."""

    number: int
    mode: str
    start: str
    end: str
    lease: str
    sign: str
    retry_after: str


@dataclass(frozen=True)
class CampaignView:
    """The campaign and its secret, as templates see them."""

    campaign: Campaign
    secret: str | None

    @property
    def phases(self) -> tuple[PhaseView, ...]:
        """All phases in their order."""
        return tuple(_phase_view(self.campaign, phase) for phase in self.campaign.phases)

    @property
    def assets(self) -> tuple[str, ...]:
        """Names below `/.well-known/piquet/`."""
        return answers.asset_names(self.campaign.languages)

    def values(self) -> dict[str, Any]:
        """Names for a template."""
        return {
            "campaign": self.campaign,
            "phases": self.phases,
            "languages": self.campaign.languages,
            "language_pattern": answers.language_pattern(self.campaign.languages, "piquet_spoken"),
            "networks": self.campaign.doors.networks,
            "door": "^" + answers.door_pattern(self.campaign.doors),
            "not_a_door": answers.NOT_A_DOOR,
            "wants_json": answers.WANTS_JSON,
            "problem_type": answers.PROBLEM_TYPE,
            "html_type": answers.HTML_TYPE,
            "about_path": answers.ABOUT_PATH,
            "asset_prefix": answers.ASSET_PREFIX,
            "assets": self.assets,
            "bypass_prefix": answers.BYPASS_PREFIX,
            "cookie_name": answers.BYPASS_COOKIE,
            "sign_header": answers.SIGN_HEADER,
            "has_bypass": self.secret is not None,
            "secret": self.secret,
            "cookie": answers.bypass_cookie(self.secret) if self.secret else "",
        }


def _phase_view(campaign: Campaign, phase: Phase) -> PhaseView:
    return PhaseView(
        number=phase.number,
        mode=phase.mode,
        start=f"{phase.start_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        end=f"{phase.end_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        lease=window_pattern(phase.start_at, phase.end_at),
        sign=answers.sign(campaign, phase),
        retry_after=answers.retry_after(phase),
    )
