# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault is: something that goes wrong on one host, and when its sites may be on strike then.

Nothing is put right by a fault but what an owner would put right (`undo`), before the campaign is removed.
"""

from __future__ import annotations

from testbed import Fleet
from testbed.host import Host
from tests.drive import Drill

Windows = list[tuple[float, float]]
"""`[start, end)` in epoch seconds, UTC."""

SERVICE = {"nginx": "nginx.service", "apache": "apache2.service"}

RECONCILE = "/usr/local/sbin/piquet-host reconcile"
"""One that begins from now on; what the timer has begun may be waiting for a boundary."""


class Fault:
    """Something that goes wrong on one host."""

    servers: tuple[str, ...] = ("nginx", "apache")
    says = ""
    names: tuple[str, ...] = ()
    """The only sites that are concerned; none: all."""
    verbs = 0
    """How many verbs an operator runs inside the window."""

    def prepare(self, host: Host) -> None:
        """Called before anything is staged."""

    def before(self, host: Host, drill: Drill) -> None:
        """Called between arm and the start."""

    def inside(self, host: Host, drill: Drill) -> None:
        """Called a few seconds after the start."""

    def after(self, host: Host, drill: Drill) -> None:
        """Called after the end, while the host is still looked at."""

    def undo(self, host: Host, fleet: Fleet) -> None:
        """Put right what an owner would put right, before `remove`; called also when it never came to the fault."""

    def windows(self, drill: Drill) -> Windows:
        """When the host's sites may be on strike."""
        return [(drill.start_at, drill.end_at)]

    def missed_s(self, drill: Drill) -> float:
        """How many seconds of the window may be missing."""
        return 0.5


class EndsIt(Fault):
    """What ends the strike on its host, or on the sites that it names: for good, from `at` on."""

    at = 0.0

    def windows(self, drill: Drill) -> Windows:
        """Until then."""
        return [(drill.start_at, self.at)]

    def missed_s(self, drill: Drill) -> float:
        """The rest of the window."""
        return drill.end_at - drill.start_at
