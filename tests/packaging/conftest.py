# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkout as it looks after weeks of use, and what is built of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .installed import ROOT, Environment, install, make_environment

LITTER = (
    ".cache/image.tar", ".venv/bin/python", ".piquet/surveys/web1.json", ".ansible/tmp/x", ".pytest_cache/x",
    "inventory.example/.piquet/surveys/web1.json", "inventory.example/campaign/bypass.key", "roles/stage/bypass.key",
    "inventory.example/campaign/pages.key",
    "molecule/default/converge.yml", "extensions/molecule/default/molecule.yml", "plugins/action/__pycache__/x.pyc",
    "dist/piquet-0.0.0.whl", "build/x", "roles/stage/.hidden", "deploys/stage.py",
)  # fmt: skip
"""What lies about in a checkout in use, and must not leave it."""


def tracked() -> list[str]:
    """Files of the checkout that belong to it, committed or about to be."""
    argv = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in set(names) if (ROOT / name).is_file())


@pytest.fixture(scope="session")
def used_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout's files, with litter."""
    folder = tmp_path_factory.mktemp("used") / "piquet"
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    for name in LITTER:
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("must not leave this machine\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def wheel(used_checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without asking any index."""
    out = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--wheel-dir", str(out)]
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", *options, str(used_checkout)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def with_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment in which piquet is the wheel."""
    environment = make_environment(tmp_path_factory.mktemp("with-wheel"))
    install(environment, str(wheel))
    return environment


@pytest.fixture(scope="session")
def without_piquet(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with Ansible, but without piquet."""
    return make_environment(tmp_path_factory.mktemp("without"))


@pytest.fixture(scope="session")
def collection_file(used_checkout: Path, without_piquet: Environment) -> Path:
    """What `ansible-galaxy collection build` makes."""
    out = without_piquet.home / "built"
    without_piquet.said(
        "ansible-galaxy", "collection", "build", str(used_checkout), "--output-path", str(out)
    )
    return next(out.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def collections_path(collection_file: Path, without_piquet: Environment) -> Path:
    """Where the built file was installed, offline."""
    path = without_piquet.home / "collections"
    without_piquet.said(
        "ansible-galaxy", "collection", "install", str(collection_file), "-p", str(path), "--offline"
    )
    return path
