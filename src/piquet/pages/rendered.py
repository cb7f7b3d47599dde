# SPDX-License-Identifier: GPL-3.0-or-later
"""All that visitors get of a campaign, rendered: what servers carry, what people decide on, what a preview shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from piquet.campaign.model import Campaign
from piquet.pages import banner, page
from piquet.pages.source import PageSource


def campaign_files(campaign: Campaign, sources: Iterable[PageSource]) -> dict[str, bytes]:
    """Every file of every phase, by its path below the folder that the servers read (`page.phase_files`).

    Raises:
        BundleError: a language has no text, or a page cannot be made.
    """
    texts = tuple(sources)
    files: dict[str, bytes] = {}
    for phase in campaign.phases:
        files.update(page.phase_files(campaign, phase, texts))
    return files


def fragments(
    campaign: Campaign, sources: Iterable[PageSource], *, is_open: bool
) -> Mapping[tuple[int, str], str]:
    """Every banner by phase and language, for the sites that are struck or for those that stay open.

    Raises:
        BundleError: a banner cannot be made.
    """
    of_mode = {phase.number: phase for phase in campaign.phases if phase.mode == "banner"}
    return {
        (source.phase, source.language): banner.fragment(
            campaign, of_mode[source.phase], source, is_open=is_open
        )
        for source in sources
        if source.phase in of_mode
    }
