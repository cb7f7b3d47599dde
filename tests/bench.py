# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage and arm by our playbooks, beside raw parallel ssh doing the same: bytes, tests, reload, flags.

Both ways in turn on the demo's fleet, each round with a new campaign so that there is something to do; medians
and the ratio of one run, since machines differ and are shared. Prints a line per verb and their sum.
"""

from __future__ import annotations

import io
import statistics
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from piquet.bundle import Bundle
from piquet.controller.prepare import Prepared, prepare
from piquet.fleet.inventory import inventory_hosts
from piquet.fleet.workdir import Workdir
from testbed import Fleet
from testbed.host import Host
from tests import drive, foreign
from tests.drive import Drill

ROUNDS = 3
FAR_S = 3600
_WAYS = ("playbook", "raw ssh")
_TEST = {"nginx": "nginx -t -q", "apache": "apache2ctl -t"}
_RELOAD = {"nginx": "systemctl reload nginx", "apache": "systemctl reload apache2"}


def main() -> int:
    """Print the figures."""
    took: dict[str, list[float]] = {}
    with Fleet({"nginx": 2, "apache": 1}) as fleet:
        foreign.plant(fleet)
        drive.play(fleet, "survey")
        drive.play(fleet, "hook")
        for number in range(ROUNDS):
            drill = drive.write_campaign(fleet, fleet.folder / "campaign", FAR_S + number, 60)
            ready = prepared(drill)
            for name, act in _ways(drill, ready):
                took.setdefault(name, []).append(seconds(act))
                print(f"round {number + 1}: {name} {took[name][-1]:.2f} s", file=sys.stderr, flush=True)
    for verbs in (("stage",), ("arm",), ("stage", "arm")):
        ours, raw = (sum(statistics.median(took[f"{verb} by {way}"]) for verb in verbs) for way in _WAYS)
        figures = f"playbooks {ours:.2f} s, raw parallel ssh {raw:.2f} s, ratio {ours / raw:.1f}"
        print(f"{' + '.join(verbs)}, 3 hosts, 76 sites: {figures}")
    return 0


def _ways(drill: Drill, ready: Prepared) -> tuple[tuple[str, Callable[[], object]], ...]:
    """Raw first, so that ours finds other bytes and has all the work to do; disarmed again at the end."""
    play = {"piquet_baseline": False}
    return (
        ("stage by raw ssh", lambda: raw(drill.fleet, lambda host: raw_stage(host, ready))),
        ("arm by raw ssh", lambda: raw(drill.fleet, lambda host: raw_arm(host, ready))),
        ("clean-up", lambda: drive.play(drill.fleet, "rollback")),
        ("stage by playbook", lambda: drill.play("stage", **play)),
        ("arm by playbook", lambda: drill.play("arm")),
        ("clean-up", lambda: drive.play(drill.fleet, "rollback")),
    )


def prepared(drill: Drill) -> Prepared:
    """Plan and bundles of a drill, as stage makes them."""
    hosts = inventory_hosts(drill.fleet.inventory)
    return prepare(drill.campaign, hosts, Workdir(drill.fleet.folder / ".piquet"), datetime.now(UTC))


def seconds(act: Callable[[], object]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def raw(fleet: Fleet, act: Callable[[Host], object]) -> None:
    """Do it on all hosts at once."""
    with ThreadPoolExecutor(len(fleet.hosts)) as pool:
        list(pool.map(act, fleet.hosts))


def raw_stage(host: Host, prepared: Prepared) -> None:
    """One ssh: unpack the same files at the same places, test, daemon-reload, reload."""
    bundle = next(bundle for bundle in prepared.bundles if bundle.host == host.name)
    act = f"{_TEST[host.provider]} && systemctl daemon-reload && {_RELOAD[host.provider]}"
    host.run(f"tar xz -C / && {act}", stdin=_archive(bundle))


def raw_arm(host: Host, prepared: Prepared) -> None:
    """One ssh: the test that arm makes, then the same flags, switched by one rename."""
    planned = next(planned for planned in prepared.plan.hosts if planned.host == host.name)
    keys = " ".join(entry.key for entry in planned.entries)
    make = f"{_TEST[host.provider]} && mkdir -p /run/piquet/flags.9 && cd /run/piquet/flags.9 && touch {keys}"
    host.run(f"{make} && ln -sfn flags.9 /run/piquet/live.9 && mv -T /run/piquet/live.9 /run/piquet/live")


def _archive(bundle: Bundle) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for file in bundle.files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            if file.kind == "link":
                entry.type, entry.linkname = tarfile.SYMTYPE, file.target
            entry.size, entry.mode = len(file.content), int(file.mode or "0777", 8)
            tar.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
