# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks after the window on a host whose inventory says cron."""

from __future__ import annotations

from testinfra.host import Host


def test_cron_looks_after_every_host(host: Host) -> None:
    """One file that cron accepts (root's, nobody else's to write, no dot in its name), cron itself, and no unit."""
    file = host.file("/etc/cron.d/piquet")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)
    assert [line.split()[0] for line in file.content_string.splitlines() if " root " in line] == [
        "@reboot",
        "*",
    ]
    assert len(host.process.filter(comm="cron")) > 0
    assert host.check_output("find /etc/systemd/system -name 'piquet*'") == ""


def test_what_cron_runs_keeps_the_host_armed(host: Host) -> None:
    """Each of its lines, run as cron would, ends well and takes nothing away before the end."""
    lines = host.file("/etc/cron.d/piquet").content_string.splitlines()
    for command in [line.partition(" root ")[2] for line in lines if " root " in line]:
        host.check_output(command)
        assert host.check_output("ls /run/piquet/live/ | wc -l") == "2"
