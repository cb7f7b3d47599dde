# SPDX-License-Identifier: GPL-3.0-or-later
"""The strike page per language, its JSON for API clients, and the note of what all this is.

Organisers' text is CommonMark without raw HTML, or HTML; either way it passes a sanitiser, so that no
script, style or foreign resource reaches a visitor. Text in, text out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from piquet import answers, resources
from piquet.campaign.model import Campaign, Phase
from piquet.campaign.pages import PageSource
from piquet.errors import BundleError
from piquet.render.environment import render

_TEXT_TAGS = {"h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "blockquote", "hr", "pre", "dl", "dt", "dd"}
_INLINE_TAGS = {"strong", "em", "a", "br", "code", "abbr", "cite", "q", "small", "sub", "sup"}
_TAGS = _TEXT_TAGS | _INLINE_TAGS | {"table", "thead", "tbody", "tr", "th", "td"}
_ATTRIBUTES = {"a": {"href", "hreflang", "lang"}, "abbr": {"title"}, "q": {"lang"}, "p": {"lang"}}
_SCHEMES = {"http", "https", "mailto", "tel"}
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "yi", "ps", "ckb"})
DIGEST_MARK = "@PIQUET_PLAN_DIGEST@"
"""Stands where the agent writes the plan digest, which cannot be known while the plan is being made."""


def body_html(source: PageSource) -> str:
    """The organisers' text as harmless HTML."""
    raw = (
        MarkdownIt("commonmark", {"html": False}).render(source.text)
        if source.kind == "markdown"
        else source.text
    )
    return nh3.clean(
        raw, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener noreferrer"
    )


def strike_page(campaign: Campaign, phase: Phase, source: PageSource) -> str:
    """The whole page in one language: no script, nothing inline, nothing from anybody else."""
    return render(
        "page/strike.html.j2",
        campaign=campaign,
        language=source.language,
        direction="rtl" if source.language.partition("-")[0] in _RIGHT_TO_LEFT else "ltr",
        words=_words(source.language),
        body=Markup(body_html(source)),  # noqa: S704 - sanitised one line above
        span=_span(campaign, phase),
        others=[(name, _words(name)["name"]) for name in campaign.languages if name != source.language],
        asset_prefix=answers.ASSET_PREFIX,
        style=answers.STYLE_ASSET,
    )


def problem(campaign: Campaign, phase: Phase, language: str) -> str:
    """The strike for an API client. Source: RFC 9457."""
    words = _words(language)
    return _canonical(
        {
            "type": campaign.contact,
            "title": words["strike"],
            "status": 503,
            "detail": words["detail"],
            "campaign": campaign.name,
            "start": _instant(phase, "start"),
            "end": _instant(phase, "end"),
        }
    )


def about(campaign: Campaign, phase: Phase) -> str:
    """`/.well-known/piquet.json`: what this is, until when, and whom to ask."""
    return _canonical(
        {
            "piquet": 1,
            "campaign": campaign.name,
            "mode": phase.mode,
            "start": _instant(phase, "start"),
            "end": _instant(phase, "end"),
            "plan": DIGEST_MARK,
            "contact": campaign.contact,
        }
    )


def phase_files(campaign: Campaign, phase: Phase, pages: Iterable[PageSource]) -> Mapping[str, bytes]:
    """All files of a phase below the web root: `page/N/…` (block), `front/N/…` (occupy), `asset/N/…` (all).

    Raises:
        BundleError: a page is missing.
    """
    number, sources = phase.number, tuple(pages)
    texts = {f"asset/{number}/piquet.json": about(campaign, phase)}
    if phase.mode == "banner":
        texts |= {f"asset/{number}/banner.css": style()}
    else:
        texts |= {f"asset/{number}/strike.css": style()}
        for language in campaign.languages:
            html = strike_page(campaign, phase, _source(sources, phase, language))
            folder = "page" if phase.mode == "block" else "front"
            texts |= {f"{folder}/{number}/{language}.html": html, f"asset/{number}/{language}.html": html}
            if phase.mode == "block":
                texts[f"page/{number}/{language}.problem"] = problem(campaign, phase, language)
    return {name: text.encode() for name, text in texts.items()}


def _source(pages: tuple[PageSource, ...], phase: Phase, language: str) -> PageSource:
    for source in pages:
        if (source.phase, source.language) == (phase.number, language):
            return source
    raise BundleError(f"phase {phase.number} has no page in {language!r}")


def style() -> str:
    """The style sheet, same-origin, so that a strict Content-Security-Policy of the site lets it through."""
    return render("page/strike.css")


def _instant(phase: Phase, which: str) -> str:
    instant = phase.start_at if which == "start" else phase.end_at
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _span(campaign: Campaign, phase: Phase) -> dict[str, str]:
    zone = ZoneInfo(campaign.timezone)
    span = {"zone": campaign.timezone}
    for name, instant in (("start", phase.start_at), ("end", phase.end_at)):
        span[name] = f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
        span[f"{name}_iso"] = instant.astimezone(zone).isoformat()
    return span


def _words(language: str) -> Mapping[str, str]:
    """The page's own few words; where we have none for the language, English, with the tag as its name."""
    words = _all_words()
    found = words.get(language) or words.get(language.partition("-")[0])
    return found or {**words["en"], "name": language}


@cache
def _all_words() -> dict[str, dict[str, str]]:
    text = (resources.templates() / "page" / "words.json").read_text(encoding="utf-8")
    words: dict[str, dict[str, str]] = json.loads(text)
    return words


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
