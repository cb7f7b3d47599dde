# SPDX-License-Identifier: GPL-3.0-or-later
"""Python is installed only where it is missing, in real shells; what a host without a package manager says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from piquet.controller.answer import CommandOutcome
from piquet.deploys.install import install


class Shell:
    """A `Remote` that is this machine's shell with a search path of its own."""

    can_pipe = True
    is_text_only = True

    def __init__(self, path: str) -> None:
        self.path = path

    def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
        """Run it, as root."""
        assert as_root and data is None
        done = subprocess.run(
            ["/bin/sh", "-c", command], env={"PATH": self.path}, capture_output=True, text=True, check=False
        )
        return CommandOutcome(done.returncode, done.stdout, done.stderr)

    def put(self, data: bytes, path: str) -> None:
        """Nothing is copied for this."""
        raise AssertionError(path)


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A search path with a shell and nothing else."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    return str(tmp_path)


@pytest.mark.parametrize("check", [False, True])
def test_a_python_that_is_there_is_left_alone(check: bool) -> None:
    """Nothing runs but the question."""
    assert install(Shell(os.environ["PATH"]), "web1", check=check) == {"changed": False, "msg": "web1: ok"}


def test_check_mode_says_what_would_be_done(bare: str) -> None:
    """And does not do it."""
    assert install(Shell(bare), "web1", check=True) == {
        "changed": True, "msg": "web1: Python would be installed",
    }  # fmt: skip


def test_a_host_without_a_package_manager_is_told(bare: str) -> None:
    """With its own words."""
    result = install(Shell(bare), "web1", check=False)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == "web1: Python could not be installed\n  | there is no apt-get, dnf or apk"
