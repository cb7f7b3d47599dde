# SPDX-License-Identifier: GPL-3.0-or-later
"""All files that visitors of a phase get: pages, what belongs to them, and the notes for programs.

Nothing of it is inline, nothing comes from anybody else, and the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from piquet import answers
from piquet.campaign.model import Campaign, Phase
from piquet.errors import BundleError
from piquet.pages import banner, dates, machine_readable, text, theme
from piquet.pages.html_allowlist import markup_faults
from piquet.pages.source import PageSource
from piquet.pages.theme_files import ICON
from piquet.pages.words import direction, native_name, words_of
from piquet.protocol.http import ABOUT_PATH, ASSET_PREFIX

_SUMMARY_LENGTH = 300


def phase_files(campaign: Campaign, phase: Phase, pages: Iterable[PageSource]) -> dict[str, bytes]:
    """Every file of one phase, by its path below the folder that the servers read.

    `page/N/LANG.html` and `.problem` answer a block, `front/N/LANG.html` an occupied path, `asset/N/NAME` what is asked
    for below `/.well-known/piquet/`, and `asset/N/piquet.json` the address of that name.

    Args:
        campaign: what was decided.
        phase: one of its phases.
        pages: the organisers' texts; those of other phases are left alone.

    Raises:
        BundleError: a language has no text, or the theme makes something that is not fit to be shown.
    """
    sources = {source.language: source for source in pages if source.phase == phase.number}
    for language in campaign.languages:
        if language not in sources:
            what = "message" if phase.mode == "banner" else "page"
            raise BundleError(f"phase {phase.number} has no {what} in {language!r}")
    spoken = [sources[language] for language in campaign.languages]
    files = _assets(campaign, phase, spoken)
    if phase.mode != "banner":
        files |= _pages(campaign, phase, spoken)
    return dict(sorted(files.items()))


def _assets(campaign: Campaign, phase: Phase, spoken: Iterable[PageSource]) -> dict[str, bytes]:
    """Style, fonts, pictures, script and note."""
    found = {**theme.assets(campaign.theme), "piquet.json": machine_readable.about(campaign, phase).encode()}
    if phase.mode == "banner":
        found.pop(ICON, None)  # the page has its own
        found[theme.BANNER_STYLE] = theme.style(campaign.theme, theme.BANNER_STYLE)
        found[banner.BANNER_SCRIPT] = banner.script()
    else:
        found[theme.PAGE_STYLE] = theme.style(campaign.theme, theme.PAGE_STYLE)
    for source in spoken:
        found |= {picture_name(name, content): content for name, content in source.pictures.items()}
    return {f"asset/{phase.number}/{name}": content for name, content in found.items()}


def _pages(campaign: Campaign, phase: Phase, spoken: Iterable[PageSource]) -> dict[str, bytes]:
    number, found = phase.number, {}
    for source in spoken:
        language = source.language
        if phase.mode == "block":
            html = page_html(campaign, phase, source)
            found[f"page/{number}/{language}.html"] = found[f"asset/{number}/{language}.html"] = html
            found[f"page/{number}/{language}.problem"] = machine_readable.problem(campaign, phase, language)
        else:
            found[f"front/{number}/{language}.html"] = page_html(campaign, phase, source)
            # reached by a link to another language, so `?…` alone would not lead back to the occupied path
            usual = phase.paths[0] + "?" + answers.USUAL_QUERY
            found[f"asset/{number}/{language}.html"] = page_html(campaign, phase, source, usual)
    return {name: html.encode() for name, html in found.items()}


def page_html(
    campaign: Campaign, phase: Phase, source: PageSource, usual: str = "?" + answers.USUAL_QUERY
) -> str:
    """One page in one language.

    Args:
        campaign: what was decided.
        phase: a block or occupy phase.
        source: the organisers' text.
        usual: where the link to the usual page leads, for an occupied path.

    Raises:
        BundleError: the theme's page is not fit to be shown.
    """
    html = theme.page(campaign.theme, _values(campaign, phase, source, usual))
    theme.refuse(campaign.theme, markup_faults(html))
    return html


def picture_name(name: str, content: bytes) -> str:
    """The name that a picture is served under: of its bytes, so that any file name is good and none is given away."""
    return f"p-{hashlib.sha256(content).hexdigest()[:16]}.{name.rpartition('.')[2].lower()}"


def _values(campaign: Campaign, phase: Phase, source: PageSource, usual: str) -> dict[str, Any]:
    """What a theme's template may use; described in `docs/themes.md`."""
    spoken = words_of(source.language, campaign.theme)
    addresses = {
        name: ASSET_PREFIX + picture_name(name, content) for name, content in source.pictures.items()
    }
    title, body = text.page_parts(source, addresses)
    is_front = phase.mode == "occupy"
    title_text = text.plain(title) if title else spoken.texts["title_occupy" if is_front else "title"]
    promised = dates.promise(campaign, phase, spoken)
    return {
        "language": source.language,
        "direction": direction(source.language),
        "mode": phase.mode,
        "words": spoken.texts,
        "words_language": spoken.language,
        "foreign": spoken.mark,
        "title": title or title_text,
        "window_title": _window_title(title_text, spoken.texts["strike"]),
        "title_foreign": Markup("") if title else spoken.mark,
        "window": dates.capitalised(dates.window_markup(campaign, phase, spoken)),
        "promise": promised,
        "description": text.plain(promised),
        "body": body,
        "picks": source.picks if is_front else (),
        "usual": usual if is_front else "",
        "languages": _languages(campaign, source.language),
        "contact": _contact(campaign, spoken.texts),
        "emergency": _emergency(campaign, source.language),
        "robots": answers.ROBOTS[phase.mode],
        "style": ASSET_PREFIX + theme.PAGE_STYLE,
        "assets": ASSET_PREFIX,
        "about": ABOUT_PATH,
        "linked_data": machine_readable.linked_data(
            campaign, phase, source.language, title_text, text.plain(body)[:_SUMMARY_LENGTH]
        ),
    }


def _window_title(title: str, strike: str) -> str:
    """For tabs and bookmarks: the word itself is in it, once."""
    return title if strike.casefold() in title.casefold() else f"{title} – {strike}"


def _languages(campaign: Campaign, current: str) -> list[dict[str, Any]]:
    return [
        {
            "tag": tag,
            "name": native_name(tag, campaign.theme),
            "address": f"{ASSET_PREFIX}{tag}.html",
            "direction": direction(tag),
            "is_current": tag == current,
        }
        for tag in campaign.languages
    ]


def _contact(campaign: Campaign, texts: Mapping[str, str]) -> dict[str, str]:
    address = campaign.contact
    if address.startswith("mailto:"):
        return {"address": address, "text": texts["contact_mail"], "shown": address.removeprefix("mailto:")}
    return {"address": address, "text": texts["contact"], "shown": _address_on_paper(address)}


def _emergency(campaign: Campaign, language: str) -> dict[str, Any] | None:
    if campaign.emergency is None:
        return None
    address = campaign.emergency.address
    line = text.line_html(campaign.emergency.texts[language]) if campaign.emergency.texts else Markup("")
    return {"address": address, "text": line, "shown": _address_on_paper(address)}


def _address_on_paper(address: str) -> str:
    """An address as it is written on paper."""
    for start in ("https://", "http://", "mailto:", "tel:"):
        address = address.removeprefix(start)
    return address.rstrip("/")
