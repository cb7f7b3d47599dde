# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sentence of ours about hours and effects, held against what the table says that very site answers later."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from piquet import answers, outlook
from piquet.campaign.model import Campaign, Mode, Phase, Theme
from piquet.pages import machine_readable, page
from piquet.pages.rendered import fragments
from piquet.pages.source import PageSource
from piquet.pages.words import words_of
from piquet.plan.selection import Selector

from .samples import CAMPAIGN, START

PARIS = ZoneInfo("Europe/Paris")
LANGUAGES = ("fr", "en", "es", "de", "it", "pt", "ar")
ANY_PATH = "/anything"
_OCCUPIED = (("/",), ("/a",), ("/", "/a"))
_GAPS = st.sampled_from([0, 0, 0, 1, 3600, 7 * 3600 + 1, 86400])
_LENGTHS = st.sampled_from([1, 59, 3600, 5 * 3600 + 7, 86400, 3 * 86400])
_KINDS = st.sampled_from([("banner", ()), ("block", ()), *(("occupy", paths) for paths in _OCCUPIED)])


@st.composite
def campaigns(draw: st.DrawFn) -> Campaign:
    """One to five phases, often without a gap between them."""
    phases: list[Phase] = []
    at = START + timedelta(seconds=draw(st.sampled_from([0, 11, 23 * 3600])))
    for number, (mode, paths) in enumerate(draw(st.lists(_KINDS, min_size=1, max_size=5)), 1):
        start = at + timedelta(seconds=draw(_GAPS))
        at = start + timedelta(seconds=draw(_LENGTHS))
        phases.append(Phase(number, mode, start, at, page="p", paths=paths, style="bar", message="m"))
    order = draw(st.permutations(phases))
    language = draw(st.sampled_from(LANGUAGES))
    return replace(CAMPAIGN, phases=tuple(order), languages=(language,))


def of(*modes: Mode) -> Campaign:
    """Phases of an hour each without a gap."""
    hour = timedelta(hours=1)
    phases = (
        Phase(n, mode, START + n * hour, START + (n + 1) * hour, paths=("/",) if mode == "occupy" else ())
        for n, mode in enumerate(modes, 1)
    )
    return replace(CAMPAIGN, phases=tuple(phases), languages=("fr",))


def kind(campaign: Campaign, at: datetime, path: str, *, is_open: bool = False) -> str:
    """What the table answers at an instant, on a site that takes part in everything or shows banners only."""
    own = [p for p in campaign.phases if not is_open or p.mode == "banner"]
    phase = next((p for p in own if p.start_at <= at < p.end_at), None)
    asked = answers.SiteRequest("GET", path, "www.example.org")
    return answers.expect(replace(campaign, doors=CAMPAIGN.doors), phase, asked, None, ()).kind


def instants(campaign: Campaign) -> list[datetime]:
    """The seconds around each boundary, and the middle of what lies between."""
    edges = sorted({at for phase in campaign.phases for at in (phase.start_at, phase.end_at)})
    second = timedelta(seconds=1)
    middles = [one + (other - one) / 2 for one, other in pairwise(edges)]
    return sorted({*edges, *(at - second for at in edges), *middles, edges[-1] + timedelta(days=9)})


def hours(sentence: str) -> list[tuple[datetime, datetime]]:
    """The one window of a sentence, by its `time` elements; of an end alone, from then to then."""
    found = re.findall(r'<time datetime="([^"]+)">', sentence)
    if all(len(text) == len("2026-12-17") for text in found):
        first, last = date.fromisoformat(found[0]), date.fromisoformat(found[-1])
        start = datetime(first.year, first.month, first.day, tzinfo=PARIS)
        end = datetime(last.year, last.month, last.day, tzinfo=PARIS)
        end = datetime.fromisoformat((end.date() + timedelta(days=1)).isoformat()).replace(tzinfo=PARIS)
        return [(start, end)]
    return [(datetime.fromisoformat(found[0]), datetime.fromisoformat(found[-1]))]


def paragraph(text: str, name: str) -> str:
    """The inside of a paragraph of a page."""
    found = re.search(rf'<p class="{name}"[^>]*>(.*?)</p>', text, re.DOTALL)
    assert found
    return html.unescape(found[1])


def promised(text: str, language: str) -> Iterator[tuple[str, tuple[datetime, datetime]]]:
    """Which sentences of the promise are there, and their hours."""
    spoken = words_of(language, Theme()).texts
    first = re.match(r"(?s).*?<time[^>]*>[^<]*</time>[^<]*?\.(?= |$)", text)
    assert first
    yield "promise", hours(first[0])[0]
    rest = text[first.end() :].strip()
    if rest:
        ends = {key: spoken[key].partition("{window}")[2] for key in spoken if key.startswith("then_")}
        (key,) = [key for key, end in ends.items() if rest.endswith(end)]
        yield key, hours(rest)[0]


@settings(max_examples=40, deadline=None)
@given(campaigns())
@example(of("block", "occupy"))
@example(of("occupy", "block", "occupy"))
@example(of("block", "block", "banner"))
@example(of("banner", "block", "occupy", "banner"))
def test_pages_promise_what_the_site_does(campaign: Campaign) -> None:
    """The window, when all is back, what follows at once: each is so, to the second, and not a second earlier."""
    (language,) = campaign.languages
    for phase in outlook.strikes(campaign):
        text = page.page_html(
            campaign, phase, PageSource(phase.number, language, "x.md", "markdown", "# x\n")
        )
        start, end = hours(paragraph(text, "window"))[0] if language != "ar" else whole_hours(campaign, phase)
        taken = phase.paths or ("/", "/a", ANY_PATH)
        shown = {"block": "page", "occupy": "front"}[phase.mode]
        for at in instants(campaign):
            if start <= at < end:
                assert {shown} == {kind(campaign, at, path) for path in taken}
        assert start <= phase.start_at and phase.end_at <= end
        for key, (from_at, until_at) in promised(paragraph(text, "promise"), language):
            if key == "promise":
                back = {kind(campaign, until_at, path) for path in taken}
                assert back <= {"usual", "banner"}
                for at in instants(campaign):
                    if phase.start_at <= at < until_at:
                        assert {kind(campaign, at, path) for path in taken} - {"usual", "banner"}
            else:
                assert from_at == end
                mode = key.removeprefix("then_")
                for at in instants(campaign):
                    if from_at <= at < until_at:
                        assert does(campaign, at) == mode


def whole_hours(campaign: Campaign, phase: Phase) -> tuple[datetime, datetime]:
    """Of a phase whose page says them in numbers that are not parsed here."""
    whole = outlook.whole(campaign, phase)
    return whole.start_at, whole.end_at


def does(campaign: Campaign, at: datetime, *, is_open: bool = False) -> str:
    """The mode that a site is in, as its answers show it."""
    seen = {kind(campaign, at, path, is_open=is_open) for path in ("/", "/a", ANY_PATH)}
    modes = {"page": "block", "front": "occupy", "banner": "banner"}
    return next((mode for shown, mode in modes.items() if shown in seen), "usual")


@settings(max_examples=40, deadline=None)
@given(campaigns())
@example(of("block", "block"))
@example(of("block", "occupy"))
def test_programs_are_told_the_truth(campaign: Campaign) -> None:
    """`Retry-After` and the problem document: 503 until then, and not at that second."""
    (language,) = campaign.languages
    for phase in campaign.phases:
        if phase.mode != "block":
            continue
        told = parsedate_to_datetime(answers.retry_after(campaign, phase))
        problem = json.loads(machine_readable.problem(campaign, phase, language))
        assert datetime.fromisoformat(problem["end"]) == told
        assert kind(campaign, told, ANY_PATH) != "page"
        for at in instants(campaign):
            if datetime.fromisoformat(problem["start"]) <= at < told:
                assert kind(campaign, at, ANY_PATH) == "page"


@settings(max_examples=40, deadline=None)
@given(campaigns(), st.booleans())
@example(of("banner", "block"), True)
@example(of("banner"), False)
def test_banners_announce_what_the_site_does(campaign: Campaign, is_open: bool) -> None:
    """The hours are those of a strike; a site that only shows messages is told to stay open, and does."""
    (language,) = campaign.languages
    spoken = {
        key: text for key, text in words_of(language, Theme()).texts.items() if key.startswith("effect_")
    }
    texts = [
        PageSource(p.number, language, "x.md", "markdown", "x\n")
        for p in campaign.phases
        if p.mode == "banner"
    ]
    for (number, _), fragment in fragments(campaign, texts, is_open=is_open).items():
        text = html.unescape(fragment)
        effects = [key for key, sentence in spoken.items() if sentence in text]
        assert bool(effects) == ("<time" in text)
        if not effects:
            continue
        (effect,) = effects
        (phase,) = [p for p in campaign.phases if p.number == number]
        start, end = hours(paragraph(text, "piquet-when"))[0]
        assert end > phase.start_at
        for at in (at for at in instants(campaign) if start <= at < end):
            assert does(campaign, at) == ("block" if effect == "effect_block" else does(campaign, at))
            assert does(campaign, at) in ("block", "occupy")
            assert effect == f"effect_{does(campaign, at)}" or is_open
            assert not is_open or does(campaign, at, is_open=True) in ("usual", "banner")
        assert (effect == "effect_none") == is_open


@given(campaigns(), st.sampled_from(["in", "message", "out"]))
def test_there_are_two_wordings(campaign: Campaign, answer: str) -> None:
    """A site's answer gives it all phases, those with a banner, or none: more wordings there need not be."""
    sites = replace(campaign.sites, consent={"www.example.org": answer})
    phases = Selector(replace(campaign, sites=sites)).phases("www.example.org")
    banners = {p.number for p in campaign.phases if p.mode == "banner"}
    everything = {p.number for p in campaign.phases}
    assert set(phases) == {"in": everything, "message": banners, "out": set()}[answer]
    if phases:
        is_whole = answer == "in" or everything == banners
        assert outlook.takes_part(campaign, phases) == is_whole
