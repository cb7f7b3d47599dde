# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview itself, as a general assembly sees it: two windows side by side, and pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator

from piquet.cli import run_command
from piquet.preview.export import export
from piquet.preview.server import PreviewServer, serving
from tests.preview.campaigns import BAR, BLOCK, MODAL, OCCUPY, PHASES, write_campaign

from .conftest import SHOTS, Opener
from .sites import Visit
from .tab import SCHEMES, Tab

TITLE = {"phone": "The site on a phone", "desktop": "The site on a desktop"}
_HAS_RED = """async png => {
  const picture = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const drawn = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  drawn.drawImage(picture, 0, 0);
  const colors = new Uint32Array(drawn.getImageData(0, 0, picture.width, picture.height).data.buffer);
  return colors.includes(0xff1d00c4);
}"""
"""Whether the red of the poster's dialog is in a picture, to the bit; the bytes of a colour come blue before red."""


@pytest.fixture(scope="package")
def server(own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewServer]:
    """A preview in two languages."""
    with serving(write_campaign(tmp_path_factory.mktemp("preview"), ("fr", "en"))) as server:
        yield server


@pytest.fixture
def tab(opened: Opener, server: PreviewServer) -> Tab:
    """Somebody who opened the index; what frames load is of other names below it."""
    tab = opened(Visit(server.url.rstrip("/"), "fr"), width=1440, height=900)
    tab.friends = r"http://[a-z0-9.-]+\.piquet\.localhost:\d+"
    tab.go()
    return tab


def _frame(tab: Tab, device: str) -> FrameLocator:
    return tab.page.frame_locator(f"iframe[title='{TITLE[device]}']")


@pytest.mark.parametrize("number", [BAR, BLOCK, OCCUPY, MODAL])
def test_phone_and_desktop_side_by_side(tab: Tab, number: int) -> None:
    """From the index by its links; each window has its width, and shows the phase."""
    tab.page.locator(f"a[href='/view/during-{number}-fr/']").click()
    for device, width in (("phone", 390), ("desktop", 1280)):
        frame = _frame(tab, device)
        frame.locator("h1").wait_for()
        assert width == frame.locator("html").evaluate("() => innerWidth")
        assert 1 == frame.locator("[data-piquet], .strike").count()
    left, right = (
        tab.page.locator(f"iframe[title='{TITLE[device]}']").bounding_box() for device in ("phone", "desktop")
    )
    assert left and right and left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]
    tab.page.screenshot(path=SHOTS / f"preview-{number}.png", full_page=True)


def test_before_during_after_and_languages(tab: Tab) -> None:
    """Every switch of the page above the windows."""
    tab.page.locator(f"a[href='/view/during-{BLOCK}-fr/']").click()
    _frame(tab, "phone").locator(".strike").wait_for()
    tab.page.get_by_role("link", name="after").click()
    _frame(tab, "phone").get_by_text("The Meadow Review").first.wait_for()
    tab.page.get_by_role("link", name="before").click()
    _frame(tab, "phone").locator("[data-piquet]").wait_for()
    tab.page.get_by_role("link", name="during").click()
    tab.page.get_by_role("navigation", name="language").get_by_role("link", name="en").click()
    _frame(tab, "desktop").locator("html[lang=en] .strike").wait_for()
    tab.page.get_by_role("link", name="article").click()
    _frame(tab, "desktop").locator("html[lang=en] .strike").wait_for()


def test_the_usual_link_works_in_a_window(tab: Tab) -> None:
    """Its cookie is one of the frame's own site, which browsers do not take for a stranger's."""
    tab.page.locator(f"a[href='/view/during-{OCCUPY}-fr/']").click()
    _frame(tab, "phone").locator("a[href$='piquet=usual']").click()
    _frame(tab, "phone").get_by_role("heading", name="Issue 12").wait_for()


def test_the_index_has_no_barrier(tab: Tab) -> None:
    """The pages around the windows, light and dark, too."""
    found = tab.barriers()
    tab.page.locator(f"a[href='/view/during-{BLOCK}-fr/']").click()
    for scheme in SCHEMES:
        tab.page.emulate_media(color_scheme=scheme)
        found += tab.barriers()
    assert found == []


def test_pictures_of_everything_and_a_report_with_them(
    opened: Opener, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file for each phase, language, width and scheme, of that width; the report shows those of its languages."""
    campaign = write_campaign(tmp_path / "campaign", ("fr",))
    assert 0 == run_command(["preview", str(campaign), "--export", str(tmp_path / "png")])
    expected = {
        f"{number}-{mode}-fr-{device}-{scheme}.png"
        for number, mode in ((BAR, "banner"), (BLOCK, "block"), (OCCUPY, "occupy"), (MODAL, "banner"))
        for device in ("phone", "desktop")
        for scheme in SCHEMES
    }
    found = {file.name: file.read_bytes() for file in (tmp_path / "png").iterdir()}
    assert expected == set(found)
    assert {name: 390 if "phone" in name else 1280 for name in found} == {
        name: int.from_bytes(png[16:20]) for name, png in found.items()
    }
    assert len(set(found.values())) == len(found)
    assert sorted(capsys.readouterr().out.split()) == sorted(
        str(tmp_path / "png" / name) for name in expected
    )
    out = tmp_path / "report"
    given = ["-i", "web1,", "--workdir", str(tmp_path), "--pictures", str(tmp_path / "png")]
    assert 0 == run_command(["report", str(campaign), *given, "--out", str(out)])
    _opens_alone(opened, out.with_suffix(".html"), len(expected) // 2)


def _opens_alone(opened: Opener, file: Path, pictures: int) -> None:
    """It asks for nothing, fits every window, has no barrier, and shows its pictures."""
    tab = opened(Visit("about:blank", "fr"))
    tab.friends = "file://"
    tab.page.goto(file.as_uri())
    widths = tab.page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert len(widths) == pictures and min(widths) >= 390
    assert {} == tab.overflow()
    found = tab.barriers()
    tab.page.emulate_media(color_scheme="dark")
    assert [] == found + tab.barriers()
    assert [file.as_uri()] == tab.asked
    tab.page.screenshot(path=SHOTS / "report.png", full_page=True)


def test_pictures_stand_still(opened: Opener, tmp_path: Path) -> None:
    """A dialog is taken when it has come: in its own colour, which nothing shines through, and twice the same."""
    with serving(write_campaign(tmp_path, ("fr",), PHASES[MODAL - 1 :])) as server:
        one, two = (
            {file.name: file.read_bytes() for file in export(server, tmp_path / name)} for name in ("1", "2")
        )
    page = opened(Visit("about:blank", "fr")).page
    shown = {name: page.evaluate(_HAS_RED, base64.b64encode(png).decode()) for name, png in one.items()}
    assert dict.fromkeys(one, True) == shown
    assert one == two
