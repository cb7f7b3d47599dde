# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether anybody looked after the flags until the last boot ended: what vanished while nobody did stays away.

Flags live in `/run`, so that a boot cannot see whether they were up when the machine went down. Each look therefore
leaves a mark, and a boot compares it with the machine's other signs of life: where the log files go on for minutes
after the last look, our units or cron had been stopped, and whatever was deleted then was deleted by somebody.
A power cut ends both at once.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path
from typing import List

from piquet.host.system import processes
from piquet.host.system.paths import Paths

ALONE_S = 300.0
"""How long the machine must have lived after the last look; a busy one may miss some minutes of the timer."""
_DEPTH = 2
_MOST_FILES = 5000


def note(paths: Paths) -> None:
    """Somebody has looked. Not durable at once: a power cut costs at most what the kernel had not written."""
    with contextlib.suppress(OSError):
        descriptor = os.open(str(paths.seen), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.utime(descriptor)
        finally:
            os.close(descriptor)


def was_left_alone(paths: Paths) -> bool:
    """Whether the machine went on without us before this boot; False where there is nothing to tell it by."""
    try:
        seen_at = paths.seen.lstat().st_mtime
    except OSError:
        return False
    until = booted_at()
    return any(seen_at + ALONE_S < at < until for at in _signs(paths.logs, _DEPTH))


def booted_at() -> float:
    """When this boot began, in epoch seconds: the age of process 1, since a container's is not the kernel's."""
    first = processes.process(1)
    started_s = first.started_s if first else 0.0
    return time.time() - (processes.uptime_s() - started_s)


def _signs(folder: Path, depth: int) -> List[float]:
    """When log files were last written, in epoch seconds; of as many as can be looked at while a machine boots."""
    found: List[float] = []
    with contextlib.suppress(OSError), os.scandir(str(folder)) as entries:
        for entry in itertools.islice(entries, _MOST_FILES):
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    found.append(entry.stat(follow_symlinks=False).st_mtime)
                elif entry.is_dir(follow_symlinks=False) and depth:
                    found += _signs(Path(entry.path), depth - 1)
    return found
