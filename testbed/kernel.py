# SPDX-License-Identifier: GPL-3.0-or-later
"""The few things of the Linux kernel that test hosts stand on: control groups, mounts, processes.

Source: cgroups(7), proc(5), and the kernel's cgroup-v2 guide for `cgroup.kill` and `cgroup.events`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from piquet.errors import PiquetError

SETTLE_S = 10.0
WATCHERS = 1024
"""inotify instances: systemd, logind and others hold about five per host, and all hosts share root's share."""

_WATCHERS = Path("/proc/sys/fs/inotify/max_user_instances")


class TestbedError(PiquetError):
    """A test host, or what it stands on, is not as it must be."""

    __test__ = False  # the name begins like a test class; pytest must not collect it


def cgroup_roots() -> tuple[Path, ...]:
    """Where process groups of systemd can be made: the unified hierarchy first, then the legacy one if mounted.

    Raises:
        TestbedError: the kernel's unified hierarchy is not mounted.
    """
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    mounts = [(fields[4], *fields[fields.index("-") + 1 :]) for fields in lines]
    unified = [Path(point) for point, kind, *_ in mounts if kind == "cgroup2"]
    legacy = [
        Path(point) for point, kind, _, options in mounts if kind == "cgroup" and "name=systemd" in options
    ]
    if not unified:
        raise TestbedError(
            "no cgroup2 file system is mounted\n\n  hint: mount -t cgroup2 none /sys/fs/cgroup/unified"
        )
    return (unified[0], *legacy[:1])


def allow_watches() -> None:
    """Raise the kernel's limit of inotify instances where it is lower, until the next boot; hosts fail to start else.

    Source: inotify(7), `/proc/sys/fs/inotify/max_user_instances` (128 by default: some 25 hosts).
    """
    if int(_WATCHERS.read_text(encoding="ascii")) < WATCHERS:
        _WATCHERS.write_text(f"{WATCHERS}\n", encoding="ascii")


def kill_group(group: Path) -> None:
    """SIGKILL everything in a control group at the same instant and wait until it is gone; no-op without the group."""
    if (group / "cgroup.kill").exists():
        (group / "cgroup.kill").write_text("1", encoding="ascii")
        until(lambda: is_empty(group), f"processes in {group} do not end")


def end_group(group: Path) -> None:
    """End a container by its group: cut the payload, let nspawn clean up after itself, kill what is left."""
    kill_group(group / "payload")
    with contextlib.suppress(TestbedError):
        until(lambda: is_empty(group), "", timeout_s=2.0)
    kill_group(group)


def is_empty(group: Path) -> bool:
    """Whether no process lives in the group or below it."""
    return "populated 0" in (group / "cgroup.events").read_text(encoding="ascii")


def remove_group(group: Path) -> None:
    """Remove an empty control group with all below it; no-op when it is not there."""

    def is_removed() -> bool:
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                Path(folder).rmdir()
        except OSError:
            return False
        return True

    until(is_removed, f"{group} cannot be removed")


def started(pid: int) -> int | None:
    """Start of a process in clock ticks since boot, or None when it is gone or a zombie; tells reused ids apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def mounts_below(folder: Path) -> tuple[Path, ...]:
    """Mount points in a folder, deepest first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [Path(line.split()[4].replace("\\040", " ")) for line in lines]
    return tuple(sorted((point for point in points if folder in point.parents), reverse=True))


def boot_id() -> str:
    """The machine's id of this boot; another one means that no process of before is left."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def until(is_done: Callable[[], bool], failure: str, timeout_s: float = SETTLE_S) -> None:
    """Ask again and again until the answer is yes.

    Raises:
        TestbedError: the deadline passed; its message is `failure`.
    """
    deadline = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() > deadline:
            raise TestbedError(failure)
        time.sleep(0.02)


def run(*command: str) -> str:
    """Standard output of a command.

    Raises:
        TestbedError: it is not installed or failed; the message holds the last lines of what it said.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as err:
        raise TestbedError(f"{command[0]} is not installed\n\n  hint: script/demo installs it") from err
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise TestbedError(f"{command[0]} failed with exit status {done.returncode}\n{tail}")
    return done.stdout


def succeeds(*command: str) -> bool:
    """Whether a command ends well; what it says does not matter."""
    return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0
