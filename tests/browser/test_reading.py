# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody can read it: every theme, phase and language, light and dark, narrow and wide, printed, right to left.

The bytes are the same on every server (tests/corpus), so the preview's sites stand for all. One window goes through all
languages, as a new visitor each time: that is quicker than a window for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from piquet.campaign.model import BUILT_IN_THEMES
from tests.preview.campaigns import BAR, BLOCK, LANGUAGES, MODAL, OCCUPY, RIGHT_TO_LEFT, write_campaign

from .conftest import SHOTS, Opener
from .sites import Site, previewed
from .tab import SCHEMES, Tab

ALL = (*LANGUAGES, *RIGHT_TO_LEFT)
EVERY_RUN = ("fr", "de", "ar")
"""Languages of an ordinary run: the first one, the longest words, and one from the right."""

NAMES = {BAR: "bar", BLOCK: "block", OCCUPY: "occupy", MODAL: "modal"}
WINDOWS = {"phone": (390, 844), "desktop": (1280, 800)}

PHASES = pytest.mark.parametrize("number", NAMES, ids=NAMES.get)
PAGES = pytest.mark.parametrize("number", [BLOCK, OCCUPY], ids=NAMES.get)


@pytest.fixture(scope="package", params=["poster", pytest.param("letter", marks=pytest.mark.long)])
def themed(
    own_network: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The preview of the campaign in one theme."""
    folder = tmp_path_factory.mktemp(request.param)
    with previewed(write_campaign(folder, ALL, theme=request.param), folder) as site:
        yield replace(site, name=request.param)


@pytest.fixture
def languages(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Those that this run looks at."""
    return ALL if request.config.getoption("--long") else EVERY_RUN


def _tour(opened: Opener, site: Site, number: int, languages: Iterable[str]) -> Iterator[tuple[str, Tab]]:
    """One window at the front page, in one language after the other."""
    tab: Tab | None = None
    for language in languages:
        visit = site.visit(number, language)
        if tab is None:
            tab = opened(visit)
        tab.visit = visit
        tab.friends = r"http://[a-z0-9.-]+\.piquet\.localhost:\d+"
        tab.go()
        yield language, tab


@PHASES
def test_axe_core_finds_nothing(
    opened: Opener, themed: Site, number: int, languages: tuple[str, ...]
) -> None:
    """No barrier of WCAG 2.2 at level AA, light or dark, in a dialog that is open and behind one that was closed."""
    found = []
    for language, tab in _tour(opened, themed, number, languages):
        for scheme in SCHEMES:
            tab.page.emulate_media(color_scheme=scheme)
            found += [f"{language} {scheme}: {barrier}" for barrier in tab.barriers()]
        if number == MODAL and language == "fr":
            tab.page.keyboard.press("Escape")
            found += [f"{language} closed: {barrier}" for barrier in tab.barriers()]
    assert found == []


@PHASES
def test_nothing_has_to_be_scrolled_sideways(
    opened: Opener, themed: Site, number: int, languages: tuple[str, ...]
) -> None:
    """From 320 to 1920 pixels, with long words and addresses; from 390 also for those who doubled their text size."""
    found = {}
    for language, tab in _tour(opened, themed, number, languages):
        found[language] = tab.overflow()
        tab.page.evaluate("document.documentElement.style.fontSize = '200%'")
        doubled = tab.overflow().items()
        found[f"{language} doubled"] = {
            width: page for width, page in doubled if width >= WINDOWS["phone"][0]
        }
    assert {} == {case: widths for case, widths in found.items() if widths}


@PAGES
def test_right_to_left(opened: Opener, themed: Site, number: int) -> None:
    """The page runs from the right, and so does its text."""
    for _, tab in _tour(opened, themed, number, RIGHT_TO_LEFT):
        assert "rtl" == tab.page.locator("html").get_attribute("dir")
        assert "rtl" == tab.style(".text p", "direction")
        left, right = tab.page.locator(".text li").first.evaluate(
            "e => { const r = e.getBoundingClientRect(), t = e.closest('.text').getBoundingClientRect();"
            " return [r.left - t.left, t.right - r.right] }"
        )
        assert right > left


@PAGES
def test_print(opened: Opener, themed: Site, number: int) -> None:
    """On paper: dark on white, without the links that paper cannot follow, with the window and the contact."""
    tab = opened(themed.visit(number))
    tab.go()
    tab.page.emulate_media(media="print", color_scheme="dark")
    assert not tab.page.locator("nav").first.is_visible()
    assert tab.page.locator(".window").is_visible()
    assert tab.page.get_by_text("example.org/greve").last.is_visible()
    assert _lightness(tab.style(".text p", "color")) < 100
    assert [] == tab.barriers()
    assert tab.page.pdf().startswith(b"%PDF")


def _lightness(color: str) -> float:
    """Mean of red, green and blue of a computed colour."""
    parts = [float(part) for part in color[color.index("(") + 1 : -1].replace(",", " ").split()[:3]]
    return sum(parts) / 3


@PHASES
def test_pictures_are_kept(opened: Opener, themed: Site, number: int) -> None:
    """Screenshots in French and Arabic for people to look at, in `.cache/screenshots`."""
    _keep_pictures(opened, themed, number, ("fr", "ar"))


@pytest.mark.long
@PHASES
def test_pictures_of_every_language_are_kept(opened: Opener, themed: Site, number: int) -> None:
    """The same in all the others."""
    _keep_pictures(opened, themed, number, [name for name in ALL if name not in ("fr", "ar")])


def _keep_pictures(opened: Opener, site: Site, number: int, languages: Iterable[str]) -> None:
    for language, tab in _tour(opened, site, number, languages):
        for device, (width, height) in WINDOWS.items():
            tab.page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                tab.page.emulate_media(color_scheme=scheme)
                file = SHOTS / f"{site.name}-{NAMES[number]}-{language}-{device}-{scheme}.png"
                tab.page.screenshot(path=file, full_page=number in (BLOCK, OCCUPY), animations="disabled")
                assert _is_picture(file, width)


def _is_picture(file: Path, width: int) -> bool:
    """Whether a PNG has that width. Source: PNG, third edition, 11.2.1 IHDR."""
    head = file.read_bytes()[:24]
    return head[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(head[16:20]) == width


def test_every_theme_is_read() -> None:
    """The full matrix has each that comes with piquet."""
    assert set(BUILT_IN_THEMES) == {"poster", "letter"}
