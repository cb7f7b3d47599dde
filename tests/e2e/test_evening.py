# SPDX-License-Identifier: GPL-3.0-or-later
"""An evening, as an operator reads it: every verb before, inside and after, with a stop, the phone line and a rollback.

The transcript is kept in `evening/`, one file a road, with instants, seconds, digests and secrets as `<…>`; it is
written anew by `--regenerate` and reviewed as a whole: does it read well aloud?
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from piquet.protocol.places import END_IT_NOW
from testbed import Fleet, reload_server
from tests import drive

SITES = ("revue-a.example.org", "revue-b.example.org", "cse.example.org")
"""Every host serves all of them; the last wants a message only."""
FILE = {"nginx": "/etc/nginx/conf.d/evening.conf", "apache": "/etc/apache2/sites-enabled/evening.conf"}
SITE = {
    "nginx": "server {{\n    listen 80;\n    server_name {name};\n    return 200 here;\n}}\n",
    "apache": "<VirtualHost *:80>\n    ServerName {name}\n    DocumentRoot /var/www/html\n</VirtualHost>\n",
}
BANNER_S, BLOCK_S = 45, 1800
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ \w{3}(?: \d{4})? \d\d:\d\d(?::\d\d)?"
_SPAN = r"(?:\d+ (?:days|h \d+ min|min \d+ s|s))"
_WHAT_VARIES: Sequence[tuple[str, str]] = (
    (_DAY, "<day time>"),
    (r"\((?:\d+ \w{3} )?\d\d:\d\d:\d\d UTC\)", "(<time> UTC)"),
    (rf"in {_SPAN}\b|\b{_SPAN} ago\b", "<in so long>"),
    (r"clock [+-]\d+\.\d+ s", "clock <s>"),
    (r"\b\d+\.\d s\b", "<s>"),
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"(?<=/rehearse/)(\d+)-[0-9a-f]{32}[-_0-9]*", r"\1-<secret>"),
    (r"\b198\.18\.\d+\.\d+\b", "<address>"),
    (r"\b\d+ (?=files? changed|answers kept)", "<n> "),
    (r"(?m)^  still waiting .*\n", ""),
)


@dataclass
class Evening:
    """One road, and what was read so far.

    Attributes:
        folder: of inventory and campaign, in which every command is given.
        argv: the command line of a verb; the text that a person types.
        told: the transcript.
    """

    fleet: Fleet
    folder: Path
    argv: Callable[[str, Sequence[str]], tuple[list[str], str]]
    told: list[str] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        """A heading of the transcript."""
        self.told.append(f"== {title} ==\n")

    def type(self, verb: str, *more: str) -> str:
        """Give one command; what it printed is kept, with its exit code."""
        argv, typed = self.argv(verb, more)
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=os.environ | {"COLUMNS": "80", "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        code = f"[exit code {done.returncode}]\n" if done.returncode else ""
        self.told.append(f"$ {typed}\n{done.stdout.rstrip()}\n{code}")
        return done.stdout

    def text(self) -> str:
        """The transcript, without what differs from run to run."""
        text = (
            "\n".join(self.told).replace(str(self.folder), "FOLDER").replace(str(self.fleet.folder), "FLEET")
        )
        for pattern, replacement in _WHAT_VARIES:
            text = re.sub(pattern, replacement, text)
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.fixture
def served() -> Iterator[Fleet]:
    """Two nginx hosts and one Apache that serve the sites, as nobody has used them before."""
    with Fleet({"nginx": 2, "apache": 1}) as fleet:
        for host in fleet:
            text = "".join(SITE[host.provider].format(name=name) for name in SITES)
            host.write_file(FILE[host.provider], text)
            if host.provider == "apache":
                host.run("a2enmod -q headers rewrite")
            reload_server(host, host.provider)
        yield fleet


def _piquet(verb: str, more: Sequence[str]) -> tuple[list[str], str]:
    arguments = [verb, *more, "-i", "hosts.yml"]
    return [os.fspath(Path(sys.executable).parent / "piquet"), *arguments], f"piquet {' '.join(arguments)}"


@pytest.fixture
def evening(served: Fleet, tmp_path: Path) -> Evening:
    """A folder with an inventory of these hosts, and nothing else yet."""
    (tmp_path / "hosts.yml").write_text(served.inventory.read_text("utf-8"), "utf-8")
    return Evening(served, tmp_path, _piquet)


def write(evening: Evening, start_in_s: float) -> float:
    """Write the campaign; when its banner begins, epoch seconds."""
    folder = evening.folder / "campaign"
    banner_at = int(time.time() + start_in_s) + 1
    starts = (banner_at, banner_at + BANNER_S)
    local = [datetime.fromtimestamp(at, drive.ZONE).strftime("%Y-%m-%dT%H:%M:%S") for at in starts]
    banner = f"mode: banner, start: {local[0]}, duration: {BANNER_S}s, style: bar, message: messages/annonce"
    block = f"mode: block, start: {local[1]}, duration: {BLOCK_S}s, page: pages/greve"
    phases, sites = f"[{{{banner}}}, {{{block}}}]", f"{{include: [{', '.join(SITES)}], consent: consent.csv}}"
    drive.write_campaign(
        evening.fleet, folder, start_in_s, BLOCK_S, campaign="greve", phases=phases, sites=sites
    )
    answers = "".join(f"{site},{'message' if site == SITES[-1] else 'in'}\n" for site in SITES)
    (folder / "consent.csv").write_text(f"site,answer\n{answers}", "utf-8")
    messages = folder / "messages/annonce"
    messages.mkdir(parents=True, exist_ok=True)
    for language in drive.LANGUAGES:
        (messages / f"{language}.md").write_text("On strike soon.\n", "utf-8")
    return banner_at


def test_an_evening_reads_well(evening: Evening, is_regenerating: bool) -> None:
    """Before, inside each phase, after a stop of one site, after the phone line on one host, after rollback."""
    banner_at = next(at for patience in (2.5, 5.0, 10.0) if (at := _armed(evening, patience)) is not None)
    evening.type("status")
    evening.chapter("The message is shown")
    drive.sleep_until(banner_at + 1.0)
    evening.type("status")
    evening.chapter("The block is shown")
    drive.sleep_until(banner_at + BANNER_S + 1.0)
    _begin_a_minute()
    evening.type("stop", SITES[0])
    evening.type("stop", "revue-c.example.org")
    ended = evening.fleet["nginx2"]
    evening.told.append(f"# on {ended.name}: {END_IT_NOW}\n")
    ended.run(END_IT_NOW)
    ended.run("piquet-host reconcile", check=False)
    evening.type("status")
    evening.chapter("Back to normal")
    evening.type("rollback")
    evening.type("status")
    evening.type("remove")
    golden = Path(__file__).parent / "evening/piquet.txt"
    if is_regenerating:
        golden.write_text(evening.text(), "utf-8")
    assert golden.read_text("utf-8") == evening.text()


def _armed(evening: Evening, patience: float) -> float | None:
    """From nothing to armed; when the banner begins. None, and nothing left, if a slow machine was too late for it."""
    evening.told.clear()
    begun = time.monotonic()
    write(evening, 3600.0)
    evening.chapter("Is everything ready?")
    evening.type("eve")
    evening.type("hook")
    banner_at = write(evening, 10.0 + patience * (time.monotonic() - begun))
    evening.type("eve", "--stage")
    evening.chapter("The point of commitment")
    said = evening.type("arm")
    if "NOT done" not in said and time.time() < banner_at - 20:
        return banner_at
    evening.type("remove")
    return None


def _begin_a_minute() -> None:
    """What is told to the minute shall be of one minute on all hosts."""
    now = time.time()
    drive.sleep_until(now if now % 60 < 40 else now - now % 60 + 60)
