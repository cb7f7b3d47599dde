# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner's one line: what servers can carry, what a page can hold, and what it says."""

from __future__ import annotations

import html
import re
import string
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from piquet import banner as rule
from piquet.campaign.model import Campaign, Phase
from piquet.errors import BundleError
from piquet.pages import banner
from piquet.pages.source import PageSource
from tests.render.page_reader import HOSTILE, Seen
from tests.render.samples import CAMPAIGN, PHASE

BEFORE = Phase(
    2,
    "banner",
    PHASE.start_at - timedelta(days=2),
    PHASE.start_at,
    style="bar",
    message="messages/a",
)
AFTER = replace(
    BEFORE,
    number=3,
    start_at=PHASE.end_at,
    end_at=PHASE.end_at + timedelta(days=2),
    style="modal",
)
STRIKE = replace(CAMPAIGN, phases=(PHASE, BEFORE, AFTER))
_SAFE = frozenset(string.ascii_letters + string.digits + string.punctuation + " ") - frozenset("$\\|%")


def line(
    text: str,
    phase: Phase = BEFORE,
    language: str = "fr",
    kind: str = "markdown",
    campaign: Campaign = STRIKE,
) -> str:
    """The banner around a text."""
    return banner.fragment(campaign, phase, PageSource(phase.number, language, "m.md", kind, text))  # type: ignore[arg-type]


@given(st.text(max_size=300))
def test_any_text_is_carried_by_any_server(text: str) -> None:
    """One line of printable ASCII without a character that nginx or Apache would read; the words arrive."""
    fragment = line(text)
    assert set(fragment) <= _SAFE
    assert fragment.count(f'{rule.BANNER_MARK}="greve/2/banner"') == 1 == fragment.count(rule.BANNER_MARK)


@pytest.mark.parametrize("kind", ["markdown", "html"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless(text: str, kind: str) -> None:
    """The elements are ours and a few harmless ones; the frame around them is not broken out of."""
    fragment = line(text, kind=kind)
    seen = Seen(html.unescape(fragment) if "{{" in text else fragment)
    assert seen.tags.count("script") == seen.tags.count("link") == seen.tags.count("aside") == 1
    assert set(seen.tags) <= {
        "rp",
        "link",
        "script",
        "aside",
        "div",
        "p",
        "strong",
        "span",
        "time",
        "a",
        "em",
        "br",
    }
    assert not [
        name for name, _ in seen.attributes if name.startswith("on") or name == "style" or name == "id"
    ]
    assert fragment.endswith("</div></aside></rp></rp>")


def test_a_banner_is_looked_at_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the sanitiser ever let something through, no server gets it."""
    monkeypatch.setattr(banner.text, "banner_html", lambda source: Markup("<p onclick=x>x</p>"))
    with pytest.raises(BundleError, match="onclick at <p>"):
        line("x")


def test_everything_is_same_origin() -> None:
    """One style sheet and one script, both below our own prefix, so that `'self'` lets them through."""
    seen = Seen(line("Texte"))
    loaded = {value for name, value in seen.attributes if name in ("href", "src")}
    assert loaded == {"/.well-known/piquet/banner.css", "/.well-known/piquet/banner.js"}


def test_it_is_one_element_that_is_found_again() -> None:
    """The body gets one child more, and what looks at the page from outside can take exactly that out."""
    fragment = line("Texte")
    assert Seen(fragment).tags[:5] == ["rp", "rp", "aside", "link", "script"]
    assert ("hidden", "until-found") in Seen(fragment).attributes
    page = b"<html><head></head>\n<body class=x>usual</body>"
    marks, bare = rule.taken_out(rule.insert_banner(page, fragment.encode()))
    assert (marks, bare) == (("greve/2/banner",), page)


def test_headings_become_lines_and_pictures_none() -> None:
    """The page's own outline stays whole."""
    fragment = line("# Grève\n\n## Pourquoi\n\n- a\n\n![x](y.png)\n")
    assert not re.search(r"<h\d|<img", fragment)
    assert "<p><strong>Gr&#232;ve</strong></p>" in fragment


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (BEFORE, PHASE),
        (AFTER, None),
        (replace(BEFORE, number=9), PHASE),
        (replace(BEFORE, start_at=PHASE.start_at + timedelta(hours=1), end_at=PHASE.end_at), PHASE),
    ],
)
def test_a_banner_speaks_of_the_strike(phase: Phase, expected: Phase | None) -> None:
    """Not of its own hours: of the next strike, or of the one that is on; behind the last there is none."""
    assert expected == banner.announced(STRIKE, phase)


def test_a_banner_alone_announces_nothing() -> None:
    """Where nothing is blocked or occupied at all, its own hours are not those of a strike."""
    assert banner.announced(replace(STRIKE, phases=(BEFORE,)), BEFORE) is None


@pytest.mark.parametrize(
    ("is_open", "language", "expected"),
    [
        (False, "fr", "Pendant ce temps, ses pages ne seront pas accessibles."),
        (True, "fr", "Ce site-ci reste ouvert."),
        (False, "en", "During this time its pages cannot be reached."),
        (True, "en", "This site stays open."),
    ],
)
def test_a_banner_says_what_becomes_of_this_site(is_open: bool, language: str, expected: str) -> None:
    """A site that shows messages only is never told that it will be blocked."""
    source = PageSource(BEFORE.number, language, "x.md", "markdown", "x\n")
    text = html.unescape(banner.fragment(STRIKE, BEFORE, source, is_open=is_open))
    assert f"</span>. {expected}</p>" in text


def test_the_next_strike_comes_before_a_later_one() -> None:
    """Whatever the order in the file."""
    later = replace(PHASE, number=4, mode="occupy", start_at=PHASE.end_at, paths=("/",))
    assert banner.announced(replace(STRIKE, phases=(later, PHASE, BEFORE)), BEFORE) == PHASE
    assert banner.announced(replace(STRIKE, phases=(later, PHASE, AFTER)), AFTER) == later


@pytest.mark.parametrize(
    ("language", "label"), [("fr", "Message des grévistes"), ("pt", "Mensagem de quem faz greve")]
)
def test_behind_the_last_strike_nothing_is_announced(language: str, label: str) -> None:
    """Who speaks, and no date: `Strike on Friday` over words of thanks would be read as the next one."""
    fragment = html.unescape(line("Merci.", AFTER, language))
    assert f'<p class="piquet-when"><strong>{label}</strong></p><p>Merci.</p>' in fragment
    assert "<time" not in fragment and "2026" not in fragment


def test_what_it_says() -> None:
    """Language, direction, a name for it, the dates, the link, and the word of its button."""
    more = replace(BEFORE, more="/greve?a=1&b=2", style="modal")
    fragment = html.unescape(line("Texte", more, "fr"))
    for part in (
        'lang="fr" dir="ltr"',
        'aria-label="Message des grévistes"',
        'data-style="modal"',
        'data-close="Fermer"',
        "<strong>Grève</strong>",
        "jeudi 17 décembre 2026 à 01:00",
        "(heure de Paris)",
        '<a href="/greve?a=1&b=2" rel="noopener noreferrer">En savoir plus</a>',
    ):
        assert part in fragment


def test_words_of_another_language_are_marked() -> None:
    """An Arabic banner is laid out from the right; the English words in it from the left."""
    fragment = line("نص", language="ar")
    assert 'lang="ar" dir="rtl"' in fragment
    assert (
        '<p class="piquet-when" lang="en" dir="ltr"><strong>Strike</strong> <span lang="ar" dir="rtl">'
        in fragment
    )


def test_a_banner_that_does_not_fit_is_refused() -> None:
    """The configuration's own limits are not left to the server to find."""
    with pytest.raises(BundleError, match="too long for a banner"):
        line("é " * 900)


def test_the_longest_message_that_is_accepted_fits() -> None:
    """Limits of the text leave room for the frame, in any language."""
    for language in ("fr", "de", "ar", "el"):
        campaign = replace(STRIKE, languages=(language,))
        assert line("é" * 740, replace(BEFORE, more="/" + "x" * 100), language, campaign=campaign)
        assert line("a b " * 375, BEFORE, language, campaign=campaign)
