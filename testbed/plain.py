# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a test host without systemd: busybox as process 1, which starts the packages' own /etc/init.d scripts.

`systemctl` stays installed, as it often is on such machines: there it says that nothing was booted with systemd.
"""

from __future__ import annotations

from collections.abc import Mapping

from testbed.host import Host

INIT = "/bin/busybox"
RC = "/etc/init.d/testbed-rc"

# Source: busybox examples/inittab; sysinit is waited for, shutdown comes before everything is killed.
_INITTAB = f"""\
::sysinit:{RC} start
::shutdown:{RC} stop
"""

# The links in /etc/rc2.d and /etc/rc0.d are those that the packages made. The hardware clock is the machine's own.
_RC = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
case $1 in
start)
  busybox hostname -F /etc/hostname
  mkdir -m 1777 /run/lock
  busybox syslogd -O /var/log/messages
  ip link set lo up
  ip address add {ip}/24 dev host0
  ip link set host0 up
  state=running
  for script in /etc/rc2.d/S*; do
    "$script" start || {{ echo "$script failed"; state=degraded; }}
  done
  echo $state >/run/booted
  ;;
stop)
  for script in /etc/rc0.d/K*; do
    case $script in *hwclock*) ;; *) "$script" stop ;; esac
  done
  ;;
esac
"""


def files(host: Host) -> Mapping[str, tuple[int, str]]:
    """Path → (mode, text) of what process 1 reads and runs."""
    return {"/etc/inittab": (0o644, _INITTAB), RC: (0o755, _RC.format(ip=host.ip))}
