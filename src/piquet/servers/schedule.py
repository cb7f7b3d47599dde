# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule as systemd unit files or as one cron file, and the note that lies beside everything on the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from piquet.fleet.model import Scheduler
from piquet.protocol.places import AGENT_PATH, CRON_FILE, UNIT_DIR
from piquet.servers.environment import render
from piquet.servers.view import CampaignView

_PURPOSES = {
    "piquet-reconcile.service": "Only ever takes flags away.",
    "piquet-reconcile.timer": "When to look.",
    "piquet-watch.path": "Notices a stop by hand.",
    "piquet-boot.service": "The first look after a boot, and the last before a shutdown.",
}
UNIT_LINKS: Mapping[Scheduler, Mapping[str, str]] = {
    "systemd": {
        f"{UNIT_DIR}/timers.target.wants/piquet-reconcile.timer": f"{UNIT_DIR}/piquet-reconcile.timer",
        f"{UNIT_DIR}/paths.target.wants/piquet-watch.path": f"{UNIT_DIR}/piquet-watch.path",
        f"{UNIT_DIR}/multi-user.target.wants/piquet-boot.service": f"{UNIT_DIR}/piquet-boot.service",
    },
    "cron": {},
}
"""What `systemctl enable` would make: path → target; part of the bundle, so that they leave with it."""

Texts = Mapping[str, tuple[str, str]]


def schedule_files(view: CampaignView, scheduler: Scheduler, units: Sequence[str] = ()) -> Texts:
    """Path → (mode, text) of the schedule's own files.

    Args:
        view: the campaign.
        scheduler: of the host.
        units: of systemd that start servers of that host, besides those that packages give every host.
    """
    return _FILES[scheduler](view, units)


def readme(view: CampaignView) -> str:
    """`/etc/piquet/README`: what an administrator who was not told finds."""
    return render("host/README.j2", purpose="Start here.", **view.values())


def _units(view: CampaignView, units: Sequence[str]) -> Texts:
    """The units: everybody on a machine may read them, or ask systemd for what they hold, so no campaign is in them.

    Source: systemd.timer(5), `OnCalendar=` with a trailing `UTC`; systemd.unit(5) of files that are not readable.
    """
    return {
        f"{UNIT_DIR}/{name}": (
            "0644",
            render(f"systemd/{name}.j2", purpose=purpose, is_public=True, units=units, **view.values()),
        )
        for name, purpose in _PURPOSES.items()
    }


def _cron(view: CampaignView, _: Sequence[str]) -> Texts:
    """The one file.

    Source: crontab(5) for `@reboot`, MAILTO and the user field; cron(8) of Debian for what it accepts in /etc/cron.d.
    """
    purpose = "After a boot and every minute: takes away what is over."
    return {CRON_FILE: ("0600", render("cron/piquet.j2", purpose=purpose, agent=AGENT_PATH, **view.values()))}


_FILES: Mapping[Scheduler, Callable[[CampaignView, Sequence[str]], Texts]] = {
    "systemd": _units,
    "cron": _cron,
}
