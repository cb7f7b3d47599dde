# SPDX-License-Identifier: GPL-3.0-or-later
"""Web applications with the configurations that Debian's packages ship: nobody notices us but inside the window.

One nginx and one Apache host carry them all. Every application is asked the same before anything of ours is there, and
staged, armed, inside the window, rolled back and removed. What an application changes by itself is found by asking it
three times at the start (`likeness`): once to warm it up, twice to see what differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from piquet.campaign.load import bypass_secret, load_campaign
from piquet.campaign.model import Phase
from piquet.testbed import Fleet
from piquet.testbed.host import Host
from piquet.testbed.packaged import PACKAGED
from tests import drive, figures
from tests.drive import Drill
from tests.packaged.applications import APPLICATIONS, DOORS, QUIET, Application
from tests.packaged.asking import WWW, Judge, Question, Reading, ask, questions
from tests.packaged.likeness import Likeness, likeness
from tests.packaged.owner import furnish

STATES = ("staged", "armed", "active", "rolled_back", "removed")
LASTS_S = 900
_FOREIGN = ("/etc", "/srv", "/usr/local", "/usr/share/doc", "/usr/share/piquet", "/var/www", "/var/spool/cron")
Result = TypeVar("Result")


@dataclass
class Record:
    """What came in each state.

    Attributes:
        judge: knows what is right.
        readings: state → question → answer.
        phase: of the campaign.
        foreign: host name → its files before and after.
        versions: host name → package → version.
        verify: what verify printed inside the window.
    """

    judge: Judge
    phase: Phase
    readings: dict[str, Reading] = field(default_factory=dict)
    foreign: dict[str, tuple[dict[str, str], dict[str, str]]] = field(default_factory=dict)
    versions: Mapping[str, dict[str, str]] = field(default_factory=dict)
    verify: str = ""

    def wrong(self, state: str, application: Application) -> list[str]:
        """What is wrong with an application's answers in a state."""
        reading = {q: got for q, got in self.readings[state].items() if q.application == application}
        return self.judge.wrong(reading, self.phase if state == "active" else None)


@pytest.fixture(scope="module")
def packaged() -> Iterator[Fleet]:
    """A fleet of its own: hosts of the packaged image, with their owner's vhosts."""
    with Fleet({"nginx": 1, "apache": 1}, recipe=PACKAGED) as fleet:
        for host in fleet:
            furnish(host)
        yield fleet


@pytest.fixture(scope="module")
def record(
    packaged: Fleet, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Record:
    """One whole campaign over all applications; every state is asked once."""
    is_long = request.config.getoption("--long")
    story = Story(packaged, tmp_path_factory.mktemp("packaged"), bool(is_long))
    story.play()
    return story.record


class Story:
    """Drive one campaign and ask in every state."""

    def __init__(self, fleet: Fleet, folder: Path, is_long: bool) -> None:
        """Get ready: a first campaign file, so that the secret of the bypass is known."""
        self.fleet = fleet
        self.folder = folder
        self.is_long = is_long
        self.secret = bypass_secret(folder / "campaign.yml")
        self.asked = {
            host.name: questions((a for a in APPLICATIONS if a.provider == host.provider), self.secret, is_long)
            for host in fleet
        }

    def play(self) -> None:
        """From nothing of ours to nothing of ours."""
        usual = self.unhooked()
        before = self.on_all(self.files)
        began_at = time.monotonic()
        drive.play(self.fleet, "survey")
        verb_s = time.monotonic() - began_at
        drive.play(self.fleet, "hook")
        drill = self.campaign(drive.lead_s(verb_s) + 3 * self.pass_s)
        drill.play("stage", piquet_baseline=self.is_long)
        readings = {"staged": self.read()}
        drill.play("arm")
        readings["armed"] = self.read()
        assert time.time() < drill.start_at, "asked too late: this machine was slower than it promised"
        drive.sleep_until(drill.start_at + 0.1)
        readings["active"] = self.read()
        bodies = self.bodies()
        verify = drill.play("verify").stdout if self.is_long else ""
        drill.play("rollback")
        readings["rolled_back"] = self.read()
        drill.play("remove")
        readings["removed"] = self.read()
        after = self.on_all(self.files)
        campaign = load_campaign(drill.campaign).campaign
        self.record = Record(
            Judge(campaign, self.secret, usual, bodies),
            campaign.phases[0],
            readings,
            {name: (before[name], after[name]) for name in before},
            self.on_all(self.versions),
            verify,
        )

    def unhooked(self) -> dict[Question, Likeness]:
        """What every answer is like before anything of ours is there."""
        self.read()
        began_at = time.monotonic()
        first = self.read()
        self.pass_s = time.monotonic() - began_at
        second = self.read()
        found = {}
        for question, answer in first.items():
            again = second[question]
            assert answer and again, f"{question}: no answer"
            try:
                found[question] = likeness(answer, again)
            except ValueError as err:
                raise AssertionError(f"{question}: {err}") from err
        return found

    def read(self) -> Reading:
        """Ask everything, all hosts at once."""
        print("T", time.time(), sum(map(len,self.asked.values())), flush=True)
        parts = self.on_all(lambda host: ask(host, self.asked[host.name]))
        return {question: answer for part in parts.values() for question, answer in part.items()}

    def campaign(self, start_in_s: float) -> Drill:
        """Every name but the quiet ones; `localhost` is not among `*` and must be named."""
        return drive.write_campaign(
            self.fleet,
            self.folder,
            start_in_s,
            LASTS_S,
            sites=f'{{include: ["*", localhost], exclude: ["{QUIET}", "*.{QUIET}"]}}',
            open=f"{{paths: [{', '.join(DOORS)}], bypass: true}}",
        )

    def bodies(self) -> dict[str, bytes]:
        """Our pages and files, the same on every host; path below `WWW` → bytes."""
        found = [self.packed(host) for host in self.fleet]
        assert found[0] == found[-1]
        return found[0]

    @staticmethod
    def packed(host: Host) -> dict[str, bytes]:
        """Our pages and files on one host."""
        listing = host.run(f"cd {WWW} && find . -type f").stdout.split()
        return {path.removeprefix("./"): host.read_file(WWW + path) for path in listing}

    @staticmethod
    def files(host: Host) -> dict[str, str]:
        """What must be the same before and after."""
        return drive.foreign_files(host, _FOREIGN)

    @staticmethod
    def versions(host: Host) -> dict[str, str]:
        """Package → version."""
        said = host.run("dpkg-query --show").stdout
        return dict(line.split("\t") for line in said.splitlines())

    def on_all(self, act: Callable[[Host], Result]) -> dict[str, Result]:
        """The same on all hosts at once; host name → what came of it."""
        with ThreadPoolExecutor(len(self.fleet.hosts)) as pool:
            return dict(zip([h.name for h in self.fleet], pool.map(act, self.fleet), strict=True))


def _masked(record: Record, asked: list[Question]) -> str:
    """How much of these answers may vary, in words."""
    usual = [record.judge.usual[question] for question in asked]
    varying, size = sum(u.body.varying for u in usual), sum(u.body.size for u in usual)
    whole = sum(u.body.varying * 2 > u.body.size for u in usual)
    headers = sum(u.masked_headers for u in usual)
    return f"masked: {varying} of {size} bytes, {headers} headers, more than half of {whole} bodies"


@pytest.mark.parametrize("application", APPLICATIONS, ids=str)
def test_a_packaged_application_is_as_usual_but_inside_the_window(
    record: Record, application: Application
) -> None:
    """Staged, armed, rolled back and removed it answers as before; inside the window selected names show the strike.

    Names that are not selected, and the doors, answer as before in every state.
    """
    wrong = {state: record.wrong(state, application) for state in STATES}
    asked = [question for question in record.judge.usual if question.application == application]
    version = next(v[application.package] for h, v in record.versions.items() if h.startswith(application.provider))
    counts = {f"wrong_{state}": len(lines) for state, lines in wrong.items()}
    figures.note(
        "packaged",
        server=application.provider,
        package=application.package,
        version=version,
        requests=len(asked),
        **counts,
    )
    print(f"{application} {version}:", *(f"{s} {len(asked) - n}/{len(asked)}" for s, n in zip(STATES, counts.values(), strict=True)))
    print(_masked(record, asked))
    assert not any(wrong.values()), "\n".join(f"{state}: {line}" for state, lines in wrong.items() for line in lines)


def test_foreign_files_are_what_they_were(record: Record) -> None:
    """The packages' files, linked or included from elsewhere, are byte for byte what they were; no file is left."""
    for host, (before, after) in record.foreign.items():
        print(f"{host}: {len(before)} foreign files compared")
        assert before == after
        assert "/etc/apache2/apache2.conf" in before
