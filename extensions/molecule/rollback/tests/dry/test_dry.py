# SPDX-License-Identifier: GPL-3.0-or-later
"""After check mode; that the strike went on is tested beside this."""

from __future__ import annotations

from extensions.molecule.conftest import Step


def test_check_mode_told_of_changes(steps: list[Step]) -> None:
    """Every host would be released."""
    assert steps[-1].is_check and steps[-1].changed and all(steps[-1].changed.values())
