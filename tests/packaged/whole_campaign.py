# SPDX-License-Identifier: GPL-3.0-or-later
"""One campaign over all packaged applications, and what they answered in each of its states."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from piquet.campaign.model import Phase
from piquet.controller.survey import survey_findings
from piquet.load import bypass_secret, load_campaign
from testbed import Fleet
from testbed.host import Host
from tests import drive
from tests.corpus.client import Response
from tests.drive import Drill

from .applications import APPLICATIONS, DOORS, QUIET, Application
from .asking import WWW, Judge, Question, Reading, ask, bodies, questions
from .likeness import Likeness, likeness

STATES = ("staged", "armed", "active", "rolled_back", "removed")
LASTS_S = 900
_FOREIGN = ("/etc", "/srv", "/usr/local", "/usr/share/doc", "/var/spool/cron", "/var/www")
_APART_S = 2.0
_PATIENCE = (1, 2, 4)
"""How many times the usual lead a start is put off, where a try was too slow to ask everything before it."""

Result = TypeVar("Result")


@dataclass
class Record:
    """What came in each state.

    Attributes:
        judge: knows what is right.
        phase: of the campaign.
        readings: state → question → answer.
        foreign: host name → its files before and after.
        versions: host name → package → version.
        findings: host name → codes of what the survey found.
        verified: what `verify` printed inside the window and after removal; nothing in an ordinary run.
    """

    judge: Judge
    phase: Phase
    readings: dict[str, Reading]
    foreign: dict[str, tuple[dict[str, str], dict[str, str]]]
    versions: dict[str, dict[str, str]]
    findings: dict[str, list[str]]
    verified: list[str] = field(default_factory=list)

    def asked(self, application: Application) -> list[Question]:
        """The questions to one application."""
        return [question for question in self.judge.usual if question.application == application]

    def wrong(self, state: str, application: Application) -> list[str]:
        """What is wrong with an application's answers in a state."""
        reading = {q: got for q, got in self.readings[state].items() if q.application == application}
        return self.judge.wrong(reading, self.phase if state == "active" else None)

    def version(self, application: Application) -> str:
        """Of the package that ships the configuration."""
        (host,) = (name for name in self.versions if name.startswith(application.provider))
        return self.versions[host][application.package]


class WholeCampaign:
    """Drive one campaign and ask in every state."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        """Get ready.

        Args:
            fleet: of the packaged image, furnished.
            folder: for the campaign file.
        """
        self.fleet = fleet
        self.folder = folder
        self.pass_s = 0.0
        self.secret = bypass_secret(folder / "campaign.yml")
        self.asked = {
            host.name: questions((a for a in APPLICATIONS if a.provider == host.provider), self.secret)
            for host in fleet
        }

    def play(self) -> Record:
        """From nothing of ours to nothing of ours."""
        usual, before = self._unhooked()
        began_at = time.monotonic()
        drive.run_verb(self.fleet, "hook")
        drill, readings = self._armed(time.monotonic() - began_at)
        drive.sleep_until(drill.start_at + 0.1)
        readings["active"] = {**self._read(), **self._on_deaf()}
        pages = _pages(self.fleet)
        verified = [drill.verb("verify").stdout]
        drill.verb("rollback")
        readings["rolled_back"] = self._read()
        drill.verb("remove")
        readings["removed"] = self._read()
        verified.append(drill.verb("verify", piquet_verify_moment="after").stdout)
        after = self._on_all(self._files)
        campaign = load_campaign(drill.campaign).campaign
        judge = Judge(campaign, self.secret, usual, pages)
        foreign = {name: (before[name], after[name]) for name in before}
        versions = self._on_all(_versions)
        return Record(judge, campaign.phases[0], readings, foreign, versions, self._findings(), verified)

    def _unhooked(self) -> tuple[dict[Question, Likeness], dict[str, dict[str, str]]]:
        """What every answer is like, and every file, before anything of ours is there.

        Asked once to warm the applications up and twice to see what differs; seconds lie between, so that every clock
        shows, and the survey, which changes nothing.
        """
        self._read()
        began_at = time.monotonic()
        first = self._read()
        self.pass_s = time.monotonic() - began_at
        files = self._on_all(self._files)
        drive.run_verb(self.fleet, "survey")
        time.sleep(max(0.0, began_at + self.pass_s + _APART_S - time.monotonic()))
        second = self._read()
        return {
            question: _likeness(question, answer, second[question]) for question, answer in first.items()
        }, files

    def _armed(self, verb_s: float) -> tuple[Drill, dict[str, Reading]]:
        """Stage and arm, asking after each, all of it before the start; tried again if it took too long."""
        for patience in _PATIENCE:
            drill = self._campaign(patience * (4.0 + 4.0 * verb_s + 2.0 * self.pass_s))
            drill.verb("stage")
            readings = {"staged": self._read()}
            drill.verb("arm")
            readings["armed"] = self._read()
            if time.time() < drill.start_at:
                return drill, readings
            drill.verb("rollback")
        raise AssertionError("this machine is too slow to ask everything before the start")

    def _campaign(self, start_in_s: float) -> Drill:
        """Every name but the quiet ones, not all of which are there; `localhost` is not among `*` and must be named."""
        quiet = f'["{QUIET}", "*.{QUIET}"]'
        return drive.write_campaign(
            self.fleet,
            self.folder,
            start_in_s,
            LASTS_S,
            sites=f'{{include: ["*", localhost], exclude: {quiet}, confirmed: {quiet}}}',
            open=f"{{paths: [{', '.join(DOORS)}], bypass: true}}",
        )

    def _read(self) -> Reading:
        """Ask everything."""
        return self._put(self.asked)

    def _put(self, asked: Mapping[str, Sequence[Question]]) -> Reading:
        """Ask all hosts at once, each its own questions; by host name."""
        parts = self._on_all(lambda host: ask(host, asked[host.name]))
        return {question: answer for reading in parts.values() for question, answer in reading.items()}

    def _on_deaf(self) -> Reading:
        """Ask with bodies what is asked without elsewhere."""
        deaf = {
            host.name: bodies(a for a in APPLICATIONS if a.is_deaf and a.provider == host.provider)
            for host in self.fleet
        }
        return self._put(deaf)

    @staticmethod
    def _files(host: Host) -> dict[str, str]:
        """What must be the same before and after; what applications keep below /var/lib is theirs to change."""
        return drive.foreign_files(host, _FOREIGN)

    def _findings(self) -> dict[str, list[str]]:
        surveys = self.fleet.folder / ".piquet" / "surveys"
        kept = {
            host.name: json.loads((surveys / f"{host.name}.json").read_text("utf-8")) for host in self.fleet
        }
        return {
            name: sorted({finding.code for finding in survey_findings(name, survey)})
            for name, survey in kept.items()
        }

    def _on_all(self, act: Callable[[Host], Result]) -> dict[str, Result]:
        """The same on all hosts at once; host name → what came of it."""
        with ThreadPoolExecutor(len(self.fleet.hosts)) as pool:
            return dict(zip([h.name for h in self.fleet], pool.map(act, self.fleet), strict=True))


def _likeness(question: Question, first: Response | None, second: Response | None) -> Likeness:
    assert first and second, f"{question}: no answer"
    try:
        return likeness(first, second)
    except ValueError as err:
        raise AssertionError(f"{question}: {err}") from err


def _pages(fleet: Fleet) -> dict[str, bytes]:
    """Our pages and files, which are the same on every host; path below `WWW` → bytes."""
    first, *others = [_pages_on(host) for host in fleet]
    assert all(first == other for other in others), "hosts show different pages"
    return first


def _pages_on(host: Host) -> dict[str, bytes]:
    """What the marks of an Apache are is of that host alone."""
    listing = host.run(f"cd {WWW} && pwd && find . -type f").stdout.split()
    files = [path.removeprefix("./") for path in listing[1:]]
    shown = [path for path in files if path.startswith(("page/", "front/", "asset/"))]
    return {path: host.read_file(f"{listing[0]}/{path}") for path in shown}


def _versions(host: Host) -> dict[str, str]:
    return dict(line.split("\t") for line in host.run("dpkg-query --show").stdout.splitlines())
