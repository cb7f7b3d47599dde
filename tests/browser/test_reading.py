# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody can read it: every theme, phase and language, light and dark, narrow and wide, printed, right to left.

The bytes are the same on every server (tests/corpus), so the preview's sites stand for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from piquet.campaign.model import BUILT_IN_THEMES
from tests.preview.campaigns import BAR, BLOCK, LANGUAGES, MODAL, OCCUPY, RIGHT_TO_LEFT, write_campaign

from .conftest import SHOTS, Opener
from .sites import Site, previewed
from .tab import SCHEMES, Scheme, Tab

ALL = (BAR, BLOCK, OCCUPY, MODAL)
NAMES = {BAR: "bar", BLOCK: "block", OCCUPY: "occupy", MODAL: "modal"}
WINDOWS = {"phone": (390, 844), "desktop": (1280, 800)}


@pytest.fixture(scope="package", params=BUILT_IN_THEMES)
def themed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The preview of the campaign in one theme."""
    folder = tmp_path_factory.mktemp(request.param)
    languages = (*LANGUAGES, *RIGHT_TO_LEFT)
    with previewed(write_campaign(folder, languages, theme=request.param), folder) as site:
        yield replace(site, name=request.param)


def _tab(opened: Opener, site: Site, number: int, language: str) -> Tab:
    tab = opened(site.visit(number, language))
    tab.go()
    return tab


@pytest.mark.parametrize("language", [*LANGUAGES, *RIGHT_TO_LEFT])
@pytest.mark.parametrize("number", ALL, ids=NAMES.get)
def test_axe_core_finds_nothing(opened: Opener, themed: Site, number: int, language: str) -> None:
    """No barrier of WCAG 2.2 at level AA, light or dark, in a dialog that is open and behind one that was closed."""
    tab = _tab(opened, themed, number, language)
    found = []
    for scheme in SCHEMES:
        tab.page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {barrier}" for barrier in tab.barriers()]
    if number == MODAL:
        tab.page.keyboard.press("Escape")
        found += [f"closed: {barrier}" for barrier in tab.barriers()]
    assert found == []


@pytest.mark.parametrize("language", ["fr", "de", "ar"])
@pytest.mark.parametrize("number", ALL, ids=NAMES.get)
def test_nothing_has_to_be_scrolled_sideways(
    opened: Opener, themed: Site, number: int, language: str
) -> None:
    """From 320 to 1920 pixels, with long words and addresses; also for those who doubled their text size."""
    tab = _tab(opened, themed, number, language)
    assert {} == tab.overflow()
    tab.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert {} == tab.overflow()


@pytest.mark.parametrize("language", RIGHT_TO_LEFT)
@pytest.mark.parametrize("number", [BLOCK, OCCUPY], ids=NAMES.get)
def test_right_to_left(opened: Opener, themed: Site, number: int, language: str) -> None:
    """The page runs from the right, and so does its text."""
    tab = _tab(opened, themed, number, language)
    assert "rtl" == tab.page.locator("html").get_attribute("dir")
    assert "rtl" == tab.style("main p", "direction")
    left, right = tab.page.locator("main li").first.evaluate(
        "e => { const r = e.getBoundingClientRect(), m = e.closest('main').getBoundingClientRect();"
        " return [r.left - m.left, m.right - r.right] }"
    )
    assert right > left


@pytest.mark.parametrize("number", [BLOCK, OCCUPY], ids=NAMES.get)
def test_print(opened: Opener, themed: Site, number: int) -> None:
    """On paper: dark on white, without the links that paper cannot follow, with the window and the contact."""
    tab = _tab(opened, themed, number, "fr")
    tab.page.emulate_media(media="print", color_scheme="dark")
    assert not tab.page.locator("nav").first.is_visible()
    assert tab.page.locator(".window").is_visible()
    assert tab.page.get_by_text("example.org/greve").last.is_visible()
    assert _lightness(tab.style("main p", "color")) < 100
    assert [] == tab.barriers()
    assert tab.page.pdf().startswith(b"%PDF")


def _lightness(color: str) -> float:
    """Mean of red, green and blue of a computed colour."""
    parts = [float(part) for part in color[color.index("(") + 1 : -1].replace(",", " ").split()[:3]]
    return sum(parts) / 3


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("number", ALL, ids=NAMES.get)
def test_pictures_are_kept(opened: Opener, themed: Site, number: int, scheme: Scheme) -> None:
    """Screenshots in French and Arabic for people to look at, in `.cache/screenshots`."""
    _keep_pictures(opened, themed, number, scheme, ("fr", "ar"))


@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("number", ALL, ids=NAMES.get)
def test_pictures_of_every_language_are_kept(
    opened: Opener, themed: Site, number: int, scheme: Scheme
) -> None:
    """The same in all the others."""
    _keep_pictures(opened, themed, number, scheme, [name for name in LANGUAGES if name != "fr"])


def _keep_pictures(
    opened: Opener, site: Site, number: int, scheme: Scheme, languages: tuple[str, ...] | list[str]
) -> None:
    for language in languages:
        for name, (width, height) in WINDOWS.items():
            tab = opened(site.visit(number, language), width=width, height=height, color_scheme=scheme)
            tab.go()
            file = SHOTS / f"{site.name}-{NAMES[number]}-{language}-{name}-{scheme}.png"
            tab.page.screenshot(path=file, full_page=number in (BLOCK, OCCUPY))
            assert _is_picture(file, width)


def _is_picture(file: Path, width: int) -> bool:
    """Whether a PNG has that width. Source: PNG, third edition, 11.2.1 IHDR."""
    head = file.read_bytes()[:24]
    return head[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(head[16:20]) == width
