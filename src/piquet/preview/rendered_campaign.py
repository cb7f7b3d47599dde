# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything of one campaign as visitors get it, in memory: the table of answers decides, the renderer gives the bytes.

Nothing is decided here a second time, and nothing is read when somebody asks: an address that is neither rendered nor
of the sample site does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from piquet import answers, banner
from piquet.answers import Answer, SiteRequest
from piquet.campaign.model import Phase
from piquet.load import LoadedCampaign, load_campaign
from piquet.pages import page
from piquet.pages.rendered import fragments
from piquet.preview import sample
from piquet.preview.sample import SampleReply
from piquet.preview.view import View, views
from piquet.protocol.http import ASSET_PREFIX
from piquet.protocol.places import DIGEST_MARK

SECRET = "0" * 32
"""Stands for the testers' secret, which a preview neither makes nor shows."""

NOBODY = "0.0.0.0"  # noqa: S104 - not bound to: the address of a visitor who is in no network
_FILES = {"page": "page/{}/{}.html", "json": "page/{}/{}.problem", "front": "front/{}/{}.html"}


@dataclass(frozen=True)
class Show:
    """A campaign with all its phases rendered.

    Attributes:
        loaded: as read from disk.
        files: number of the phase → name below the web folder → bytes.
        fragments: number and language → the banner.
        views: label → view.
    """

    loaded: LoadedCampaign
    files: Mapping[int, Mapping[str, bytes]]
    fragments: Mapping[tuple[int, str], str]
    views: Mapping[str, View]

    def reply(self, view: View, request: SiteRequest) -> SampleReply:
        """What a visitor of that view's site gets; the visitor's language is the view's."""
        campaign = self.loaded.campaign
        phase = view.in_force(campaign)
        headers = {**request.headers, "accept-language": view.language}
        asked = replace(request, headers=headers, remote=NOBODY)
        secret = SECRET if campaign.doors.bypass else None
        answer = answers.expect(campaign, phase, asked, secret, self._assets(phase))
        if phase is None or answer.kind in ("usual", "refused"):
            return sample.sample_page(_path(request))
        if answer.kind == "banner":
            return self._reply_with_banner(phase, answer.language, sample.sample_page(_path(request)))
        return SampleReply(
            answer.status or 200, _headers(answer, request), self._body(phase, answer, request)
        )

    def _assets(self, phase: Phase | None) -> frozenset[str]:
        prefix = f"asset/{phase.number}/" if phase else ""
        files = self.files[phase.number] if phase else {}
        return frozenset(name.removeprefix(prefix) for name in files if name.startswith(prefix))

    def _reply_with_banner(self, phase: Phase, language: str, usual: SampleReply) -> SampleReply:
        headers = {name.lower(): value for name, value in usual.headers.items()}
        if not banner.can_carry(usual.status, headers):
            return usual
        fragment = self.fragments[phase.number, language].encode()
        body = banner.insert_banner(usual.body, fragment)
        return SampleReply(usual.status, {**usual.headers, "Cache-Control": "no-store"}, body)

    def _body(self, phase: Phase, answer: Answer, request: SiteRequest) -> bytes:
        files, number = self.files[phase.number], phase.number
        if answer.kind in _FILES:
            return files[_FILES[answer.kind].format(number, answer.language)]
        if answer.kind == "about":
            return files[f"asset/{number}/piquet.json"].replace(DIGEST_MARK.encode(), b"preview")
        if answer.kind == "asset":
            return files[f"asset/{number}/{_path(request).removeprefix(ASSET_PREFIX)}"]
        return b""


def load_show(path: Path) -> Show:
    """Read a campaign and render all of it.

    Raises:
        CampaignError: with every problem of the campaign at once.
        BundleError: a page cannot be made.
    """
    loaded = load_campaign(path)
    campaign, pages = loaded.campaign, loaded.pages
    files = {phase.number: page.phase_files(campaign, phase, pages) for phase in campaign.phases}
    return Show(
        loaded,
        files,
        fragments(campaign, pages, is_open=False),
        {view.label: view for view in views(campaign)},
    )


def _path(request: SiteRequest) -> str:
    return request.target.partition("?")[0]


def _headers(answer: Answer, request: SiteRequest) -> dict[str, str]:
    """The table's headers, the sample site's policy on top, and where a redirect leads."""
    headers = {"Content-Security-Policy": sample.POLICY, **answer.headers}
    leads_to = {"to-usual": _path(request), "bypass": "/"}
    return {**headers, "Location": leads_to[answer.kind]} if answer.kind in leads_to else headers
