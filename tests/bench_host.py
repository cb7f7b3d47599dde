# SPDX-License-Identifier: GPL-3.0-or-later
"""What verbs cost one host, in CPU time, beside what its own tools cost there: `python -m tests.bench_host`.

First a survey of thousands of Apache's sites (`bench_survey`). Then one nginx host with the share of 3,000 sites that
each of 16 has in `bench_fleet`; CPU time is that of all processes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from testbed import Fleet
from testbed.host import Host
from testbed.kernel import cgroup_roots
from tests import bench_fleet, bench_survey, drive

ROUNDS = 5
_SETTLE_S = 1.0
_COMMANDS = (
    "true", "nginx -t -q", "systemctl daemon-reload", "systemctl reload nginx", "python3 -c pass",
    "piquet-host reconcile", "piquet-host status --json",
)  # fmt: skip


def main() -> int:
    """Print a line per survey, command and verb."""
    bench_survey.main()
    with Fleet({"nginx": 1}) as fleet:
        host = fleet.hosts[0]
        bench_fleet.plant(host, 0)
        for verb in ("survey", "hook"):
            drive.play(fleet, verb)
        _stage(fleet, 0)
        for name, act in _acts(fleet, host):
            took = [_cpu_ms(host, act) for _ in range(ROUNDS)]
            print(f"{name:32} {statistics.median(took):4.0f} ms CPU on the host", flush=True)
    return 0


def _acts(fleet: Fleet, host: Host) -> Iterator[tuple[str, Callable[[], object]]]:
    for command in _COMMANDS:
        yield f"ssh: {command}", lambda command=command: host.run(command)  # type: ignore[misc]
    yield "status, by playbook", lambda: drive.play(fleet, "status")
    numbers = iter(range(1, 1000))
    yield "stage of a new plan, by playbook", lambda: _stage(fleet, next(numbers))


def _stage(fleet: Fleet, number: int) -> None:
    drill = drive.write_campaign(
        fleet, fleet.folder / "campaign", 7200 + 600 * number, 60, sites='{include: ["*"]}'
    )
    drill.play("stage", piquet_baseline=False)


def _cpu_ms(host: Host, act: Callable[[], object]) -> float:
    """CPU time of the host while it does something, and a second longer for what that started."""
    before = _spent_ms(host)
    act()
    time.sleep(_SETTLE_S)
    return _spent_ms(host) - before


def _spent_ms(host: Host) -> float:
    """Source: cgroups(7), `usage_usec` of cpu.stat."""
    text = (cgroup_roots()[0] / host.slot.machine(host.name) / "cpu.stat").read_text(encoding="ascii")
    return int(text.split()[1]) / 1000


if __name__ == "__main__":
    raise SystemExit(main())
