# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny web server itself: a line of JSON for each thing that it knows.

Usage: tinyd.py ROOT serve|test|reload
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(sys.argv[1])
CONF = ROOT / "etc/tiny/tiny.conf"
PID = ROOT / "run/tiny.pid"


def read() -> list[dict[str, Any]]:
    """The main file and every drop-in; a line that is no JSON is an error."""
    files = [CONF, *sorted((CONF.parent / "conf.d").glob("*.conf"))]
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines if line and not line.startswith("#")]


def at(path: str) -> Path:
    """Below the root."""
    return ROOT / path.lstrip("/")


class Handler(BaseHTTPRequestHandler):
    """Answers what the lines say."""

    lines: Sequence[Mapping[str, Any]] = ()

    def do_GET(self) -> None:
        """A proof, a strike, or a site."""
        name = (self.headers["Host"] or "").partition(":")[0]
        for line in self.lines:
            below = line.get("proof", "\0")
            if self.path.startswith(below) and (at(line["folder"]) / self.path[len(below) :]).is_file():
                return self.say(204, b"", {line["header"]: line["sign"]})
            is_meant = line.get("strike") == name and line["start"] <= time.time() < line["end"]
            if is_meant and at(line["flag"]).exists():
                page = at(line["page"]).read_bytes()
                return self.say(503, page, {line["header"]: line["sign"], "Vary": "*"})
        for line in self.lines:
            if line.get("site") == name:
                return self.say(200, line["page"].encode(), {})
        return self.say(404, b"nobody\n", {})

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send an answer."""
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def take_up(*_: object) -> None:
    """Read all lines anew, and say by the pid file's time when."""
    Handler.lines = read()
    PID.write_text(f"{os.getpid()}\n")


def main() -> None:
    """Serve, test or have the running one reload."""
    if sys.argv[2] == "reload":
        os.kill(int(PID.read_text()), signal.SIGHUP)
        return
    lines = read()
    if sys.argv[2] == "test":
        return
    port = next(line["listen"] for line in lines if "listen" in line)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    signal.signal(signal.SIGHUP, take_up)
    take_up()
    server.serve_forever()


main()
