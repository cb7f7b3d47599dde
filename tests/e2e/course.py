# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, and when, in the course of campaigns under load; nothing here knows what is right."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from testbed import Fleet, reload_server
from testbed.host import Host, Provider
from tests import drive
from tests.drive import Drill
from tests.e2e import slow
from tests.e2e.load import Answer, Load, Visitors

SETTLED_S = 1.0
"""What comes this long after a verb has returned still counts as its doing."""

LASTS_S = 6
LONG_S = 300
LATE_ROLLBACK = "rollback, armed too late"
UNIT = "e2e-load.service"
SLOW_NAME = "slow.e2e-load.example"
SLOW_PORT = 9100
LARGE = "/files/large.txt"
UPLOAD = bytes(range(256)) * 160

_ROOT = "/srv/sites"
_SLOW = """\
import asyncio, hashlib
async def answer(reader, writer):
    head = await reader.readuntil(b"\\r\\n\\r\\n")
    length = [l.split(b":")[1] for l in head.split(b"\\r\\n") if l.lower().startswith(b"content-length:")]
    body = await reader.readexactly(int(length[0]) if length else 0)
    await asyncio.sleep(0.06)
    text = hashlib.sha256(body).hexdigest().encode()
    writer.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(text) + text)
    await writer.drain()
    writer.close()
async def main():
    async with await asyncio.start_server(answer, "127.0.0.1", PORT) as server:
        await server.serve_forever()
asyncio.run(main())
"""
_UNIT = f"[Service]\nExecStart=/usr/bin/python3 {_ROOT}/e2e-load.py\n"
_OWN: dict[Provider, dict[str, str]] = {
    "nginx": {
        "/etc/nginx/modules-enabled/99-e2e-load.conf": "error_log /var/log/nginx/e2e-load.log notice;\n",
        "/etc/nginx/conf.d/e2e-load.conf": (
            f"server {{ listen 80; server_name {SLOW_NAME};"
            f" location / {{ proxy_pass http://127.0.0.1:{SLOW_PORT}; }} }}\n"
        ),
    },
    "apache": {
        "/etc/apache2/sites-enabled/e2e-load.conf": (
            f"<VirtualHost *:80>\nServerName {SLOW_NAME}\n"
            f"ProxyPass / http://127.0.0.1:{SLOW_PORT}/\n</VirtualHost>\n"
        ),
    },
}
_RELOADS: dict[Provider, str] = {
    "nginx": "grep -c 'SIGHUP.*reconfiguring' /var/log/nginx/e2e-load.log",
    "apache": "grep -c AH00493 /var/log/apache2/error.log",
}


def plant(host: Host) -> None:
    """A slow application, a large file, and on nginx a log that counts reloads: all an owner's."""
    files = _OWN[host.provider]
    more = {
        f"{_ROOT}/e2e-load.py": _SLOW.replace("PORT", str(SLOW_PORT)),
        f"/etc/systemd/system/{UNIT}": _UNIT,
    }
    host.write_files({**files, **more})
    host.run(
        f"seq 4000000 | head -c 24000000 >{_ROOT}/static{LARGE}; systemctl daemon-reload; systemctl start {UNIT}"
    )
    reload_server(host, host.provider)


def uproot(host: Host) -> None:
    """Take away what `plant` brought."""
    files = (
        *_OWN[host.provider],
        f"{_ROOT}/e2e-load.py",
        f"{_ROOT}/static{LARGE}",
        f"/etc/systemd/system/{UNIT}",
    )
    host.run(f"systemctl stop {UNIT}; rm -f {' '.join(files)}; systemctl daemon-reload")
    reload_server(host, host.provider)


@dataclass(frozen=True)
class Moment:
    """From the end of the moment before until the act had returned and settled.

    Attributes:
        name: of the verb or event.
        begin: epoch seconds, UTC, as the others.
        acted_at: when the act began.
        returned_at: when it had returned.
        reloads: host → how many its server made.
    """

    name: str
    begin: float
    acted_at: float
    returned_at: float
    reloads: dict[str, int]

    @property
    def until(self) -> float:
        """When the moment was over."""
        return self.returned_at + SETTLED_S


@dataclass(frozen=True)
class Window:
    """When one campaign was really on strike, epoch seconds, UTC.

    Attributes:
        start_at: the first strike page.
        end_at: as the campaign says.
        usual_from: the first usual pages, where a rollback had begun or at the end.
        until: the last strike pages, where a rollback had returned or at the end.
    """

    start_at: float
    end_at: float
    usual_from: float
    until: float

    @property
    def is_rolled_back(self) -> bool:
        """Whether it came to its end before its time."""
        return self.until != self.end_at


@dataclass
class Course:
    """Campaigns that go on under one load.

    Attributes:
        fleet: with its foreign sites.
        folder: for campaign files.
        load: under way.
        static: host → its visitors of the static site.
    """

    fleet: Fleet
    folder: Path
    load: Load
    static: dict[str, Visitors]
    moments: list[Moment] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    downloads: dict[tuple[str, str], Future[slow.Outcome]] = field(default_factory=dict)
    uploads: dict[str, Future[slow.Outcome]] = field(default_factory=dict)
    pauses: dict[tuple[str, str], Future[tuple[slow.Outcome, slow.Outcome]]] = field(default_factory=dict)
    lead_s: float = 20.0

    def round(self, is_first: bool, has_unhook: bool) -> None:
        """A plain reload, then one campaign that ends and one that is rolled back, from hook to remove."""
        self.during("survey", lambda: drive.run_verb(self.fleet, "survey"))
        self.during("plain reload", self._reload)
        hurry = self._download("reloads", time.time()) if is_first else asyncio.Event()
        hook = self.during("hook", lambda: drive.run_verb(self.fleet, "hook"))
        if is_first:
            self.lead_s = 8.0 + 5.0 * (hook.returned_at - hook.acted_at)
        self._picket_that_ends(is_first, hurry)
        self._picket_that_is_rolled_back()
        if has_unhook:
            self.during("unhook", lambda: drive.run_verb(self.fleet, "unhook"))
        self.during("remove", lambda: drive.run_verb(self.fleet, "remove"))

    def during(self, name: str, act: Callable[[], object]) -> Moment:
        """Do something, let it settle, and note which reloads it took."""
        before, acted_at = self._reloads(), time.time()
        act()
        returned_at = time.time()
        drive.sleep_until(returned_at + SETTLED_S)
        after = self._reloads()
        since = self.moments[-1].until if self.moments else acted_at
        made = {host: after[host] - before[host] for host in after}
        self.moments.append(Moment(name, since, acted_at, returned_at, made))
        return self.moments[-1]

    def in_moment(self, moment: Moment) -> Sequence[Answer]:
        """Answers that were done in a moment; they were noted in this order."""
        begin, until = (
            bisect.bisect_left(self.load.answers, at, key=lambda answer: answer.done_at)
            for at in (moment.begin, moment.until)
        )
        return self.load.answers[begin:until]

    def _reloads(self) -> dict[str, int]:
        command = {host.name: _RELOADS[host.provider] for host in self.fleet}
        return {h.name: int(h.run(command[h.name], check=False).stdout or 0) for h in self.fleet}

    def _reload(self) -> None:
        with ThreadPoolExecutor(len(self.fleet.hosts)) as pool:
            list(pool.map(lambda host: reload_server(host, host.provider), self.fleet))

    def _armed(self, lasts_s: int, after_stage: Callable[[], object] = lambda: None) -> Drill:
        """Stage and arm, early enough before the start; on a machine that has become slow, one that starts later."""
        for patience in (1, 2, 4, 8):
            begin = time.monotonic()
            drill = drive.write_campaign(self.fleet, self.folder, self.lead_s * patience, lasts_s)
            self.during("stage", partial(drill.verb, "stage", piquet_baseline=False))
            after_stage()
            if time.time() > drill.start_at - 3.0:
                continue  # nothing is armed yet, the next stage replaces this one
            is_armed = self._try_to_arm(drill)
            if is_armed and time.time() < drill.start_at - 3.0:
                self.lead_s = 1.3 * (time.monotonic() - begin) + 5.0
                return drill
            if is_armed:
                self._roll_back(drill, usual_from=drill.start_at, name=LATE_ROLLBACK)
        raise AssertionError("armed too late for this test, four times")

    def _try_to_arm(self, drill: Drill) -> bool:
        """Arm; false if it was refused because the window was over by then."""
        done: list[drive.VerbRun] = []
        self.during("arm", lambda: done.append(drill.verb("arm", check=False)))
        assert not done[0].returncode or time.time() > drill.end_at, done[0].stdout + done[0].stderr
        return not done[0].returncode

    def _picket_that_ends(self, is_first: bool, hurry: asyncio.Event) -> None:
        drill = self._armed(LASTS_S, lambda: self.load.loop.call_soon_threadsafe(hurry.set))
        start_at, end_at = drill.start_at, drill.end_at
        self.windows.append(Window(start_at, end_at, end_at, end_at))
        if is_first:
            hurry = self._send_slow_visitors(start_at, end_at)
        self.during("start", lambda: drive.sleep_until(start_at + 2.0))
        drive.sleep_until(end_at - 1.0)
        self.during("end", lambda: drive.sleep_until(end_at + 2.0))
        self.load.loop.call_soon_threadsafe(hurry.set)

    def _picket_that_is_rolled_back(self) -> None:
        drill = self._armed(LONG_S)
        self.during("start", lambda: drive.sleep_until(drill.start_at + 1.5))
        self._roll_back(drill)

    def _roll_back(self, drill: Drill, usual_from: float | None = None, name: str = "rollback") -> None:
        moment = self.during(name, lambda: drive.run_verb(self.fleet, "rollback"))
        usual_from = usual_from or moment.acted_at
        self.windows.append(Window(drill.start_at, drill.end_at, usual_from, moment.returned_at))

    def _download(self, label: str, begin_at: float) -> asyncio.Event:
        """The large file on every host, slowly until the event is set."""
        hurry = asyncio.Event()
        for name, visitors in self.static.items():
            task = slow.download(visitors, LARGE, begin_at, hurry)
            self.downloads[name, label] = self.load.run(task)
        return hurry

    def _send_slow_visitors(self, start_at: float, end_at: float) -> asyncio.Event:
        """Across the start, the end, or both."""
        for name, static in self.static.items():
            slow_site = Visitors(name, static.address, SLOW_NAME)
            upload = slow.upload(slow_site, "/", UPLOAD, start_at - 2.0, start_at + 2.0)
            self.uploads[name] = self.load.run(upload)
            for label, first, at in (("start", "/", start_at), ("end", "/robots.txt", end_at)):
                pause = slow.pause(static, first, at - 2.5, at + 0.3)
                self.pauses[name, label] = self.load.run(pause)
        return self._download("window", start_at - 2.5)
