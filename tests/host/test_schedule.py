# SPDX-License-Identifier: GPL-3.0-or-later
"""Only the timer decides whether a host can be staged; the watch beside it is a help that a machine may lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from piquet.host.system import commands, schedule
from piquet.host.system.paths import Paths


@pytest.mark.parametrize(("broken", "is_ok"), [(schedule.WATCH, True), (schedule.TIMER, False)])
def test_a_machine_without_inotify_instances_can_be_staged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str, is_ok: bool
) -> None:
    """A path unit that cannot start fails nothing and is not left failed."""
    calls: list[tuple[str, ...]] = []

    def run(command: list[str], timeout_s: float) -> commands.Result:
        calls.append(tuple(command[1:]))
        return commands.Result(command[1] != "restart" or broken not in command, "")

    monkeypatch.setattr(commands, "execute", run)
    assert schedule.Systemd(("systemctl",), Paths(str(tmp_path))).take_up().ok is is_ok
    assert ("reset-failed", schedule.WATCH) in calls
