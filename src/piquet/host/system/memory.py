# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of this machine: how much there is, and how much a server takes.

Source: proc(5), MemAvailable and SwapFree of /proc/meminfo, VmRSS of /proc/PID/status; getrusage(2), `ru_maxrss` in kB.
"""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import Optional


def available_kb(meminfo: Path) -> Optional[int]:
    """What programs may still take before the kernel ends one; None where the machine does not say."""
    try:
        said = dict(re.findall(r"^(\w+): +(\d+) kB$", meminfo.read_text("ascii"), re.MULTILINE))
        return int(said["MemAvailable"]) + int(said.get("SwapFree", 0))
    except (OSError, ValueError, KeyError):
        return None


def resident_kb(pid: int) -> int:
    """What a process holds; 0 if there is none (any more)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except OSError:
        return 0
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found.group(1)) if found else 0


def largest_child_kb() -> int:
    """The peak of the largest process that we have started and that has ended; 0 where none was larger than ourselves.

    A child begins as a copy of us, which the kernel counts as its own.
    """
    own, child = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return child if child > own else 0
