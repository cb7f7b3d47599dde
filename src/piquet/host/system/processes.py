# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this machine, read from /proc: is a server running, and since when do its workers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Collection, FrozenSet, Iterator, List, NamedTuple, Optional

_PROC = Path("/proc")
_REPLACED = " (deleted)"


class Process(NamedTuple):
    """One process; `started_s` is seconds since boot (suspend included), never wall-clock time."""

    pid: int
    parent: int
    started_s: float
    title: str


def uptime_s() -> float:
    """Seconds since boot on the clock that /proc/PID/stat uses."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def process(pid: int) -> Optional[Process]:
    """One process, or None if there is none (any more), or only its remains.

    Source: proc(5), /proc/PID/stat fields 3, 4 and 22.
    """
    try:
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        title = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    return Process(pid, int(fields[1]), int(fields[19]) / os.sysconf("SC_CLK_TCK"), title.strip())


def arguments(pid: int) -> List[str]:
    """What a process was started with, its program left out; nothing if there is none (any more).

    Source: proc(5), /proc/PID/cmdline.
    """
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return []
    return words[1:-1]


def all_processes() -> Iterator[Process]:
    """Every process that we may see."""
    for entry in _PROC.iterdir():
        found = process(int(entry.name)) if entry.name.isdigit() else None
        if found:
            yield found


def children(pid: int) -> List[Process]:
    """Direct children of a process, by pid.

    Source: proc(5), /proc/PID/task/TID/children; a kernel without it has every process looked at.
    """
    try:
        tasks = (_PROC / str(pid) / "task").iterdir()
        found = [int(child) for task in tasks for child in (task / "children").read_text("ascii").split()]
    except OSError:
        return sorted(p for p in all_processes() if p.parent == pid)
    return sorted(p for p in map(process, found) if p)


def is_replaced(pid: int) -> bool:
    """Whether the file that the process was started from is another one by now, by an upgrade say.

    Source: proc(5), /proc/PID/exe.
    """
    try:
        return os.readlink(str(_PROC / str(pid) / "exe")).endswith(" (deleted)")
    except OSError:
        return False


def names() -> FrozenSet[str]:
    """Names of all running programs."""
    found = set()
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                found.add((entry / "comm").read_text("utf-8", "replace").strip())
            except OSError:
                continue
    return frozenset(found)


def is_running(programs: Collection[str]) -> bool:
    """Whether one of these programs runs on this machine; what runs in a container on it does not count.

    The program is asked for, not the name: busybox is called `crond` too, but is another cron.

    Source: proc(5), /proc/PID/exe; pid_namespaces(7).
    """
    here = _pid_namespace(_PROC / "self")
    return any(
        _program(entry) in programs and _is_roots(entry) and _pid_namespace(entry) == here
        for entry in _PROC.iterdir()
        if entry.name.isdigit()
    )


def masters(programs: Collection[str]) -> List[Process]:
    """Processes that run one of these programs and were not started by one that does, by pid; in containers, too."""
    running = [
        int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and _program(entry) in programs
    ]
    found = [one for one in map(process, running) if one]
    return sorted(one for one in found if one.parent not in running)


def is_apart(pid: int) -> bool:
    """Whether a process is in a container, or has a root of its own; one with folders of its own over ours is not."""
    try:
        ours, its = ((_PROC / name / "root").stat() for name in ("self", str(pid)))
        return (ours.st_dev, ours.st_ino) != (its.st_dev, its.st_ino) or (
            _pid_namespace(_PROC / "self") != _pid_namespace(_PROC / str(pid))
        )
    except OSError:
        return False


def user_of(pid: int) -> Optional[int]:
    """The user that a process runs as, None if there is none (any more).

    Source: proc(5): the folder of a process belongs to its effective user.
    """
    try:
        return (_PROC / str(pid)).stat().st_uid
    except OSError:
        return None


def _program(entry: Path) -> str:
    """The file that a process runs, without folder, also when an upgrade has replaced it; "" if there is none."""
    try:
        name = Path(os.readlink(str(entry / "exe"))).name
    except OSError:
        return ""
    return name[: -len(_REPLACED)] if name.endswith(_REPLACED) else name


def _is_roots(entry: Path) -> bool:
    """Whether the process is root's: a tenant may call a program of theirs cron."""
    try:
        return entry.stat().st_uid == 0
    except OSError:
        return False


def _pid_namespace(entry: Path) -> Optional[int]:
    try:
        return (entry / "ns" / "pid").stat().st_ino
    except OSError:
        return None


def from_pid_file(path: Path, program: str) -> Optional[Process]:
    """The running process that a pid file names, if it really is that program."""
    try:
        pid = int(path.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    found = process(pid)
    return found if found and program in found.title else None
