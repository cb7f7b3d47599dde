# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as Ansible finds it: folders of the checkout under `ansible_collections/piquet/fleet`."""

from __future__ import annotations

from pathlib import Path

import pytest

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
