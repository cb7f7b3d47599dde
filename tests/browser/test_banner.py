# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner in other people's pages: in the flow, closable by keyboard, once per visitor, never in foreign frames."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Route

from piquet.banner import BANNER_MARK
from tests.preview.campaigns import BAR, MODAL

from .conftest import Opener, on
from .sites import Site
from .tab import Tab

BANNER = f"[{BANNER_MARK}]"
_ELSEWHERE = "elsewhere.corpus.example"
_UNSEEN = """let seen = false;
Object.defineProperty(document, "visibilityState", {get: () => seen ? "visible" : "hidden"});
window.show = () => { seen = true; document.dispatchEvent(new Event("visibilitychange")); };"""


def _dialog(tab: Tab) -> Locator:
    return tab.page.get_by_role("dialog")


def _focus_is_inside(tab: Tab) -> bool:
    return bool(tab.page.evaluate("document.activeElement.closest('dialog') !== null"))


@on(BAR)
def test_a_bar_stands_above_the_page(opened: Opener, site: Site, number: int) -> None:
    """First thing of the page, in the flow: nothing is covered, and the page's own first heading is below it."""
    tab = opened(site.visit(number))
    for path in ("/", "/article"):
        assert 200 == tab.go(path).status
        assert 1 == tab.page.locator(BANNER).count()
        banner, heading = (tab.page.locator(selector).bounding_box() for selector in (BANNER, "h1"))
        assert banner and heading
        assert (0, 0) == (banner["x"], banner["y"])
        assert banner["y"] + banner["height"] <= heading["y"]
        assert 0 == _dialog(tab).count()
    assert "complementary" in tab.page.locator("body").aria_snapshot()


@on(BAR, MODAL)
def test_the_banner_speaks_the_visitors_language(opened: Opener, site: Site, number: int) -> None:
    """Whatever language the page itself is in."""
    for language in ("fr", "pt"):
        tab = opened(site.visit(number, language))
        tab.go()
        assert language == tab.page.locator(BANNER).get_attribute("lang")
        assert tab.page.get_by_text(f"{language}: on strike").first.is_visible()


@on(BAR, MODAL)
def test_without_a_script_it_is_an_ordinary_block_on_top(opened: Opener, site: Site, number: int) -> None:
    """Nothing is covered, nothing has to be closed."""
    tab = opened(site.visit(number), java_script_enabled=False)
    tab.go()
    banner, heading = (tab.page.locator(selector).bounding_box() for selector in (BANNER, "h1"))
    assert banner and heading
    assert banner["y"] + banner["height"] <= heading["y"]
    assert "static" == tab.style(BANNER, "position")


@on(BAR, MODAL)
def test_a_strict_policy_shows_none(opened: Opener, site: Site, number: int) -> None:
    """Where a site does not let our style sheet in, nothing is shown and nothing is moved."""
    if site.name == "preview":
        return  # its sample site allows its own
    tab = opened(site.visit(number, policy="none"))
    tab.allowed = "style|script|Content Security Policy|default-src"
    tab.go()
    assert tab.page.locator(BANNER).is_hidden()
    assert tab.page.locator("h1").is_visible()
    assert 0 == _dialog(tab).count()


@on(MODAL)
def test_the_dialog_by_keyboard_alone(opened: Opener, site: Site, number: int) -> None:
    """It opens with focus inside, Tab stays there, Escape closes; focus is back in the page, and that was all."""
    tab = opened(site.visit(number))
    tab.go()
    _dialog(tab).wait_for()
    assert _dialog(tab).get_attribute("aria-label") or _dialog(tab).get_attribute("aria-labelledby")
    for _ in range(6):
        assert _focus_is_inside(tab) or tab.page.evaluate("document.activeElement === document.body")
        tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Escape")
    _dialog(tab).wait_for(state="hidden")
    tab.page.keyboard.press("Tab")
    assert "A" == tab.page.evaluate("document.activeElement.tagName")
    tab.page.keyboard.press("Enter")
    tab.go("/article")
    assert tab.page.get_by_role("heading", name="What the hedge remembers").is_visible()
    assert 0 == _dialog(tab).count()


@on(MODAL)
def test_the_dialog_closes_by_its_button(opened: Opener, site: Site, number: int) -> None:
    """By Enter and by a click; every new visitor is told once."""
    for is_click in (False, True):
        tab = opened(site.visit(number))
        tab.go()
        button = _dialog(tab).get_by_role("button")
        assert "Fermer" in button.inner_text()
        if is_click:
            button.click()
        else:
            button.focus()
            tab.page.keyboard.press("Enter")
        _dialog(tab).wait_for(state="hidden")
        tab.page.reload()
        assert 0 == _dialog(tab).count()


@on(MODAL)
def test_the_dialog_closes_by_a_click_beside_it(opened: Opener, site: Site, number: int) -> None:
    """Pressed and let go on the backdrop; whoever selects text and lets go outside keeps the dialog."""
    tab = opened(site.visit(number))
    tab.go()
    text = _dialog(tab).get_by_text("fr: on strike").bounding_box()
    assert text
    tab.page.mouse.move(text["x"] + 5, text["y"] + 5)
    tab.page.mouse.down()
    tab.page.mouse.move(5, 5)
    tab.page.mouse.up()
    assert _dialog(tab).is_visible()
    tab.page.mouse.click(5, 5)
    tab.page.locator(BANNER).wait_for(state="detached")


@on(MODAL)
def test_another_tab_tells_nothing_twice(opened: Opener, site: Site, number: int) -> None:
    """A link opened beside the page, and an address typed into a new tab: no dialog, and no block in its place."""
    tab = opened(site.visit(number))
    tab.go()
    _dialog(tab).wait_for()
    tab.page.keyboard.press("Escape")
    with tab.page.context.expect_page() as beside:
        tab.page.get_by_role("link", name="What the hedge remembers").click(modifiers=["Control"])
    typed = tab.page.context.new_page()
    typed.goto(tab.visit.url("/article"))
    for page in (beside.value, typed):
        page.wait_for_load_state()
        assert (1, 0) == (page.locator(BANNER).count(), page.get_by_role("dialog").count())
        assert page.locator(BANNER).is_hidden()


@on(MODAL)
def test_a_page_that_nobody_sees_yet_tells_nobody(opened: Opener, site: Site, number: int) -> None:
    """Opened in the background or made in advance: the dialog waits, and another page may tell first."""
    tab = opened(site.visit(number))
    tab.page.add_init_script(_UNSEEN)
    tab.go()
    assert 0 == _dialog(tab).count()
    for expected in (1, 0):
        tab.page.evaluate("show()")
        assert expected == _dialog(tab).count()
        tab.page.reload()


@on(BAR)
def test_what_was_remembered_is_forgotten(opened: Opener, site: Site, number: int) -> None:
    """A bar takes away what a dialog left in the browser."""
    tab = opened(site.visit(number))
    tab.page.add_init_script("localStorage.setItem('piquet-seen', 'x')")
    tab.go()
    assert 0 == tab.page.evaluate("localStorage.length")


@on(MODAL)
def test_focus_returns_to_where_it_was(opened: Opener, site: Site, number: int) -> None:
    """After the dialog the next Tab reaches the page's first link, not its middle."""
    tab = opened(site.visit(number))
    tab.go()
    _dialog(tab).wait_for()
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_function("document.activeElement.closest('dialog') === null")
    reached = set()
    for _ in range(4):
        tab.page.keyboard.press("Tab")
        reached.add(tab.page.evaluate("document.activeElement.textContent"))
    assert "Skip to the content" in reached


@on(BAR, MODAL)
def test_a_frame_on_another_site_has_no_banner(opened: Opener, site: Site, number: int) -> None:
    """Nobody's embedded article carries our message into their page."""
    tab = opened(site.visit(number))
    scheme = tab.visit.origin.partition(":")[0]
    elsewhere = f"{scheme}://{_ELSEWHERE}/"

    def answer(route: Route) -> None:
        body = f"<!doctype html><title>x</title><iframe src='{tab.visit.url('/article')}'></iframe>"
        route.fulfill(status=200, content_type="text/html", body=body)

    tab.friends = re.escape(elsewhere.rstrip("/"))
    tab.page.route(elsewhere, answer)
    tab.page.goto(elsewhere)
    frame = tab.page.frame_locator("iframe")
    frame.locator("h1").wait_for()
    assert 0 == frame.locator(BANNER).count()
