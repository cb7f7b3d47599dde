# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks after the window on a host whose inventory does not say."""

from __future__ import annotations

from testinfra.host import Host


def test_the_schedule_is_what_process_1_offers(host: Host) -> None:
    """systemd's timer and boot unit, also for the next boot, and none of ours has failed; elsewhere cron's one file."""
    if "plain" in host.ansible.get_variables()["group_names"]:
        assert host.file("/etc/cron.d/piquet").exists and len(host.process.filter(comm="cron")) > 0
        assert host.check_output("find /etc/systemd/system -name 'piquet*'") == ""
        return
    timer, boot = host.service("piquet-reconcile.timer"), host.service("piquet-boot.service")
    assert [timer.is_running, timer.is_enabled, boot.is_enabled] == [True] * 3
    assert host.check_output("systemctl list-units --failed --no-legend 'piquet-*'") == ""
    assert not host.file("/etc/cron.d/piquet").exists
