# SPDX-License-Identifier: GPL-3.0-or-later
"""The strike page and the occupied front page, on every site: right under the site's own policy, in every language."""

from __future__ import annotations

import re

import pytest

from piquet import answers
from piquet.banner import BANNER_MARK
from piquet.pages.theme_files import ICON
from piquet.preview.view import PreviewMoment
from piquet.protocol.http import ASSET_PREFIX
from tests.preview.campaigns import BLOCK, LANGUAGES, MODAL, OCCUPY

from .conftest import Opener, on
from .sites import Real, Site

JOURNAL = "The Meadow Review"
WITH_OR_WITHOUT_SCRIPT = pytest.mark.parametrize(
    "scripts", [pytest.param(True, marks=pytest.mark.long), False], ids=["script", "no-script"]
)
"""A page of the strike has no script; that it needs none is asked in every run."""


@on(BLOCK, OCCUPY)
def test_the_page_comes_with_its_style_and_from_nobody_else(opened: Opener, site: Site, number: int) -> None:
    """The right status, the strike's own style applied, nothing asked elsewhere, nothing on the console."""
    tab = opened(site.visit(number))
    response = tab.go()
    assert {BLOCK: 503, OCCUPY: 200}[number] == response.status
    assert "no-store" == response.headers["cache-control"]
    assert tab.page.locator("h1").is_visible()
    sheets = tab.page.evaluate("[...document.styleSheets].map(sheet => sheet.cssRules.length > 0)")
    assert sheets == [True]


@on(BLOCK, OCCUPY)
@WITH_OR_WITHOUT_SCRIPT
def test_every_language_is_a_visible_link_away(
    opened: Opener, site: Site, number: int, scripts: bool
) -> None:
    """From the browser's own language through all others and back, without a script too."""
    tab = opened(site.visit(number, "de"), java_script_enabled=scripts)
    tab.go()
    assert "de" == tab.page.locator("html").get_attribute("lang")
    for language in (*(name for name in LANGUAGES if name != "de"), "de"):
        link = tab.page.locator(f"nav a[hreflang={language}]")
        assert link.is_visible()
        tab.follow(link)
        assert language == tab.page.locator("html").get_attribute("lang")
        assert tab.page.get_by_text(f"{language}: a page as people write it").first.is_visible()


@on(BLOCK)
def test_a_block_is_everywhere(opened: Opener, site: Site, number: int) -> None:
    """A deep link shows the strike, with its style, under its own address."""
    tab = opened(site.visit(number))
    assert 503 == tab.go("/article?x=1").status
    assert tab.page.url.endswith("/article?x=1")
    assert tab.page.locator("h1").is_visible()
    assert JOURNAL not in tab.page.content()


@on(BLOCK, OCCUPY)
def test_before_and_after_the_site_is_its_own(opened: Opener, site: Site, number: int) -> None:
    """Nothing of the strike is there when it is over; who comes during it meets it."""
    after = opened(site.visit(number, moment="after"))
    after.go()
    assert after.page.get_by_role("heading", name="Issue 12").is_visible()
    during = opened(site.visit(number))
    during.go()
    assert JOURNAL not in during.page.title()


@on(BLOCK, OCCUPY, MODAL, is_real=True)
def test_no_browser_keeps_it_beyond_the_end(opened: Opener, site: Site, number: int) -> None:
    """Who has seen it comes back at the first instant after, and meets the page as it was."""
    assert isinstance(site, Real)
    tab, usual = opened(site.plain(number), java_script_enabled=False), []
    # Which a browser may ask for when the moment is another already.
    tab.allowed = re.escape(ASSET_PREFIX + ICON)
    moments: tuple[PreviewMoment, ...] = ("during", "after")
    for moment in moments:
        site.visit(number, moment=moment)
        tab.go()
        is_banner = tab.page.locator(f"[{BANNER_MARK}]").count()
        usual.append(JOURNAL == tab.page.title() and not is_banner)
    assert [False, True] == usual


@on(OCCUPY)
@WITH_OR_WITHOUT_SCRIPT
def test_the_usual_page_is_one_link_away(opened: Opener, site: Site, number: int, scripts: bool) -> None:
    """By the visible link, for this visitor alone and until the browser is closed; articles were never touched."""
    tab = opened(site.visit(number), java_script_enabled=scripts)
    tab.go("/?from=search")
    tab.follow(tab.page.locator(f"a[href$='{answers.USUAL_QUERY}']"))
    assert JOURNAL == tab.page.title()
    assert tab.visit.url("/") == tab.page.url
    tab.go()
    assert JOURNAL == tab.page.title()
    tab.follow(tab.page.get_by_role("link", name="What the hedge remembers"))
    assert JOURNAL in tab.page.title()
    cookies = tab.page.context.cookies()
    assert [("piquet-greve-2026-12-17-3", -1, True)] == [
        (cookie["name"], cookie["expires"], cookie["httpOnly"]) for cookie in cookies
    ]
    other = opened(site.visit(number))
    other.go()
    assert JOURNAL not in other.page.title()


@on(OCCUPY)
def test_the_usual_page_is_reached_from_another_language_too(opened: Opener, site: Site, number: int) -> None:
    """The page of another language has an address of its own, and still the link."""
    tab = opened(site.visit(number))
    tab.go()
    tab.follow(tab.page.locator("nav a[hreflang=en]"))
    tab.follow(tab.page.locator(f"a[href$='{answers.USUAL_QUERY}']"))
    assert (tab.visit.url("/"), JOURNAL) == (tab.page.url, tab.page.title())


@on(BLOCK, OCCUPY)
def test_the_secret_link_opens_the_site_for_one_browser(opened: Opener, site: Site, number: int) -> None:
    """Testers see the site as usual, everybody else the strike."""
    tester, other = opened(site.visit(number)), opened(site.visit(number))
    tester.go(answers.BYPASS_PREFIX + site.secret)
    assert (tester.visit.url("/"), JOURNAL) == (tester.page.url, tester.page.title())
    tester.go("/article")
    assert JOURNAL in tester.page.title()
    other.go()
    assert JOURNAL not in other.page.title()


@on(BLOCK, OCCUPY)
def test_it_can_be_read_where_a_site_allows_no_style_at_all(opened: Opener, site: Site, number: int) -> None:
    """Under `default-src 'none'` everything is there and in its order, on a phone too."""
    if site.name == "preview":
        return  # its sample site allows its own
    tab = opened(site.visit(number, policy="none"), width=320)
    tab.allowed = "img-src|style|Content Security Policy|default-src"
    tab.go()
    for selector in ("h1", ".strike", ".window", f"nav a[hreflang={'en'}]"):
        assert tab.page.locator(selector).first.is_visible()
