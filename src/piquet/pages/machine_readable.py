# SPDX-License-Identifier: GPL-3.0-or-later
"""The same said to programs: the note of what all this is, the problem document, linked data. Values in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from piquet import outlook
from piquet.campaign.model import Campaign, Phase
from piquet.pages.words import words_of
from piquet.protocol.http import ASSET_PREFIX
from piquet.protocol.places import DIGEST_MARK


def about(campaign: Campaign, phase: Phase) -> str:
    """`/.well-known/piquet.json`: what this is, until when, in which languages, and whom to ask."""
    return _pretty_json(
        {
            "piquet": 1,
            "campaign": campaign.name,
            "mode": phase.mode,
            "start": _instant(phase, "start"),
            "end": _instant(phase, "end"),
            "plan": DIGEST_MARK,
            "contact": campaign.contact,
            "languages": list(campaign.languages),
            "pages": _pages(campaign, phase),
            **_emergency(campaign),
        }
    )


def problem(campaign: Campaign, phase: Phase, language: str) -> str:
    """The strike for an API client. Source: RFC 9457."""
    texts, whole = words_of(language, campaign.theme).texts, outlook.whole(campaign, phase)
    return _pretty_json(
        {
            "type": campaign.contact,
            "title": texts["strike"],
            "status": 503,
            "detail": texts["detail"],
            "campaign": campaign.name,
            "start": _instant(whole, "start"),
            "end": _instant(whole, "end"),
        }
    )


def linked_data(campaign: Campaign, phase: Phase, language: str, title: str, text: str) -> Markup:
    """What search engines and archives read in a page; data, never run. Source: JSON-LD 1.1, schema.org."""
    whole = outlook.whole(campaign, phase)
    document = {
        "@context": "https://schema.org",
        "@type": "SpecialAnnouncement",
        "name": title,
        "text": text,
        "inLanguage": language,
        "datePosted": _instant(whole, "start"),
        "expires": _instant(whole, "end"),
        "temporalCoverage": f"{_instant(whole, 'start')}/{_instant(whole, 'end')}",
        "url": campaign.contact,
    }
    text = json.dumps(document, ensure_ascii=False, sort_keys=True)
    for character in "<>&":  # so that nothing in it can end the element
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - no character of it is markup


def _pages(campaign: Campaign, phase: Phase) -> dict[str, str]:
    if phase.mode == "banner":
        return {}
    return {language: f"{ASSET_PREFIX}{language}.html" for language in campaign.languages}


def _emergency(campaign: Campaign) -> dict[str, Any]:
    if campaign.emergency is None:
        return {}
    return {"emergency": campaign.emergency.address or dict(campaign.emergency.texts)}


def _instant(phase: Phase, which: str) -> str:
    instant = phase.start_at if which == "start" else phase.end_at
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _pretty_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
