# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's path, as `docs/roads.md` has it: its commands are run as they stand there, on every road."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parity.road import SCHEDULERS, Road

DOCUMENT = Path(__file__).parents[2] / "docs" / "roads.md"
CHAPTERS = ("Ansible", "pyinfra", "The piquet command")
BEGINNING = ""
INSIDE = "From inside the hosts, for CI"
STEPS = ("survey", "hook", "plan", "stage", "verify", "rehearse", "arm", "status", "rollback", "remove")


def commands(chapter: str) -> list[str]:
    """The lines to type of a chapter, "" for what comes before the first."""
    text = DOCUMENT.read_text("utf-8")
    part = next(p for p in text.split("\n## ") if p.startswith(chapter or "# "))
    blocks = re.findall(r"```console\n(.*?)```", part, re.DOTALL)
    return [
        line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")
    ]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_every_step(chapter: str) -> None:
    """From survey to remove, in this order."""
    words = re.findall(r"\b(" + "|".join(STEPS) + r")\b(?=\.py| )", " ".join(commands(chapter)) + " ")
    found = list(dict.fromkeys(words))
    assert list(STEPS) == found


@pytest.mark.long
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_path_as_written(roads: tuple[Road, ...], chapter: str, tmp_path: Path) -> None:
    """Each command of the chapter ends well, one after the other, with systemd and with cron; and nothing is left."""
    mine = [road for road in roads if road.engine == ("pyinfra" if chapter == "pyinfra" else "ansible")]
    assert sorted(SCHEDULERS) == sorted(road.scheduler for road in mine)
    for road in mine:
        folder = tmp_path / road.scheduler
        folder.mkdir()
        text = road.inventory.read_text("utf-8")  # the example occupies a page, which Apache does by Lua only
        (folder / "hosts.yml").write_text(
            text.replace("  hosts:", "    piquet_apache: lua\n  hosts:", 1), "utf-8"
        )
        lines = [*commands(BEGINNING), *commands(chapter), *commands(INSIDE)]
        done = subprocess.run(
            ["bash", "-ec", "\n".join(lines)],
            cwd=folder,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            text=True,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{road.name}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
