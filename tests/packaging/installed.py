# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments in which everything but piquet is this one's, and piquet is what was installed there, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("piquet", "_editable_impl_piquet", "ansible_collections", "_virtualenv", "distutils-precedence")
"""What begins like this in the environment of the tests is ours, or runs when an environment starts."""

PROGRAMS = {
    "ansible-playbook": "ansible.cli.playbook",
    "ansible-inventory": "ansible.cli.inventory",
    "ansible-galaxy": "ansible.cli.galaxy",
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        path: of the environment.
        home: a folder outside checkout and environment, where commands run.
    """

    path: Path
    home: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Its own site-packages."""
        return next(self.path.glob("lib/python3*/site-packages"))

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, with nothing of the tests' own environment on the paths."""
        left_out = (
            "PYTHONPATH",
            "VIRTUAL_ENV",
            "ANSIBLE_COLLECTIONS_PATH",
            "PYTEST_ADDOPTS",
            "ANSIBLE_INVENTORY",
        )
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        path = f"{self.path / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {**kept, "PATH": path, "HOME": str(self.home), "LC_ALL": "C.UTF-8", **variables}
        argv = [str(self.path / "bin" / program), *arguments]
        return subprocess.run(
            argv,
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def said(self, program: str, *arguments: str, **variables: str) -> str:
        """What a program that must succeed prints."""
        done = self.run(program, *arguments, **variables)
        assert done.returncode == 0, f"{program} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def make_environment(folder: Path) -> Environment:
    """An environment with the packages that piquet needs, but without piquet.

    The packages are links to those of the tests' environment, each but ours: nothing is downloaded, and a module of
    the checkout cannot pass for an installed one.
    """
    environment = Environment(folder / "venv", folder / "home")
    environment.home.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment.path)], check=True)
    links = folder / "packages"
    links.mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(OURS):
            (links / package.name).symlink_to(package)
    (environment.packages / "packages.pth").write_text(f"{links}\n", "ascii")
    for program, module in PROGRAMS.items():
        file = environment.path / "bin" / program
        file.write_text(
            f"#!{environment.python}\nfrom {module} import main\n\nraise SystemExit(main())\n", "utf-8"
        )
        file.chmod(0o755)
    return environment


def install(environment: Environment, *what: str) -> None:
    """Install with pip, without asking any index and without dependencies."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(environment.python),
        "--disable-pip-version-check",
        "--quiet",
    ]
    options = ["--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*pip, "install", *options, *what], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
