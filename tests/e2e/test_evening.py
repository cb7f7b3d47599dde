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
from piquet.resources import root
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
DEPLOYS = root() / "deploys"
Road = Callable[[str, Sequence[str]], list[str]]
"""From a verb and its options to the command line that a person types in the inventory's folder."""
_ENVIRONMENT = {
    "COLUMNS": "80",
    "ANSIBLE_NOCOLOR": "1",
    "NO_COLOR": "1",
    "ANSIBLE_STDOUT_CALLBACK": "piquet.fleet.calm",
    "ANSIBLE_FORKS": "1",
}
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ \w{3}(?: \d{4})? \d\d:\d\d(?::\d\d)?"
_SPAN = r"(?:\d+ (?:days|h \d+ min|min \d+ s|s))"
_WHAT_VARIES: Sequence[tuple[str, str]] = (
    (_DAY, "<day time>"),
    (r"\((?:\d+ \w{3} )?\d\d:\d\d:\d\d UTC\)", "(<time> UTC)"),
    (rf"in {_SPAN}\b|\b{_SPAN} ago\b", "<in so long>"),
    (r"clock [+-]\d+\.\d+ s", "clock <s>"),
    (r"\b\d+\.\d s\b", "<s>"),
    (r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d( \+0\d00)?", "<instant>"),
    (r"\b20\d\d/\d\d/\d\d \d\d:\d\d:\d\d \[emerg\] \d+#\d+:", "<instant> [emerg] <pid>:"),
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"(?<=/rehearse/)(\d+)-[0-9a-f]{32}[-_0-9]*", r"\1-<secret>"),
    (r"\b198\.18\.\d+\.\d+\b", "<address>"),
    (r"\b\d+ (?=files? changed|answers kept)", "<n> "),
    (r"\b\d+ days from now", "<n> days from now"),
    (r"a start in 20\d\d", "a start in <year>"),
    (r"baseline of \d+ answers", "baseline of <n> answers"),
    (r"(?m)^  still waiting .*\n", ""),
)


@dataclass
class Evening:
    """One road, and what was read so far.

    Attributes:
        folder: of inventory and campaign, in which every command is given.
        road: how verbs are given.
        told: the transcript.
    """

    fleet: Fleet
    folder: Path
    road: Road
    told: list[str] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        """A heading of the transcript."""
        self.told.append(f"== {title} ==\n")

    def type(self, verb: str, *options: str, inventory: str = "hosts.yml", where: str = "") -> str:
        """Give one command; what it printed is kept, with its exit code.

        Args:
            verb: which one.
            options: the site to stop, `--check` or `--stage`.
            inventory: which file.
            where: a folder below.
        """
        argv = [word.replace("hosts.yml", inventory) for word in self.road(verb, options)]
        typed = " ".join(argv)
        done = subprocess.run(
            [os.fspath(Path(sys.executable).parent / argv[0]), *argv[1:]],
            cwd=self.folder / where,
            env=os.environ | _ENVIRONMENT,
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
        text = "\n".join(self.told)
        for folder, name in ((self.folder, "FOLDER"), (self.fleet.folder, "FLEET"), (DEPLOYS, "$DEPLOYS")):
            text = text.replace(str(folder), name)
        for pattern, replacement in _WHAT_VARIES:
            text = re.sub(pattern, replacement, text)
        lines = [line.rstrip() for line in text.splitlines()]
        told = "\n".join(in_order(lines) if self.road is by_pyinfra else lines)
        return f"{told.rstrip()}\n"


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


def in_order(lines: Sequence[str]) -> Iterator[str]:
    """pyinfra's output with the hosts of each of its sections sorted: it takes them as they come.

    What is said stands first, by its first line, then a line for each host.
    """
    said: list[list[str]] = [[]]
    hosts: list[str] = []
    for line in [*lines, ""]:
        if re.match(r"    \[\w+\] ", line):
            hosts.append(line)
            said.append([])
        elif line.startswith(("-->", "$ ", "== ")) or not line:
            yield from (
                one for chunk in sorted(filter(None, said), key=lambda chunk: chunk[0]) for one in chunk
            )
            yield from sorted(hosts)
            said, hosts = [[]], []
            yield line
        else:
            said[-1].append(line)


def by_piquet(verb: str, options: Sequence[str]) -> list[str]:
    """The command."""
    return ["piquet", verb, *options, *([] if verb == "check" else ["-i", "hosts.yml"])]


def by_ansible(verb: str, options: Sequence[str]) -> list[str]:
    """Playbooks, with the callback that the README names."""
    variables = {"--check": ["--check"], "--stage": ["-e", "piquet_eve_stage=true"]}
    more = [
        part for option in options for part in variables.get(option, ["-e", f"piquet_stop_site={option}"])
    ]
    return ["ansible-playbook", f"piquet.fleet.{verb}", "-i", "hosts.yml", *more]


def by_pyinfra(verb: str, options: Sequence[str]) -> list[str]:
    """Deploys; what has no deploy is the command's."""
    if verb == "plan":
        return by_piquet(verb, options)
    more = [
        part for option in options if option != "--check" for part in ("--data", f"piquet_stop_site={option}")
    ]
    looked_at = "--dry" if "--check" in options else "-y"
    return ["pyinfra", "@ansible/hosts.yml", f"{DEPLOYS}/{verb}.py", looked_at, *more]


@pytest.fixture
def evening(served: Fleet, tmp_path: Path, request: pytest.FixtureRequest) -> Evening:
    """A folder with an inventory of these hosts, and nothing else yet."""
    (tmp_path / "hosts.yml").write_text(served.inventory.read_text("utf-8"), "utf-8")
    return Evening(served, tmp_path, request.param)


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


@pytest.mark.parametrize(
    "evening",
    [
        pytest.param(by_piquet, id="piquet"),
        pytest.param(by_ansible, id="ansible", marks=pytest.mark.long),
        pytest.param(by_pyinfra, id="pyinfra", marks=pytest.mark.long),
    ],
    indirect=True,
)
def test_an_evening_reads_well(
    evening: Evening, is_regenerating: bool, request: pytest.FixtureRequest
) -> None:
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
    _is_as_kept(evening, request.node.callspec.id, is_regenerating)


@pytest.mark.long
@pytest.mark.parametrize("evening", [by_piquet], indirect=True)
def test_tired_mistakes_say_what_to_do(evening: Evening, is_regenerating: bool) -> None:
    """What one mistypes, forgets or does twice at two in the morning: each says what to do next, and breaks nothing."""
    file, kept = evening.folder / "campaign/campaign.yml", evening.folder / "kept.yml"
    write(evening, 3600.0)
    (evening.folder / "elsewhere").mkdir()
    kept.write_text(file.read_text("utf-8"), "utf-8")
    evening.chapter("Mistakes in the campaign")
    for title, (pattern, replacement) in _MISTYPED.items():
        file.write_text(re.sub(pattern, replacement, kept.read_text("utf-8"), count=1), "utf-8")
        evening.told.append(f"# {title}\n")
        evening.type("check")
    file.write_text(kept.read_text("utf-8"), "utf-8")
    (evening.folder / "campaign/pages/greve/fr.md").rename(evening.folder / "fr.md")
    evening.told.append("# a language without its page\n")
    evening.type("check")
    (evening.folder / "fr.md").rename(evening.folder / "campaign/pages/greve/fr.md")
    evening.chapter("Mistakes on the way")
    evening.type("stage", inventory="host.yml")
    evening.told.append("# from another folder\n")
    evening.type("stage", where="elsewhere")
    evening.type("plan")
    evening.type("survey")
    evening.told.append("# the hook is forgotten, and a name in `exclude` is misspelt\n")
    file.write_text(
        kept.read_text("utf-8").replace("{include: [", "{exclude: [revue-z.example.org], include: [")
    )
    evening.type("plan")
    file.write_text(kept.read_text("utf-8"), "utf-8")
    evening.type("arm")
    evening.told.append("# somebody breaks a server\n")
    broken = evening.fleet["nginx1"]
    broken.write_file("/etc/nginx/conf.d/broken.conf", "server_nam x;\n")
    for verb in ("survey", "hook"):
        evening.type(verb)
    broken.run("rm /etc/nginx/conf.d/broken.conf && systemctl reload nginx")
    for verb in ("survey", "hook", "stage"):
        evening.type(verb)
    evening.chapter("A host is down, and everything twice")
    gone = (evening.folder / "hosts.yml").read_text("utf-8").replace(evening.fleet["nginx2"].ip, "127.0.0.9")
    (evening.folder / "gone.yml").write_text(gone, "utf-8")
    evening.type("arm", inventory="gone.yml")
    evening.type("status", inventory="gone.yml")
    for verb in ("arm", "arm", "stage", "rollback", "rollback", "remove", "remove"):
        evening.type(verb)
    _is_as_kept(evening, "mistakes", is_regenerating)


_MISTYPED = {
    "31 November": (r"start: 20\d\d-\d\d-\d\d", "start: 2026-11-31"),
    "a date that is past": (r"start: 20\d\d-\d\d-\d\d", "start: 2021-11-30"),
    "another year": (r"start: 20\d\d-", "start: 2090-"),
    "the end before the start": (r"duration: 1800s", "end: 2021-12-01T00:00"),
    "two phases at once": (r"duration: 45s", "duration: 2h"),
    "a key that is misspelt": (r"languages:", "langauges:"),
}
"""What was meant → pattern and replacement of the first place in the campaign that has it."""


def _is_as_kept(evening: Evening, name: str, is_regenerating: bool) -> None:
    golden = Path(__file__).parent / f"evening/{name}.txt"
    if is_regenerating:
        golden.write_text(evening.text(), "utf-8")
    assert golden.read_text("utf-8") == evening.text()


def _armed(evening: Evening, patience: float) -> float | None:
    """From nothing to armed; when the banner begins. None, and nothing left, if a slow machine was too late for it."""
    evening.told.clear()
    begun = time.monotonic()
    write(evening, 3600.0)
    evening.chapter("Is everything ready?")
    has_eve = evening.road is not by_pyinfra
    for verb, *options in [("eve",)] if has_eve else [("survey",), ("hook", "--check")]:
        evening.type(verb, *options)
    evening.type("hook")
    banner_at = write(evening, 10.0 + patience * (time.monotonic() - begun))
    for verb, *options in (
        [("eve", "--stage")] if has_eve else [("survey",), ("plan",), ("stage",), ("rehearse",)]
    ):
        evening.type(verb, *options)
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
