# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that an engine started, found through `/proc`, so that none outlives it by accident.

Source: proc_pid_stat(5).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_DEATH_S = 2.0
_ENDED = frozenset("ZX")
"""States of a process that only its parent still asks for."""


@dataclass(frozen=True)
class EngineProcess:
    """One process; its start (clock ticks since the boot) tells it from a later one with the same number."""

    pid: int
    parent: int
    started: int


def family(pid: int) -> list[EngineProcess]:
    """A process, its children, their children, and so on; empty if it has ended."""
    alive = {process.pid: process for process in map(_process, _pids()) if process}
    found = [alive[pid]] if pid in alive else []
    for process in found:
        found += [child for child in alive.values() if child.parent == process.pid]
    return found


def mentioning(text: str) -> list[EngineProcess]:
    """Processes whose command line holds a text, with their families."""
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            if os.fsencode(text) in (_PROC / str(pid) / "cmdline").read_bytes():
                found += family(pid)
    return found


def kill(processes: Iterable[EngineProcess]) -> None:
    """End processes at once and see them gone; no error for one that has ended."""
    meant = [process for process in processes if _is_there(process)]
    for process in meant:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + _DEATH_S
    while any(_is_there(process) for process in meant) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_there(process: EngineProcess) -> bool:
    """Whether it still runs, and is not a later one with its number."""
    now = _process(process.pid)
    return now is not None and now.started == process.started


def interrupt(pid: int) -> None:
    """What Ctrl-C sends, to one process; no error if it has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)


def _pids() -> Iterator[int]:
    return (int(folder.name) for folder in _PROC.iterdir() if folder.name.isdecimal())


def _process(pid: int) -> EngineProcess | None:
    """What `stat` says; the name in brackets may hold anything, brackets too."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return None if fields[0] in _ENDED else EngineProcess(pid, int(fields[1]), int(fields[19]))
    return None
