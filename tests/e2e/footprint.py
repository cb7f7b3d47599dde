# SPDX-License-Identifier: GPL-3.0-or-later
"""What verbs leave on hosts, file by file, to show that one changed nothing."""

from __future__ import annotations

from testbed import Fleet

FOOTPRINT = (
    "find /etc /var/lib/piquet /var/spool/piquet /run/piquet /usr/local/sbin -not -path '/etc/ssl/*' "
    "-not -path /var/spool/piquet/seen "  # which the timer touches at every look
    "-printf '%p %y %m %u %s %T@ %l\\n' 2>/dev/null | sort"
)


def footprint(fleet: Fleet) -> dict[str, str]:
    """Host → every file that a verb could touch, with its times."""
    return {host.name: host.run(FOOTPRINT, check=False).stdout for host in fleet}
