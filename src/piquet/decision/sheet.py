# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision for people who vote on it and hang it on a wall: one sheet in each language, plain values.

French and English come first, for those who carry it out, then every language of the campaign. What is on a sheet is
what the document says, hours and sites from the same values. No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from piquet.campaign.model import Campaign, Mandate, Phase
from piquet.campaign.windows import duration_text
from piquet.decision.doors import decided_doors
from piquet.decision.site_rule import site_rule
from piquet.decision.words import sheet_words
from piquet.pages import dates, text
from piquet.pages.source import PageSource
from piquet.pages.words import direction, words_of
from piquet.protocol.decision import ANSWERS_DECIDED, INSTANT_FORM

FIRST_LANGUAGES = ("fr", "en")
SHOWN_SITES = 24
"""Names of one answer; more do not fit on a wall."""
_OPENING = 400
"""Characters of a page's text."""


@dataclass(frozen=True)
class SheetPart:
    """A heading and the lines below it, plain text."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """The decision in one language.

    Attributes:
        language: of the words.
        direction: `ltr` or `rtl`.
        title: one line.
        revision: one line.
        parts: in their order.
        digest: in groups of eight, to be read aloud.
    """

    language: str
    direction: str
    title: str
    revision: str
    parts: tuple[SheetPart, ...]
    digest: tuple[str, ...]


def sheets(campaign: Campaign, pages: Iterable[PageSource], digest: str) -> tuple[Sheet, ...]:
    """One sheet in each language that somebody reads it in.

    Args:
        campaign: what is to be decided.
        pages: the organisers' texts.
        digest: of the decision's document.
    """
    sources = tuple(pages)
    languages = dict.fromkeys((*FIRST_LANGUAGES, *campaign.languages))
    return tuple(_sheet(campaign, sources, language, digest) for language in languages)


def _sheet(campaign: Campaign, sources: tuple[PageSource, ...], language: str, digest: str) -> Sheet:
    spoken, words = sheet_words(language)
    parts = (
        SheetPart(words["hours"], tuple(_hours(campaign, language, words))),
        SheetPart(words["words"], tuple(_openings(campaign, sources, language))),
        SheetPart(words["sites"], tuple(_sites(campaign, words))),
        SheetPart(words["open"], tuple(_doors(campaign, words))),
        SheetPart(words["limits"], (_limits(campaign, words),)),
        SheetPart(words["mandate"], tuple(_mandate(campaign.mandate, words))),
        SheetPart(words["digest"], (words["digest_text"],)),
    )
    title = words["title"].format(campaign=campaign.name)
    revision = words["revision"].format(number=campaign.revision)
    groups = tuple(digest[at : at + 8] for at in range(0, len(digest), 8))
    return Sheet(spoken, direction(spoken), title, revision, parts, groups)


def _hours(campaign: Campaign, language: str, words: Mapping[str, str]) -> Iterator[str]:
    spoken = words_of(language, campaign.theme)
    for phase in campaign.phases:
        alone = replace(campaign, phases=(phase,))  # its own hours, whatever touches it
        window = text.plain(dates.capitalised(dates.window_markup(alone, phase, spoken)))
        yield f"{phase.number}. {window}. {_mode(phase, words)}"
        start, end = (f"{at:{INSTANT_FORM}}" for at in (phase.start_at, phase.end_at))
        yield words["utc"].format(start=start, end=end)


def _mode(phase: Phase, words: Mapping[str, str]) -> str:
    return words[f"mode_{phase.mode}"].format(paths=", ".join(sorted(set(phase.paths))))


def _openings(campaign: Campaign, sources: Iterable[PageSource], language: str) -> Iterator[str]:
    """How each text begins, in the reader's language if there is one, else in the campaign's first."""
    shown = language if language in campaign.languages else campaign.languages[0]
    for source in sources:
        if source.language == shown:
            title, body = text.page_parts(source, {})
            said = f"{text.plain(title)} – {text.plain(body)}" if title else text.plain(body)
            yield f"{source.phase}. {said if len(said) <= _OPENING else said[:_OPENING].rstrip() + ' …'}"


def _sites(campaign: Campaign, words: Mapping[str, str]) -> Iterator[str]:
    rule = site_rule(campaign)
    for answer in ANSWERS_DECIDED:
        names = [name for name, said in rule.items() if said == answer and name != "*"]
        if rule.get("*", "out") == answer:
            names.append(words["others" if len(rule) > ("*" in rule) else "every"])
        if names:
            rest = len(names) - SHOWN_SITES
            shown = [*names[:SHOWN_SITES], words["more"].format(count=rest)] if rest > 0 else names
            yield words[f"sites_{answer}"].format(names=", ".join(shown))


def _doors(campaign: Campaign, words: Mapping[str, str]) -> Iterator[str]:
    doors = decided_doors(campaign.doors)
    yield words["always"]
    for key in ("paths", "networks"):
        if doors[key]:
            yield words[key].format(**{key: ", ".join(doors[key])})
    if doors["bypass"]:
        yield words["bypass"]


def _limits(campaign: Campaign, words: Mapping[str, str]) -> str:
    length, share = duration_text(campaign.limits.max_block), campaign.limits.max_share_percent
    return words["limits_text"].format(length=length, share=share)


def _mandate(mandate: Mandate | None, words: Mapping[str, str]) -> Iterator[str]:
    if mandate is None:
        yield words["mandate_none"]
    elif not mandate.roles:
        yield words["mandate_recorded"].format(decision=mandate.decision, date=mandate.decided_on)
    else:
        names = (words["role"].format(name=role.name, threshold=role.threshold) for role in mandate.roles)
        yield words["roles"].format(roles=", ".join(names))
    if mandate and mandate.votes:
        yield words["votes"].format(
            **{key: mandate.votes.get(key, 0) for key in ("for", "against", "abstain")}
        )
    yield words["end"]
