# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview's HTTP server: on the loopback address only, for the names that it prints and no others.

A page of somebody else in the same browser can send requests here but reads nothing: what is not addressed by one of
our names is refused, so that a foreign name which points to this machine opens nothing (DNS rebinding).
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer

from piquet.answers import SiteRequest
from piquet.errors import EngineError, PiquetError
from piquet.preview import index
from piquet.preview.rendered_campaign import load_show
from piquet.preview.sample import SampleReply
from piquet.preview.view import HOME, label_of

ADDRESS = "127.0.0.1"
_ALIASES = ("localhost", ADDRESS)
_MAX_BODY_BYTES = 1024 * 1024
_TEXT = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


class PreviewServer(ThreadingTCPServer):
    """Serves one campaign; `url` is what people open, `ended` is set when nobody serves it any more."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, path: Path, port: int = 0) -> None:
        """Read the campaign and listen.

        Args:
            path: of the campaign file.
            port: on the loopback address; 0 for a free one.

        Raises:
            CampaignError: the campaign cannot be used.
            EngineError: the port cannot be had.
        """
        self._path = path
        self.ended = threading.Event()
        self._visits = itertools.count(1)
        self._seen = _stamp(path.parent)
        self.show = load_show(path)
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as err:
            raise EngineError(
                f"port {port} cannot be used: {err.strerror}\n\nhint: leave --port out"
            ) from err

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Address of the index."""
        return f"http://{HOME}:{self.port}/"

    def reply(self, host: str, request: SiteRequest) -> SampleReply:
        """The answer to a request by the name that it was sent to."""
        name, _, port = host.partition(":")
        if (port or "80") != str(self.port):
            return _refused_reply(host)
        if name in _ALIASES:
            return SampleReply(302, {**_TEXT, "Location": self.url})
        if name == HOME:
            return self._index(request)
        view = self.show.views.get(label_of(name))
        if view is None:
            return _refused_reply(host)
        return self.show.reply(view, self._as_visitor(request))

    def _index(self, request: SiteRequest) -> SampleReply:
        """The index reads a changed campaign anew, so that its author sees what was just written."""
        try:
            if (seen := _stamp(self._path.parent)) != self._seen:
                self.show, self._seen = load_show(self._path), seen
        except PiquetError as err:
            return SampleReply(500, _TEXT, f"{err}\n".encode())
        return index.index_page(self.show, self.port, request, next(self._visits))

    def _as_visitor(self, request: SiteRequest) -> SiteRequest:
        """A frame of the index stands for a whole window, not for a frame on another site."""
        headers = dict(request.headers)
        if headers.get("referer", "").startswith(self.url):
            headers = {name: value for name, value in headers.items() if not name.startswith("sec-fetch-")}
        return SiteRequest(request.method, request.target, request.host, headers)


@contextmanager
def serving(path: Path, port: int = 0) -> Iterator[PreviewServer]:
    """A preview in a thread of its own, gone at the end."""
    with PreviewServer(path, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.ended.set()


class _Handler(BaseHTTPRequestHandler):
    """One connection; every method is answered in the same way, as a strike does."""

    server: PreviewServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def version_string(self) -> str:
        """Say no version."""
        return "piquet-preview"

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the terminal free: who looks at what is nobody's business."""

    def __getattr__(self, name: str) -> Callable[[], None]:
        """`do_GET` and every other method."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", "").lower()
        reply = self.server.reply(host, SiteRequest(self.command, self.path, host.partition(":")[0], headers))
        self._drain(headers)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _drain(self, headers: dict[str, str]) -> None:
        """Take a body off the line, so that the answer arrives; the connection ends behind it."""
        length = headers.get("content-length", "0")
        if length != "0" or "transfer-encoding" in headers:
            self.close_connection = True
            self.rfile.read(min(int(length), _MAX_BODY_BYTES) if length.isdecimal() else 0)


def _stamp(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of everything in the campaign's folder that is not hidden."""
    found = set()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            with suppress(FileNotFoundError):
                status = Path(place, name).stat()
                found.add((f"{place}/{name}", status.st_size, status.st_mtime_ns))
    return frozenset(found)


def _refused_reply(host: str) -> SampleReply:
    """Source: RFC 9110 §15.5.20."""
    return SampleReply(421, _TEXT, f"This preview is not for {host[:80]!r}.\n".encode())
