# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaigns with every mode, for the preview and for a real browser: texts that pages must cope with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LANGUAGES = ("fr", "en", "es", "de", "it", "pt")
RIGHT_TO_LEFT = ("ar", "he")

PHASES = (
    "{mode: banner, start: 2026-12-15T08:00, end: 2026-12-17T00:00, style: bar, message: messages/announce}",
    "{mode: block, start: 2026-12-17T00:00, duration: 24h, page: pages/greve}",
    "{mode: occupy, start: 2026-12-18T09:00, end: 2026-12-18T19:00, page: pages/greve, paths: [/]}",
    "{mode: banner, start: 2026-12-19T00:00, end: 2026-12-20T00:00, style: modal, message: messages/announce}",
)
BAR, BLOCK, OCCUPY, MODAL = 1, 2, 3, 4
"""Numbers of the phases above: one per mode and style, with a gap of usual hours behind the second and third."""

_PAGE = """# {language}: a page as people write it

The first paragraph says who is on strike and **until when**, with a [link](https://example.org/greve) and `code`.

## Why

- a short item
- an item that is long enough to need more than one line on a phone, so that what hangs under it is seen
- Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft and https://example.org/{long}

## What is asked

1. one
2. two

> Quoted, because somebody said so.

The last paragraph: [write to us](mailto:greve@example.org).
"""
_MESSAGE = (
    "**{language}: on strike on 17 December.** This site closes for a day. [Why](https://example.org/greve)\n"
)


def write_campaign(
    folder: Path, languages: Sequence[str] = LANGUAGES, phases: Sequence[str] = PHASES, theme: str = ""
) -> Path:
    """Write a campaign with its pages and messages; the path of its file."""
    texts = {"pages/greve": _PAGE, "messages/announce": _MESSAGE}
    for place, text in texts.items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        for language in languages:
            body = text.format(language=language, long="a" * 80)
            (folder / place / f"{language}.md").write_text(body, "utf-8")
    lines = [
        "campaign: greve-2026-12-17",
        "timezone: Europe/Paris",
        f"languages: [{', '.join(languages)}]",
        "contact: https://example.org/greve",
        "emergency: mailto:urgences@example.org",
        "phases:",
        *(f"  - {phase}" for phase in phases),
        'sites: {include: ["*"]}',
        "open: {bypass: true}",
        *([f"theme: {theme}"] if theme else []),
    ]
    (folder / "campaign.yml").write_text("\n".join([*lines, ""]), "utf-8")
    return folder / "campaign.yml"
