# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that cron looks after, without systemd as process 1 and with it: exact hours, every way out, nothing left."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from piquet.testbed import Fleet, Host, reload_server
from tests.drive import Drill, foreign_files, look, sleep_until, targets, write_campaign
from tests.e2e.test_ansible import FILE, SITE

CRON_FILE = "/etc/cron.d/piquet"
TOLERANCE_S = 1.0
MINUTE_S = 60
LEFT = (
    "ls -d /etc/piquet /var/lib/piquet /run/piquet* /usr/local/sbin/piquet-host /etc/cron.d/*piquet* "
    "/etc/systemd/system/*piquet* /etc/systemd/system/*/*piquet* 2>/dev/null; grep -rl piquet /etc; true"
)


def name_of(host: Host) -> str:
    """The one site of ours on a host."""
    return f"www.{host.name}.cron.example"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """A host of each server without systemd, and one with it that cron shall look after all the same."""
    with Fleet({"nginx": 1}, plain={"nginx": 1, "apache": 1}) as booted:
        text = booted.inventory.read_text(encoding="utf-8")
        line = "        nginx1:\n"
        assert text.count(line) == 1
        booted.inventory.write_text(text.replace(line, f"{line}          piquet_scheduler: cron\n"), "utf-8")
        for host in booted:
            host.write_file(FILE[host.provider], SITE[host.provider].format(name=name_of(host)))
            reload_server(host, host.provider)
        yield booted


def campaign(fleet: Fleet, folder: Path, start_in_s: float, lasts_s: int) -> Drill:
    """A campaign for these sites."""
    sites = "{include: [" + ", ".join(name_of(host) for host in fleet) + "]}"
    return write_campaign(fleet, folder, start_in_s, lasts_s, sites=sites)


def stage(drill: Drill) -> None:
    """Look, hook and stage, as on the eve."""
    drill.play("survey")
    drill.play("hook")
    drill.play("stage", piquet_baseline=False)


def states(drill: Drill) -> dict[str, str]:
    """Host → the state that the status table shows."""
    run = drill.play("status", check=False)
    return {host: state for host, state in re.findall(r"^([\w-]+) +ok +(\w+)", run.stdout, re.MULTILINE)}


def is_ours(host: Host) -> bool:
    """Whether the site on this host shows the strike now."""
    return bool(look(targets(host, [name_of(host)]), 0.0).result()[0].samples[-1].is_ours)
