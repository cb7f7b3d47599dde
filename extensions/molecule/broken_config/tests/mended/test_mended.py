# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner has mended the mistake, and check mode was asked what stage would do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from extensions.molecule.conftest import Step


def test_check_mode_told_of_changes(steps: list[Step]) -> None:
    """Every host would be staged now."""
    assert steps[-1].is_check and steps[-1].changed and all(steps[-1].changed.values())


def test_check_mode_made_none(files: dict[str, str], kept: Callable[[str], Path]) -> None:
    """Nothing but the owner's mistake is gone."""
    before = json.loads(kept("broken").read_text("utf-8"))
    assert {path for path in before if path.endswith("/mistake.conf")} == before.keys() - files.keys()
    assert {path: before[path] for path in files} == files
