# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearse on booted hosts, and look at them as the holder of a link does, and as everybody else."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from piquet.answers import REHEARSAL_COOKIE
from testbed.host import Host
from tests.drive import Drill

FOLDER = "/run/piquet/rehearse"
TIMER_S = 75.0
"""A full minute and what a slow machine adds to it."""


class Seen(NamedTuple):
    """What somebody got: status, value of our header, where to, and the body."""

    status: int
    mark: str | None
    location: str | None
    cookie: str | None
    body: bytes


def rehearse(drill: Drill, *arguments: str) -> dict[str, Mapping[str, Any]]:
    """`piquet rehearse`; inventory name → what was told of that host."""
    program = os.fspath(Path(sys.executable).parent / "piquet")
    argv = [program, "rehearse", "-i", os.fspath(drill.fleet.inventory), "--json", *arguments]
    done = subprocess.run(argv, cwd=drill.folder, text=True, capture_output=True, check=False)
    document = json.loads(done.stdout)
    assert document["exit_code"] == 0, f"{done.stdout}\n{done.stderr}"
    return dict(document["hosts"])


def ask(host: Host, site: str, path: str = "/", word: str = "") -> Seen:
    """One request, with the cookie of a rehearsal or without."""
    connection = http.client.HTTPConnection(host.ip, 80, timeout=20)
    headers = {"Host": site, "Connection": "close", "User-Agent": "a test"} | (
        {"Cookie": f"{REHEARSAL_COOKIE}={word}"} if word else {}
    )
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        mark, location, cookie = (answer.getheader(name) for name in ("X-Piquet", "Location", "Set-Cookie"))
        return Seen(answer.status, mark, location, cookie, answer.read())
    finally:
        connection.close()


def opened(host: Host, site: str, link: str) -> str:
    """Open a link as a browser does; the value of the cookie that comes with it."""
    seen = ask(host, site, link)
    assert (seen.status, seen.mark is not None) == (303, True), seen
    name, _, value = (seen.cookie or "").partition(";")[0].partition("=")
    assert name == REHEARSAL_COOKIE and link.endswith(f"/{value}")
    return value


def passes(host: Host) -> list[str]:
    """Names that root finds."""
    return host.run(f"ls {FOLDER} 2>/dev/null; true").stdout.split()


def wait_until(is_so: Callable[[], bool], timeout_s: float = TIMER_S) -> bool:
    """Whether it became so in time."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def grow_old(host: Host) -> None:
    """Half an hour passes for whatever is rehearsed there."""
    host.run(f"touch -d '31 minutes ago' {FOLDER}/*")
