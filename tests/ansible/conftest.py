# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as Ansible finds it, and places where nothing, the survey or staging has happened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ansible.place import Place, new_place

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("galaxy.yml", "meta", "playbooks", "plugins", "roles")


@pytest.fixture(scope="session")
def collections_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `ANSIBLE_COLLECTIONS_PATH` that holds `piquet.fleet` as links to the checkout."""
    base = tmp_path_factory.mktemp("collections")
    fleet = base / "ansible_collections" / "piquet" / "fleet"
    fleet.mkdir(parents=True)
    for part in PARTS:
        (fleet / part).symlink_to(ROOT / part)
    return base


@pytest.fixture
def place(tmp_path: Path, collections_path: Path) -> Place:
    """A place where nothing has happened yet."""
    return new_place(tmp_path, collections_path)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, collections_path: Path) -> tuple[Path, Path]:
    """Folders after survey and after stage, to be copied: each costs a run of Ansible."""
    place = new_place(tmp_path_factory.mktemp("surveyed"), collections_path)
    run = place.play("survey")
    assert run.rc == 0, run.text
    after = Place(tmp_path_factory.mktemp("staged"), collections_path)
    shutil.copytree(place.folder, after.folder, dirs_exist_ok=True)
    run = after.play("stage")
    assert run.rc == 0, run.text
    assert after.states() == ["staged"] * 3
    return place.folder, after.folder


@pytest.fixture
def surveyed(once: tuple[Path, Path], tmp_path: Path, collections_path: Path) -> Place:
    """The place with its surveys."""
    return Place(shutil.copytree(once[0], tmp_path, dirs_exist_ok=True), collections_path)


@pytest.fixture
def staged(once: tuple[Path, Path], tmp_path: Path, collections_path: Path) -> Place:
    """The place with every host staged."""
    return Place(shutil.copytree(once[1], tmp_path, dirs_exist_ok=True), collections_path)
