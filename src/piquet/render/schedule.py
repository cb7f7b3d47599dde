# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule as systemd unit files, and the note that lies beside everything on the host."""

from __future__ import annotations

from collections.abc import Mapping

from piquet.render.environment import render
from piquet.render.view import CampaignView

_UNIT_DIR = "/etc/systemd/system"
_PURPOSES = {
    "piquet-reconcile.service": "Only ever takes flags away.",
    "piquet-reconcile.timer": "When to look.",
    "piquet-watch.path": "Notices a stop by hand.",
    "piquet-boot.service": "The first look after a boot, and the last before a shutdown.",
}
LINKS: Mapping[str, str] = {
    f"{_UNIT_DIR}/timers.target.wants/piquet-reconcile.timer": f"{_UNIT_DIR}/piquet-reconcile.timer",
    f"{_UNIT_DIR}/paths.target.wants/piquet-watch.path": f"{_UNIT_DIR}/piquet-watch.path",
    f"{_UNIT_DIR}/multi-user.target.wants/piquet-boot.service": f"{_UNIT_DIR}/piquet-boot.service",
}
"""What `systemctl enable` would make: path → target; part of the bundle, so that they leave with it."""


def files(view: CampaignView) -> Mapping[str, tuple[str, str]]:
    """Path → (mode, text) of the units.

    Source: systemd.timer(5), `OnCalendar=` with a trailing `UTC`.
    """
    instants = {phase.start for phase in view.phases} | {phase.end for phase in view.phases}
    boundaries = sorted(instant.removesuffix("Z").replace("T", " ") for instant in instants)
    return {
        f"{_UNIT_DIR}/{name}": (
            "0644",
            render(f"systemd/{name}.j2", purpose=purpose, boundaries=boundaries, **view.values()),
        )
        for name, purpose in _PURPOSES.items()
    }


def readme(view: CampaignView) -> str:
    """`/etc/piquet/README`: what an administrator who was not told finds."""
    return render("host/README.j2", purpose="Start here.", **view.values())
