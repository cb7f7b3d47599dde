# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive a picket as an operator does: a campaign file, verbs by playbook or plain ssh, and a pair of eyes outside.

Used by the demo, the end-to-end tests and the bench; nothing here knows what is right.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from piquet.verify.observation import Target
from piquet.verify.outside.probe import Prober
from piquet.verify.outside.watch import Timeline, watch
from testbed import Fleet
from testbed.host import Host
from tests import plain_ssh
from tests.plain_ssh import VerbRun

_EYES = ThreadPoolExecutor(12)
ZONE = ZoneInfo("Europe/Paris")
LANGUAGES = ("fr", "en")
_PAGE = "# {title}\n\nThe staff of these sites is on strike.\n"
_FOREIGN = (
    "/etc/nginx",
    "/etc/apache2",
    "/etc/httpd",
    "/etc/systemd/system",
    "/etc/cron.d",
    "/srv",
    "/var/www",
    "/usr/local",
    "/var/lib",
)
_VOLATILE = (
    "/var/lib/systemd",
    "/var/lib/dbus",
    "/var/lib/nginx",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/private",
)
_DIGEST = """\
import hashlib, os, sys
for top in {tops!r}:
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(d for d in folders if os.path.join(folder, d) not in {volatile!r})
        for name in sorted(files + [d for d in folders if os.path.islink(os.path.join(folder, d))]):
            path = os.path.join(folder, name)
            stat = os.lstat(path)
            data = os.readlink(path).encode() if os.path.islink(path) else open(path, "rb").read()
            print(path, oct(stat.st_mode), stat.st_uid, stat.st_gid, hashlib.sha256(data).hexdigest(), sep="\\t")
"""


@dataclass(frozen=True)
class Drill:
    """One campaign on a test fleet, and the folder that holds its file.

    Attributes:
        fleet: booted, with its foreign sites planted.
        folder: of the campaign file.
        start_at: epoch seconds, UTC, whole.
        end_at: epoch seconds, UTC, whole.
    """

    fleet: Fleet
    folder: Path
    start_at: int
    end_at: int

    @property
    def campaign(self) -> Path:
        """The campaign file."""
        return self.folder / "campaign.yml"

    def verb(self, verb: str, *, only: Sequence[Host] = (), check: bool = True, **values: object) -> VerbRun:
        """Run one verb by plain ssh; `check` raises with its whole output when it fails."""
        values = {"piquet_campaign": self.campaign, **values}
        return run_verb(self.fleet, verb, only=only, check=check, **values)

    def play(
        self, verb: str, *arguments: str, check: bool = True, **values: object
    ) -> subprocess.CompletedProcess[str]:
        """Run one verb's playbook; `check` raises with its whole output when it fails."""
        return play(self.fleet, verb, *arguments, check=check, piquet_campaign=self.campaign, **values)


UNSELECTED = "unselected.corpus.example"
"""Left out by name; confirmed, since not every fleet serves it."""


def write_campaign(fleet: Fleet, folder: Path, start_in_s: float, lasts_s: int, **more: str) -> Drill:
    """Write a campaign that starts so many seconds from now, on a whole second, and lasts so long.

    Args:
        fleet: whose sites are meant.
        folder: made if need be; the pages go there too.
        start_in_s: from now.
        lasts_s: length of the window.
        more: further top-level lines of the campaign file, by key.
    """
    start_at = int(time.time() + start_in_s) + 1
    pages = folder / "pages" / "greve"
    pages.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        (pages / f"{language}.md").write_text(_PAGE.format(title=language), encoding="utf-8")
    local = datetime.fromtimestamp(start_at, ZONE).strftime("%Y-%m-%dT%H:%M:%S")
    lines = {
        "campaign": "drill",
        "timezone": ZONE.key,
        "languages": f"[{', '.join(LANGUAGES)}]",
        "contact": "https://example.org/greve",
        "phases": f"[{{mode: block, start: {local}, duration: {lasts_s}s, page: pages/greve}}]",
        "sites": '{include: ["*"], exclude: [&], confirmed: [&]}'.replace("&", UNSELECTED),
        "open": "{paths: [/api/], bypass: true}",
        **more,
    }
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    (folder / "campaign.yml").write_text(text, encoding="utf-8")
    return Drill(fleet, folder, start_at, start_at + lasts_s)


def lead_s(one_verb_s: float) -> float:
    """How long before its start a campaign must be written, on a machine where one verb took this long.

    Plan, baseline, stage with its canary, verify and arm with its check take some six times one verb.
    """
    return 10.0 + 6.0 * one_verb_s


def in_time(armed: Callable[[int], Drill], spare_s: float = 0.0) -> Drill:
    """Arm so long before the start; on a machine that has become slow, once more with more patience.

    Args:
        armed: Writes, stages and arms a campaign, so many times as early as a machine at its usual pace needs.
        spare_s: What the test has to do between arm and the start.
    """
    for patience in (1, 2, 4, 8):
        drill = armed(patience)
        if time.time() < drill.start_at - spare_s:
            return drill
        drill.verb("rollback")
    raise AssertionError("armed too late for this test, four times")


def command(fleet: Fleet, verb: str, *arguments: str, **values: object) -> list[str]:
    """The command line of a verb's playbook, by its collection name."""
    extra = [part for key, value in values.items() for part in ("-e", f"{key}={value}")]
    tool = Path(sys.executable).parent / "ansible-playbook"
    return [os.fspath(tool), f"piquet.fleet.{verb}", "-i", os.fspath(fleet.inventory), *extra, *arguments]


def play(
    fleet: Fleet, verb: str, *arguments: str, check: bool = True, **values: object
) -> subprocess.CompletedProcess[str]:
    """Run one verb's playbook from a folder that is not the checkout.

    Raises:
        AssertionError: it failed and `check` is set; the message is its whole output.
    """
    argv = command(fleet, verb, *arguments, **values)
    done = subprocess.run(argv, cwd=fleet.folder, text=True, capture_output=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{verb} failed with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def run_verb(
    fleet: Fleet, verb: str, *, only: Sequence[Host] = (), check: bool = True, **values: object
) -> VerbRun:
    """Run one verb by plain ssh, on some hosts or all of them.

    Raises:
        AssertionError: it failed and `check` is set; the message is its whole output.
    """
    done = plain_ssh.run_verb(fleet.folder, verb, values, only=[host.name for host in only])
    if check and done.returncode:
        raise AssertionError(f"{verb} failed with {done.returncode}\n{done.stdout}")
    return done


def targets(host: Host, names: Iterable[str]) -> list[Target]:
    """The front pages of these sites on one host, over plain HTTP."""
    return [Target(host.name, host.ip, 80, False, name, name.replace("*", "any"), (1,)) for name in names]


BOOT_S = 90.0
"""So long a host may take to answer again after a power cut."""


def look(
    asked: Sequence[Target], until: float, period_s: float = 0.1, answered_since: float = 0.0
) -> Future[tuple[Timeline, ...]]:
    """Look at targets without pause until an instant (epoch seconds), beside everything else that happens.

    One that has not answered since the other instant is asked on: on a slow machine it may still be booting.
    """

    async def run() -> tuple[Timeline, ...]:
        async with Prober(timeout_s=2.0) as prober:
            return await watch(
                prober, asked, until, period_s, answered_since=answered_since, patience_s=BOOT_S
            )

    return _EYES.submit(asyncio.run, run())


def foreign_files(host: Host, tops: Sequence[str] = _FOREIGN) -> dict[str, str]:
    """Path → mode, owner and digest of every file that piquet could have touched, in these folders."""
    script = _DIGEST.format(tops=tuple(tops), volatile=_VOLATILE)
    lines = host.run("python3 -", stdin=script).stdout.splitlines()
    return {path: rest for path, _, rest in (line.partition("\t") for line in lines)}


def sleep_until(instant: float) -> None:
    """Wait for an instant, epoch seconds."""
    time.sleep(max(0.0, instant - time.time()))


def on_all(fleet: Fleet, act: Callable[[Host], object]) -> Mapping[str, object]:
    """Do something with every host, one after the other; host name → what came of it."""
    return {host.name: act(host) for host in fleet}


def sha256(content: bytes) -> str:
    """Hex digest, as `foreign_files` writes it."""
    return hashlib.sha256(content).hexdigest()
