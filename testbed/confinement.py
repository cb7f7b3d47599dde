# SPDX-License-Identifier: GPL-3.0-or-later
"""A small machine: how much memory, processor and disk a test host has, held by the kernel's control groups.

Source: the kernel's cgroup-v1 guide, `memory.limit_in_bytes`, `cpu.cfs_quota_us`, `blkio.throttle.write_iops_device`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.host import Host
from testbed.kernel import TestbedError, remove_group

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000


@dataclass(frozen=True)
class Limits:
    """Of one machine; what its disk writes is counted where a program waits for it (`fsync`).

    Attributes:
        memory_mb: of all its processes and of what they keep of files.
        cores: processor seconds a second.
        writes_per_s: of its disk.
    """

    memory_mb: int
    cores: float
    writes_per_s: int


@contextlib.contextmanager
def confined(host: Host, limits: Limits) -> Iterator[None]:
    """Boot a host within limits that is off; it is off again at the end.

    Raises:
        TestbedError: this machine has no such control groups.
    """
    device = host.slot.folder.stat().st_dev
    written: dict[str, str] = {
        "memory/memory.limit_in_bytes": str(limits.memory_mb << 20),
        "cpu/cpu.cfs_period_us": str(_PERIOD_US),
        "cpu/cpu.cfs_quota_us": str(int(_PERIOD_US * limits.cores)),
        "blkio/blkio.throttle.write_iops_device": f"{os.major(device)}:{os.minor(device)} {limits.writes_per_s}",
    }
    groups = {name: _ROOT / name / host.slot.machine(host.name) for name in ("memory", "cpu", "blkio")}
    try:
        for path, text in written.items():
            controller, _, file = path.partition("/")
            groups[controller].mkdir(exist_ok=True)
            (groups[controller] / file).write_text(text, encoding="ascii")
    except OSError as err:
        raise TestbedError(
            f"no control group can hold a host: {err}\n\n  hint: mount the cgroup-v1 one"
        ) from err
    host.confinement = tuple(groups.values())
    try:
        host.boot()
        yield
    finally:
        host.power_off()
        host.confinement = ()
        for group in groups.values():
            remove_group(group)


def killed_for_memory(host: Host) -> int:
    """How often the kernel has killed something of a confined host since its boot."""
    text = (host.confinement[0] / "memory.oom_control").read_text(encoding="ascii")
    return int(text.rpartition("oom_kill ")[2].split()[0])
