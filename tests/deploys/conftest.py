# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of stand-ins, as for the roles (`tests/ansible/stand_in.py`), driven by the runner in its own process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from piquet.controller.events import Event
from tests.ansible.place import Place, new_place


@dataclass(frozen=True)
class Outcome:
    """One run: its exit status, its events, and what it said to people."""

    rc: int
    events: tuple[Event, ...]
    text: str

    def results(self, host: str = "") -> list[Mapping[str, Any]]:
        """The results of one host, or those of the controller, in their order."""
        return [event.result for event in self.events if (event.kind, event.host) == ("result", host)]

    def shown(self) -> str:
        """All that the controller shows and says."""
        parts = [(r.get("show") or "", r.get("msg") or "") for r in self.results()]
        return "\n".join(part for pair in parts for part in pair)

    def changed(self) -> dict[str, bool]:
        """Host → whether any of its steps changed something."""
        hosts = sorted({event.host for event in self.events if event.host})
        return {host: any(result.get("changed") for result in self.results(host)) for host in hosts}


def environment(place: Place) -> dict[str, str]:
    """For a process whose hosts are stand-ins."""
    return os.environ | {
        "PIQUET_STAND_IN": str(place.folder),
        "ANSIBLE_CONFIG": str(place.folder / "ansible.cfg"),
    }


def job(place: Place, **more: Any) -> str:
    """A job for the runner."""
    base = {"inventory": str(place.folder / "hosts.yml"), "limit": None, "variables": {}}
    return json.dumps(base | {"check": False, "diff": False} | more)


def run(place: Place, verb: str, **more: Any) -> Outcome:
    """Run one verb; every line of its output must be an event."""
    done = subprocess.run(
        [sys.executable, "-m", "piquet.deploys", verb],
        input=job(place, **more), env=environment(place), cwd=place.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    events = tuple(Event.from_line(line) for line in done.stdout.splitlines())
    return Outcome(done.returncode, events, done.stderr)


def pyinfra(place: Place, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run pyinfra's own command line, in the place's folder, for somebody who types this."""
    tool = Path(sys.executable).parent / "pyinfra"
    return subprocess.run(
        [tool, *arguments], env=environment(place), cwd=place.folder, capture_output=True, text=True,
        check=False, input=typed,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three hosts on which nothing has happened yet."""
    return new_place(tmp_path, tmp_path)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Folders after survey and after stage, to be copied."""
    surveyed = tmp_path_factory.mktemp("surveyed")
    done = run(new_place(surveyed, surveyed), "survey")
    assert done.rc == 0, done.text
    staged = tmp_path_factory.mktemp("staged")
    shutil.copytree(surveyed, staged, dirs_exist_ok=True)
    done = run(Place(staged, staged), "stage")
    assert done.rc == 0, done.text
    return surveyed, staged


@pytest.fixture
def surveyed(once: Sequence[Path], tmp_path: Path) -> Iterator[Place]:
    """The place with its surveys."""
    yield Place(shutil.copytree(once[0], tmp_path, dirs_exist_ok=True), tmp_path)


@pytest.fixture
def staged(once: Sequence[Path], tmp_path: Path) -> Iterator[Place]:
    """The place with every host staged."""
    yield Place(shutil.copytree(once[1], tmp_path, dirs_exist_ok=True), tmp_path)
