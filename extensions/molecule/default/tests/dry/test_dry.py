# SPDX-License-Identifier: GPL-3.0-or-later
"""After check mode, before the first real run; that it changed nothing is tested beside this."""

from __future__ import annotations

from extensions.molecule.conftest import Step


def test_check_mode_told_of_changes(steps: list[Step]) -> None:
    """The hook would change nginx hosts; Apache needs none, and the next verb waits for a real hook."""
    assert steps[-1].is_check
    changed = {host for host, count in steps[-1].changed.items() if count}
    assert {host for host in steps[-1].changed if "nginx" in host} == changed != set()
