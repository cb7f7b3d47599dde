# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium without a window, told what to do over a pipe: enough to open an address and take its picture.

The command line's own `--screenshot` knows neither narrow windows nor dark mode nor whole pages; this protocol
does, and needs no library. Everything that the browser would do by itself on the network is switched off.

Source: Chrome DevTools Protocol 1.3, domains Target, Page, Emulation; `--remote-debugging-pipe`.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from piquet.errors import EngineError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
_TIMEOUT_S = 60.0
_INPUT, _OUTPUT = 3, 4
_ABOVE = 10
"""Our ends of the pipes are moved above the numbers that the browser expects."""

NO_CHROMIUM = "there is no Chromium to take the pictures\n\nhint: on Debian and Ubuntu: apt install chromium"


@dataclass
class Chromium:
    """A running browser; `call` speaks its protocol."""

    to_browser: int
    from_browser: int
    _buffer: bytes = b""
    _number: int = 0
    _events: list[dict[str, Any]] = field(default_factory=list)

    def picture(self, url: str, size: tuple[int, int], scheme: str, *, is_whole: bool) -> bytes:
        """PNG of a page, as a new visitor sees it when nothing moves any more.

        Args:
            url: what to open; what an earlier picture left in the browser is not there.
            size: width and height of the window, CSS pixels.
            scheme: `light` or `dark`.
            is_whole: the whole page, not only what the window shows.

        Raises:
            EngineError: the browser ended, or said that something is wrong.
        """
        visitor = self.call("Target.createBrowserContext")["browserContextId"]
        tab = self.call("Target.createTarget", url="about:blank", browserContextId=visitor)["targetId"]
        session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        width, height = size
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", session, **shape)
        media = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # half-way no two pictures are alike
        ]
        self.call("Emulation.setEmulatedMedia", session, features=media)
        self._open(session, url)
        png = self._shot(session, width, height, is_whole)
        self.call("Target.disposeBrowserContext", browserContextId=visitor)
        return png

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call one method and wait for its result; events that come in between are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        _write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            got = self._read()
            if got.get("id") != self._number:
                self._events.append(got)
            elif "error" in got:
                raise EngineError(f"Chromium refused {method}: {got['error'].get('message')}")
            else:
                result: dict[str, Any] = got["result"]
                return result

    def _open(self, session: str, url: str) -> None:
        self.call("Page.enable", session)
        self._events.clear()
        failure = self.call("Page.navigate", session, url=url).get("errorText")
        if failure and failure != "net::ERR_HTTP_RESPONSE_CODE_FAILURE":
            raise EngineError(f"Chromium could not open {url}: {failure}")
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._read())

    def _shot(self, session: str, width: int, height: int, is_whole: bool) -> bytes:
        if is_whole:
            content = self.call("Page.getLayoutMetrics", session)["cssContentSize"]
            height = max(height, round(content["height"]))
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.call(
            "Page.captureScreenshot", session, format="png", clip=clip, captureBeyondViewport=is_whole
        )
        return base64.b64decode(shot["data"])

    def _read(self) -> dict[str, Any]:
        """The next message: JSON, ended by a zero byte."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self.from_browser], [], [], _TIMEOUT_S)
            chunk = os.read(self.from_browser, 1 << 20) if ready else b""
            if not chunk:
                raise EngineError("Chromium ended before its time" if ready else "Chromium does not answer")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


def find() -> str:
    """Path of the browser.

    Raises:
        EngineError: there is none.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise EngineError(NO_CHROMIUM)
    return found


@contextmanager
def running(program: str) -> Iterator[Chromium]:
    """A browser with a profile of its own, gone with everything it wrote at the end."""
    with tempfile.TemporaryDirectory(prefix="piquet-preview-", ignore_cleanup_errors=True) as profile:
        process, browser = _start(program, Path(profile))
        try:
            yield browser
        finally:
            os.close(browser.to_browser)
            os.close(browser.from_browser)
            _end(process)


def _start(program: str, profile: Path) -> tuple[int, Chromium]:
    its_input, to_browser = os.pipe()
    from_browser, its_output = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for end in (its_input, its_output)]
    argv = [program, *FLAGS, f"--user-data-dir={profile}"]
    argv += ["--no-sandbox"] if os.geteuid() == 0 else []  # it cannot make one for root
    nowhere = os.open(os.devnull, os.O_RDWR)
    places = ((moved[0], _INPUT), (moved[1], _OUTPUT), (nowhere, 0), (nowhere, 1), (nowhere, 2))
    actions = [(os.POSIX_SPAWN_DUP2, ours, its) for ours, its in places]
    environment = {**os.environ, "HOME": str(profile)}
    process = os.posix_spawn(program, argv, environment, file_actions=actions, setpgroup=0)
    for end in (its_input, its_output, nowhere, *moved):
        os.close(end)
    return process, Chromium(to_browser, from_browser)


def _end(process: int) -> None:
    """Its input is closed, which ends it; what does not listen is ended with all that it started."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if os.waitpid(process, os.WNOHANG)[0]:
            return
        time.sleep(0.02)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _write(end: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(end, data) :]
    except BrokenPipeError as err:
        raise EngineError("Chromium ended before its time") from err
