# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a host's clock, seen by its server and by the agent."""

from __future__ import annotations

import time

from testbed import Fleet
from testbed.host import Host
from tests.drive import Drill
from tests.e2e.fault import RECONCILE, SERVICE, EndsIt, Fault


class OwnClock(Fault):
    """Server and agent of this host have a clock of their own; the machine's is never set."""

    _unit = "/run/systemd/system/{service}.d/clock.conf"
    _environment = (
        "LD_PRELOAD={library} FAKETIME_NO_CACHE=1 FAKETIME_DISABLE_SHM=1 "
        "FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 FAKETIME_TIMESTAMP_FILE=/etc/clock"
    )

    def prepare(self, host: Host) -> None:
        """By libfaketime, for the server and for reconcile."""
        library = host.run("ls /usr/lib/*/faketime/libfaketimeMT.so.1").stdout.strip()
        units = (SERVICE[host.provider], "piquet-reconcile.service")
        environment = self._environment.format(library=library)
        self.reconcile = f"env {environment} {RECONCILE}"
        text = f"[Service]\nEnvironment={environment}\n"
        host.write_files({self._unit.format(service=unit): text for unit in units})
        self.set_clock(host, "+0")
        host.run(f"systemctl daemon-reload && systemctl restart {SERVICE[host.provider]}")

    def set_clock(self, host: Host, offset: str) -> None:
        """Seen at once by the running server."""
        host.run(
            f"printf '%s\\n' '{offset}' >/etc/.clock && chmod 644 /etc/.clock && mv /etc/.clock /etc/clock"
        )

    def undo(self, host: Host, fleet: Fleet) -> None:
        """The common clock again."""
        units = f"{SERVICE[host.provider]} piquet-reconcile.service"
        host.run(f"for unit in {units}; do rm -rf /run/systemd/system/$unit.d; done; rm -f /etc/clock")
        host.run(f"systemctl daemon-reload && systemctl restart {SERVICE[host.provider]}")


class ClockForward(EndsIt, OwnClock):
    """The clock jumps a day ahead inside the window, and back: over, and it stays over."""

    says = "clock a day ahead, then right again"

    def inside(self, host: Host, drill: Drill) -> None:
        """Two seconds in tomorrow, in which a reconcile runs."""
        self.set_clock(host, "+1d")
        self.at = time.time()
        host.run(self.reconcile)
        time.sleep(2)
        self.set_clock(host, "+0")
        host.run(f"{self.reconcile} && test ! -e /run/piquet/live")


class ClockBack(OwnClock):
    """The clock jumps a day back inside the window and is mended; after the end it jumps back into the window."""

    says = "clock a day back, right again, and back after the end"

    def inside(self, host: Host, drill: Drill) -> None:
        """Before its start nothing shows, and the flags stay: nobody has stopped anything."""
        self.at = time.time()
        self.set_clock(host, "-1d")
        host.run(self.reconcile)
        time.sleep(1)
        self.set_clock(host, "+0")
        self.lasted_s = time.time() - self.at
        host.run(f"{self.reconcile} && test -e /run/piquet/live")

    def after(self, host: Host, drill: Drill) -> None:
        """Once the agent has seen the end, the window is open again by this clock, but it stays closed."""
        host.run("for try in $(seq 100); do test -e /run/piquet/live || exit 0; sleep 0.1; done; exit 1")
        self.set_clock(host, f"-{round(time.time() - drill.start_at)}")
        host.run(f"{self.reconcile} && test ! -e /run/piquet/live")

    def missed_s(self, drill: Drill) -> float:
        """As long as the clock was wrong."""
        return self.lasted_s + 0.5
