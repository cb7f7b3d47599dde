# SPDX-License-Identifier: GPL-3.0-or-later
"""What templates may know of a campaign: plain values from the table of answers, the same for each server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cached_property
from typing import Any

from piquet import answers
from piquet.campaign.model import Campaign, Phase
from piquet.fleet.model import Provider
from piquet.pages.rendered import campaign_files, fragments
from piquet.pages.source import PageSource
from piquet.plan import HostPlan
from piquet.protocol.http import NONCE_HEADER, SIGN_HEADER, TARGETED
from piquet.servers.lease import window_pattern


@dataclass(frozen=True)
class PhaseView:
    """One phase, ready to be written.

    Attributes:
        number: of the phase.
        mode: block, occupy or banner.
        start: RFC 3339, UTC, for comments.
        end: the same.
        lease: expression over epoch digits.
        sign: value of our header.
        retry_after: the end as an HTTP-date.
        assets: names below `/.well-known/piquet/`, sorted, `piquet.json` left out.
        paths: occupied, as sent; empty for other modes.
        robots: value of X-Robots-Tag on its page.
        cookie_name: of whoever asked for the usual page (occupy).
        cookie: the whole value of Set-Cookie for that.
        banners: language → fragment (banner).
        messages: the same for sites that show banners only.
    """

    number: int
    mode: str
    start: str
    end: str
    lease: str
    sign: str
    retry_after: str
    assets: tuple[str, ...]
    paths: tuple[str, ...]
    robots: str
    cookie_name: str
    cookie: str
    banners: Mapping[str, str]
    messages: Mapping[str, str]


@dataclass(frozen=True)
class CampaignView:
    """The campaign, its secret, the files of all its phases by their path below the web root, banners, and that root.

    `fragments` are for sites that take part in everything, `messages` for those that show banners only.
    """

    campaign: Campaign
    secret: str | None
    files: Mapping[str, bytes]
    fragments: Mapping[tuple[int, str], str]
    messages: Mapping[tuple[int, str], str]
    www: str
    seal: str = ""

    @cached_property
    def phases(self) -> tuple[PhaseView, ...]:
        """All phases in their order."""
        return tuple(self._phase(phase) for phase in self.campaign.phases)

    def of_mode(self, mode: str) -> tuple[PhaseView, ...]:
        """The phases of one mode."""
        return tuple(phase for phase in self.phases if phase.mode == mode)

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
            "bypass_prefix": answers.BYPASS_PREFIX,
            "cookie_name": answers.BYPASS_COOKIE,
            "sign_header": SIGN_HEADER,
            "nonce_header": NONCE_HEADER,
            "targeted": TARGETED,
            "has_bypass": self.secret is not None,
            "secret": self.secret,
            "www": self.www,
            "seal": self.seal,
            "cookie": answers.bypass_cookie(self.secret) if self.secret else "",
        }

    def at_host(self, host: HostPlan) -> CampaignView:
        """The view of one host: with the doors that it has besides."""
        return (
            replace(self, campaign=answers.at_host(self.campaign, host.health_paths))
            if host.health_paths
            else self
        )

    def _phase(self, phase: Phase) -> PhaseView:
        spoken = self.campaign.languages
        return PhaseView(
            number=phase.number,
            mode=phase.mode,
            start=f"{phase.start_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            end=f"{phase.end_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            lease=window_pattern(phase.start_at, phase.end_at),
            sign=answers.sign(self.campaign, phase),
            retry_after=answers.retry_after(self.campaign, phase),
            assets=answers.asset_names(self.files, phase.number),
            paths=phase.paths,
            robots=answers.ROBOTS["occupy" if phase.mode == "occupy" else "block"],
            cookie_name=answers.usual_cookie_name(self.campaign, phase),
            cookie=answers.usual_cookie(self.campaign, phase),
            banners={n: self.fragments[phase.number, n] for n in spoken if phase.mode == "banner"},
            messages={n: self.messages[phase.number, n] for n in spoken if phase.mode == "banner"},
        )


def campaign_view(
    campaign: Campaign, secret: str | None, pages: Iterable[PageSource], www: str, seal: str = ""
) -> CampaignView:
    """Render what visitors get, and put it together with the campaign.

    Args:
        campaign: all that was decided.
        secret: the bypass secret, None where there is none.
        pages: the organisers' texts, one per phase and language.
        www: the folder on the hosts in which they lie.
        seal: hexadecimal digits, part of the name of the file by which an answer of ours repeats a word.

    Raises:
        BundleError: a page is missing, or a value cannot be written safely.
    """
    sources = tuple(pages)
    files = campaign_files(campaign, sources)
    struck, spared = (fragments(campaign, sources, is_open=is_open) for is_open in (False, True))
    return CampaignView(campaign, secret, files, struck, spared, www, seal)


def has_keys(view: CampaignView) -> bool:
    """Whether some see a site where others see us: by a network, the testers' cookie, or that of a front page."""
    has_block = bool(view.of_mode("block"))
    return bool(view.of_mode("occupy")) or (has_block and is_open_to_some(view))


def is_open_to_some(view: CampaignView) -> bool:
    """Whether a network or the testers' cookie lets anybody past everything."""
    return bool(view.secret or view.campaign.doors.networks)


def shares(host: HostPlan, provider: Provider) -> Mapping[tuple[int, ...], tuple[str, ...]]:
    """Phases → keys of the server's entries that take part in exactly these, in a fixed order."""
    found: dict[tuple[int, ...], list[str]] = {}
    for entry in host.entries:
        if entry.provider == provider:
            found.setdefault(entry.phases, []).append(entry.key)
    return {phases: tuple(found[phases]) for phases in sorted(found)}
