# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-galaxy collection build` and `install`: the playbooks by their names, from any folder."""

from __future__ import annotations

import tarfile
from pathlib import Path

from testbed import Fleet

from .conftest import tracked
from .installed import Environment

FOLDERS = ("meta/", "playbooks/", "plugins/", "roles/")
FILES = {"CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"}
MADE = {"FILES.json", "MANIFEST.json"}


def test_it_holds_what_belongs(collection_file: Path) -> None:
    """Roles, playbooks, plugins and what says what they are; nothing that lay about, and nothing of the package."""
    expected = {name for name in tracked() if name.startswith(FOLDERS)} | FILES | MADE
    with tarfile.open(collection_file) as archive:
        held = {entry.name for entry in archive.getmembers() if entry.isfile()}
    assert expected == held


def test_playbooks_by_name(collections_path: Path, with_wheel: Environment, fleet: Fleet) -> None:
    """The installed collection alone, with the installed package: a real host is asked for its status."""
    host = fleet.of("nginx")[0]
    alone = {"ANSIBLE_COLLECTIONS_PATH": str(collections_path), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    arguments = ("piquet.fleet.status", "-i", str(fleet.inventory), "--limit", host.name)
    said = with_wheel.said("ansible-playbook", *arguments, **alone)
    assert "unreachable=0    failed=0" in said
    assert host.name in said


def test_without_the_package(collections_path: Path, without_piquet: Environment) -> None:
    """It says which Python lacks it, and the two commands that mend this; no traceback."""
    alone = {"ANSIBLE_COLLECTIONS_PATH": str(collections_path)}
    (without_piquet.home / "hosts").write_text("web1 ansible_connection=local\n", "utf-8")
    for verb in ("survey", "rollback"):
        done = without_piquet.run(
            "ansible-playbook", f"piquet.fleet.{verb}", "-i", "hosts", "-e", "piquet_become=false", **alone
        )
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0
        assert f"piquet cannot be imported by Ansible's own Python ({without_piquet.python})" in said, said
        assert f"`{without_piquet.python} -m pip install piquet`" in said
        assert "Traceback" not in said


def test_without_the_collection(without_piquet: Environment) -> None:
    """The environment of the tests above really has none by itself."""
    done = without_piquet.run("ansible-playbook", "piquet.fleet.status", "-i", "web1,", "--list-tasks")
    assert done.returncode != 0
