# SPDX-License-Identifier: GPL-3.0-or-later
"""One browser for all tests, a fresh visitor for each; one who was sent elsewhere or saw an error fails the test."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from piquet.preview.chromium import find
from tests.preview.campaigns import write_campaign

from .sites import DOMAIN_RULES, EVERY_RUN, SHOWN, Site, Town, Visit
from .tab import Tab

Opener = Callable[..., Tab]
SHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET. Source: unshare(2)."""

_PATIENCE_MS = 10_000
_FLAGS = (
    # The sites' certificates are made for the test. Playwright's own switch reaches a window that a link opens only
    # after its first requests, and leaves the browser's cache unused, which one test looks into.
    "--ignore-certificate-errors",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # a frame of a made-up site elsewhere shows one of this machine
    f"--host-resolver-rules={DOMAIN_RULES}",
)


@pytest.fixture(scope="package", autouse=True)
def own_network() -> Iterator[None]:
    """A network with nothing in it but this machine itself, for browser and servers.

    Chromium drops what is under way when any interface comes or goes, as those of test hosts do beside this; and what
    is asked elsewhere cannot arrive. Needs root, as the servers' chroots do.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        _checked(libc.unshare(_NEW_NETWORK))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
        _checked(libc.setns(before.fileno(), _NEW_NETWORK))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@pytest.fixture(scope="package")
def browser(own_network: None) -> Iterator[Browser]:
    """Chromium with a profile of its own; gone with this folder's last test, since it keeps an event loop running."""
    with sync_playwright() as playwright:
        flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        chromium = playwright.chromium.launch(executable_path=find(), args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def town(own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Every site with the one campaign of all modes."""
    campaign = write_campaign(tmp_path_factory.mktemp("campaign"))
    town = Town(campaign, tmp_path_factory.mktemp("sites"))
    yield town
    town.close()


@pytest.fixture
def site(town: Town, request: pytest.FixtureRequest) -> Site:
    """The site that `on` chose."""
    return town[request.param]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opener]:
    """Open a visitor's window; what it complained about is looked at when the test is over."""
    tabs: list[Tab] = []

    def open_tab(visit: Visit, *, width: int = 1280, height: int = 800, **options: Any) -> Tab:
        context = browser.new_context(
            locale=visit.language,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",  # what is looked at half-way through an animation is nobody's view
            **options,
        )
        context.set_default_timeout(_PATIENCE_MS)
        tab = Tab(context.new_page(), visit)
        tab.watch()
        tabs.append(tab)
        return tab

    yield open_tab
    faults = [fault for tab in tabs for fault in tab.faults()]
    for tab in tabs:
        tab.page.context.close()
    assert faults == []


def on(*numbers: int, is_real: bool = False) -> pytest.MarkDecorator:
    """Run a test for each phase on each site that can show it, most of them in the full matrix: `site` and `number`.

    Args:
        numbers: of the phases.
        is_real: only on web servers, not in the preview.
    """
    sites = {name: shown for name, shown in SHOWN.items() if not is_real or name != "preview"}
    pairs = [(name, number) for name, shown in sites.items() for number in numbers if number in shown]
    rows = [
        pytest.param(name, number, marks=[] if number in EVERY_RUN.get(name, ()) else [pytest.mark.long])
        for name, number in pairs
    ]
    return pytest.mark.parametrize(("site", "number"), rows, indirect=["site"])
