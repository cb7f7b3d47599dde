# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of molecule in the checkout, in a home of its own, and what it reported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "extensions" / "molecule"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ACTION = re.compile(r"^(\S+) ➜ (\w+): Executed: (.+)$", re.MULTILINE)
_NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: whatever would be downloaded fails."""


@dataclass(frozen=True)
class Run:
    """What came of one run.

    Attributes:
        status: exit status.
        text: all that it said, without colours.
        home: its HOME and, in `ansible`, its ANSIBLE_HOME.
        took_s: from start to end.
    """

    status: int
    text: str
    home: Path
    took_s: float

    @property
    def report(self) -> list[tuple[str, str, str]]:
        """Scenario, action and outcome of every line of molecule's own report, in order."""
        return _ACTION.findall(self.text.rpartition("DETAILS")[2])

    @property
    def verified(self) -> list[dict[str, int]]:
        """What every run of the verifier counted, such as {"passed": 9}."""
        lines = re.findall(r"^=+ (.*) in [0-9.]+s.* =+$", self.text, re.MULTILINE)
        return [{word: int(count) for count, word in re.findall(r"(\d+) (\w+)", line)} for line in lines]

    @property
    def fleets(self) -> list[int]:
        """Numbers of the fleets that it took down, as destroy's task names tell."""
        return [
            int(number) for number in re.findall(r"^TASK \[Take down fleet (\d+)\]", self.text, re.MULTILINE)
        ]


def molecule(home: Path, *arguments: str, **more: str) -> Run:
    """Run molecule as a contributor does; whatever fleet it leaves behind is taken down.

    Args:
        home: an empty folder.
        arguments: of the command line.
        more: further variables of its environment.
    """
    begin = time.monotonic()
    argv = [sys.executable, "-m", "molecule", *arguments]
    try:
        done = subprocess.run(
            argv, cwd=ROOT, env=_environment(home) | more, capture_output=True, text=True, check=False
        )
    finally:
        _take_down(home)
    text = _COLOUR.sub("", f"{done.stdout}\n{done.stderr}")
    return Run(done.returncode, text, home, time.monotonic() - begin)


def sequence(scenario: str) -> list[str]:
    """The actions that a scenario's own file wants, without arguments."""
    wanted = YAML(typ="safe").load(SCENARIOS / scenario / "molecule.yml")["scenario"]["test_sequence"]
    return [action.partition(" ")[0] for action in wanted]


def expected(scenarios: Sequence[str]) -> list[tuple[str, str, str]]:
    """The report of a good run: one fleet for all, made and destroyed by `default`."""
    well = "Successful"
    own = [(s, a, well) for s in scenarios for a in sequence(s) if a not in ("create", "destroy")]
    return [("default", "create", well), *own, ("default", "destroy", well)]


def _environment(home: Path) -> Mapping[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_", "PYTEST_"))}
    return kept | {
        "HOME": os.fspath(home),
        "ANSIBLE_HOME": os.fspath(home / "ansible"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MOLECULE_COMMAND_BORDERS": "false",
        "TERM": "xterm",  # without one the report has other arrows
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
    }


def _take_down(home: Path) -> None:
    """After a run that did not come to its own end."""
    for note in home.glob("ansible/tmp/*/piquet/fleet"):
        if inventory := note.read_text("utf-8").strip():
            number = Path(inventory).parent.name
            subprocess.run([sys.executable, "-m", "testbed", "down", number], check=False)
