# SPDX-License-Identifier: GPL-3.0-or-later
"""One visitor's window, which keeps what the page asked for and complained about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Response

from .sites import Visit

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDTHS = (320, 390, 768, 1280, 1920)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
"""Success criteria of WCAG 2.2 up to level AA, as axe-core tags its rules."""

_STATUS_NOTE = re.compile(r"^Failed to load resource: the server responded with a status of (\d+) ")
_ICON = "/favicon.ico"
"""Asked for by the browser itself where a page names no icon, as those of the sample site; it has none."""
_AXE = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations'], iframes: false})"
_WATCH = "document.addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"


@dataclass
class Tab:
    """A page with its memory.

    Attributes:
        page: Playwright's.
        visit: where it went.
        asked: address of every request.
        problems: errors of the console and of scripts, violations of the site's policy.
        allowed: pattern of problems that the test expects.
        friends: pattern of other origins that may be asked.
    """

    page: Page
    visit: Visit
    asked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    allowed: str = ""
    friends: str = ""
    _refused: set[str] = field(default_factory=set)

    def watch(self) -> None:
        """Begin to listen."""
        self.page.add_init_script(_WATCH)
        self.page.on("request", self._asks)
        self.page.on("response", self._answered)
        self.page.on("console", self._says)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))

    def go(self, path: str = "/") -> Response:
        """Open an address of the site."""
        response = self.page.goto(self.visit.url(path))
        assert response is not None
        return response

    def faults(self) -> list[str]:
        """What must not be: a request that left the origin, a complaint that the test did not expect."""
        strangers = [url for url in self.asked if not self._is_known(_origin(url))]
        notes = [text for text in self.problems if not (self.allowed and re.search(self.allowed, text))]
        return [*(f"asked elsewhere: {url}" for url in strangers), *notes]

    def follow(self, link: Locator) -> None:
        """Click, and wait for the page that it leads to."""
        with self.page.expect_navigation():
            link.click()

    def _is_known(self, origin: str) -> bool:
        return origin == self.visit.origin or bool(self.friends and re.fullmatch(self.friends, origin))

    def barriers(self) -> list[str]:
        """What axe-core finds: rule, element, reason."""
        self.page.evaluate(_axe())
        found = self.page.evaluate(_AXE, list(RULES))
        return [_barrier(rule, node) for rule in found["violations"] for node in rule["nodes"]]

    def overflow(self) -> dict[int, int]:
        """Width of the window → width of the page, for the widths at which it has to be scrolled sideways."""
        found = {}
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 800})
            inner, scroll = self.page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
            if scroll > inner:
                found[width] = scroll
        return found

    def style(self, selector: str, name: str) -> str:
        """A computed style of the first element that matches."""
        return str(self.page.locator(selector).first.evaluate("(e, name) => getComputedStyle(e)[name]", name))

    def _asks(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.asked.append(request.url)

    def _answered(self, response: Response) -> None:
        if response.status == 503 and response.request.is_navigation_request():
            self._refused.add(response.url)

    def _says(self, message: ConsoleMessage) -> None:
        """Chromium notes on the console that a page came with a 503, which it is meant to."""
        url, note = str(message.location.get("url", "")), _STATUS_NOTE.match(message.text)
        if note and note[1] == "503" and url.endswith(".png") and not self.visit.has_pictures:
            return
        is_note = note and (
            (note[1] == "503" and url in self._refused) or (note[1] == "404" and url.endswith(_ICON))
        )
        if message.type in ("error", "warning") and not is_note:
            self.problems.append(f"{message.type}: {message.text} ({url})")


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _barrier(rule: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    return f"{rule['id']}: {node['html'][:160]}: {node['failureSummary']}"
