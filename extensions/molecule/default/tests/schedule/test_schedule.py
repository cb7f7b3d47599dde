# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks after the window."""

from __future__ import annotations

from testinfra.host import Host


def test_the_timer_waits(host: Host) -> None:
    """Timer and boot unit are there, also for the next boot, and none of ours has failed."""
    timer, boot = host.service("piquet-reconcile.timer"), host.service("piquet-boot.service")
    assert [timer.is_running, timer.is_enabled, boot.is_enabled] == [True] * 3
    assert host.check_output("systemctl list-units --failed --no-legend 'piquet-*'") == ""
