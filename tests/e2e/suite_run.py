# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the ready suite as a user does, and read the JUnit file that it leaves for CI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

Case = tuple[str, str, str]
"""Test, host, site; site "" where the test is about the host."""


@dataclass(frozen=True)
class Run:
    """What one run of the suite came to.

    Attributes:
        status: pytest's exit status.
        said: all of its output.
        cases: every test of the JUnit file → its failure message, "" if it passed.
    """

    status: int
    said: str
    cases: Mapping[Case, str]

    @property
    def failed(self) -> dict[Case, str]:
        """Those that did not pass."""
        return {case: message for case, message in self.cases.items() if message}

    def message(self, test: str, host: str, site: str = "") -> str:
        """Why a test failed, "" if it passed; the test must have run."""
        return self.cases[test, host, site]


def run_suite(folder: Path, campaign: Path, inventory: Path, *options: str) -> Run:
    """Run it in a folder with nothing of ours in it."""
    report = folder / "report.xml"
    argv = [sys.executable, "-m", "pytest", "--pyargs", "piquet.suite", f"--ansible-inventory={inventory}"]
    argv += [f"--piquet-campaign={campaign}", f"--junitxml={report}", "-W", "error", *options]
    report.unlink(missing_ok=True)
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, env=wide)
    return Run(done.returncode, done.stdout + done.stderr, read_junit(report) if report.exists() else {})


def read_junit(report: Path) -> dict[Case, str]:
    """Every test of a JUnit file by name, host and site → its failure message."""
    found: dict[Case, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        given = {one.get("name"): one.get("value", "") for one in case.iter("property")}
        name = (case.get("name") or "").partition("[")[0]
        wrong = [one.get("message") or "" for one in (*case.iter("failure"), *case.iter("error"))]
        found[name, given.get("host") or "", given.get("site") or ""] = "\n".join(wrong)
    return found
