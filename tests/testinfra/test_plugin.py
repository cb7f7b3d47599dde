# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin does nothing unless asked; and what it is asked wrongly it says in plain words."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from piquet.verify.inside import plugin
from piquet.verify.inside.moments import INSIDE_MOMENTS, STATES, InsideMoment
from tests.unit.package import ROOT as PACKAGE

BASE = Path(__file__).resolve().parents[1] / "bad" / "base"
LATE = (
    "piquet.campaign",
    "piquet.verify.observation",
    "piquet.verify.inside.session",
    "ansible",
    "pyinfra",
    "aiohttp",
    "jinja2",
)
_TEST = "def test_nothing():\n    pass\n"
_LOADED = """\
import sys

def pytest_sessionfinish():
    late = {late!r}
    print("loaded:", sorted(name for name in sys.modules if name in late), file=sys.stderr)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One pytest in a folder, warnings being errors."""
    argv = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with an inventory, its surveys and a campaign."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".piquet").mkdir()
    (tmp_path / "surveys").rename(tmp_path / ".piquet/surveys")
    return tmp_path


def suite(work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The ready suite, collected only."""
    return run(work, "--pyargs", "piquet.suite", "--collect-only", *arguments)


def test_it_is_inert(tmp_path: Path) -> None:
    """A run of somebody else's tests loads the plugin and nothing behind it, without a warning."""
    (tmp_path / "test_nothing.py").write_text(_TEST)
    (tmp_path / "conftest.py").write_text(_LOADED.format(late=LATE))
    done = run(tmp_path)
    assert (done.returncode, "loaded: []" in done.stderr) == (0, True), done.stdout + done.stderr
    assert "piquet" not in done.stdout


def test_moments_are_told_without_loading_them() -> None:
    """The plugin repeats their names, since it may not import them at its start."""
    assert plugin._MOMENTS == tuple(INSIDE_MOMENTS) == get_args(InsideMoment)
    assert STATES.keys() == INSIDE_MOMENTS.keys() - {"now"}


def test_each_site_of_each_host_is_a_test(work: Path) -> None:
    """Ids name host and site; the host's own tests carry testinfra's names."""
    done = suite(work, "--ansible-inventory=hosts.yml", "--piquet-campaign=campaign.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_site[web1-www.example.org]" in done.stdout
    assert "test_state[ansible://web1]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "needs a campaign: give --piquet-campaign=campaign.yml and --ansible-inventory=hosts.yml"),
        (("--piquet-campaign=campaign.yml",), "piquet reads the hosts and their surveys by the inventory"),
        (
            ("--piquet-campaign=none.yml", "--ansible-inventory=hosts.yml"),
            "none.yml: this file cannot be read",
        ),
        (("--piquet-campaign=campaign.yml", "--ansible-inventory=none.yml"), "there is no such file"),
        (
            ("--piquet-campaign=campaign.yml", "--ansible-inventory=hosts.yml", "--piquet-workdir=none"),
            "no survey in none of: web1",
        ),
        (
            ("--piquet-campaign=campaign.yml", "--ansible-inventory=hosts.yml", "--hosts=ssh://elsewhere"),
            "elsewhere fits no host of the inventory\n  expected: one of web1",
        ),
        (
            ("--piquet-campaign=campaign.yml", "--ansible-inventory=hosts.yml", "--piquet-moment=during"),
            "during was asked for, but the campaign is ",
        ),
        (
            ("--piquet-campaign=campaign.yml", "--ansible-inventory=hosts.yml", "--hosts=ansible://nobody"),
            "there is no host to look at",
        ),
    ],
)
def test_what_cannot_be_used_is_said(work: Path, arguments: tuple[str, ...], said: str) -> None:
    """One message with a hint, no traceback, no test passed."""
    done = suite(work, *arguments)
    text = done.stdout + done.stderr
    assert done.returncode in (2, 4), text
    assert said in text
    assert "Traceback" not in text and "site-packages" not in text


def test_fixtures_for_tests_of_ones_own(work: Path) -> None:
    """Campaign, plan and the answers of a host can be taken by any test, and are named among the fixtures."""
    (work / "test_mine.py").write_text(
        "def test_mine(piquet_campaign, piquet_plan):\n"
        "    assert piquet_campaign.name and piquet_plan.hosts[0].host == 'web1'\n"
    )
    done = run(work, "test_mine.py", "--ansible-inventory=hosts.yml", "--piquet-campaign=campaign.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    listed = run(work, "--fixtures", "test_mine.py").stdout
    assert all(name in listed for name in ("piquet_campaign", "piquet_plan", "piquet_host", "piquet_answers"))


def test_the_suite_is_part_of_the_package() -> None:
    """And every test of it says its promise."""
    for file in sorted((PACKAGE / "suite").glob("test_*.py")):
        assert file.read_text("utf-8").count('"""') >= 2 * file.read_text("utf-8").count("\ndef test_")
