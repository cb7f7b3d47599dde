# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the campaign sound, as far as it can be told without a fleet?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from piquet.answers import STYLE_ASSET
from piquet.campaign.spoken import window_lines
from piquet.findings import by_weight
from piquet.load import LoadedCampaign, load_campaign
from piquet.pages import banner, page
from piquet.plan.gates import campaign_findings
from piquet.protocol.findings import Finding
from piquet.resources import example_campaign

MAX_LIGHT_BYTES = 50_000


def judge_campaign(campaign: Path, at: datetime) -> tuple[str, list[Finding]]:
    """Read the file CAMPAIGN, its consent list, its pages and its theme.

    Args:
        campaign: `campaign.yml`.
        at: now, aware, UTC.

    Returns:
        What was understood, for people; what is to be said of it, the worst first.

    Raises:
        CampaignError, BundleError: the campaign cannot be read, or a page cannot be made.
    """
    loaded = load_campaign(campaign)
    sizes = page_sizes(loaded)
    found = by_weight(
        [*campaign_findings(loaded.campaign, at), *_untouched_texts(loaded), *_heavy_pages(sizes)]
    )
    return campaign_summary(loaded, at), list(found)


def campaign_summary(loaded: LoadedCampaign, at: datetime) -> str:
    """What was understood, for a person: name, languages, and each window in local time and UTC."""
    campaign = loaded.campaign
    title = f"{campaign.name}: {len(loaded.pages)} texts in {', '.join(campaign.languages)}"
    return "\n".join([title, *window_lines(campaign, at)])


def page_sizes(loaded: LoadedCampaign) -> dict[str, int]:
    """Make every page and banner once; bytes of each page and its style sheet, by the file of its text.

    Raises:
        BundleError: one of them cannot be made: the theme is not sound, or a message is too long.
    """
    sizes: dict[str, int] = {}
    for phase in loaded.campaign.phases:
        files = page.phase_files(loaded.campaign, phase, loaded.pages)
        for source in loaded.pages:
            if source.phase != phase.number:
                continue
            if phase.mode == "banner":
                banner.fragment(loaded.campaign, phase, source)
            else:
                folder = f"asset/{phase.number}"
                parts = (f"{folder}/{source.language}.html", f"{folder}/{STYLE_ASSET}")
                sizes[source.file] = sum(len(files[part]) for part in parts)
    return sizes


def _heavy_pages(sizes: Mapping[str, int]) -> Iterator[Finding]:
    """Pages that take long on a bad line; pictures come after the words and do not count."""
    for file, size_bytes in sizes.items():
        if size_bytes > MAX_LIGHT_BYTES:
            expected = f"at most {MAX_LIGHT_BYTES} bytes with its style sheet, without pictures"
            got = f"{size_bytes} bytes"
            hint = "shorten it, put the rest where `contact` leads, or shorten the theme's strike.css"
            yield Finding("warning", "page-heavy", file, "this page is long to load", expected, got, hint)


def _untouched_texts(loaded: LoadedCampaign) -> Iterator[Finding]:
    """Texts that are still the example's: its places for words, and nobody's reasons."""
    examples = {file.read_text("utf-8") for file in example_campaign().glob("*/*/*.md")}
    for source in loaded.pages:
        if source.text in examples:
            message = "this is still the example's text, without your reasons"
            yield Finding("warning", "page-is-example", source.file, message, hint="write your own words")
