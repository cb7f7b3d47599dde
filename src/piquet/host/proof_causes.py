# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a running server does not see a file of ours: what its processes and the machine tell.

Only what can be read is said; where nothing is found, that is said.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple

from piquet.host.servers import probe
from piquet.host.servers.web_server import WebServer
from piquet.host.system import processes, selinux
from piquet.host.system.processes import Process
from piquet.protocol import places

_PROC = Path("/proc")


def cause(server: WebServer, name: str, file: Path, answers: Sequence[probe.ProbeAnswer]) -> Tuple[str, str]:
    """The cause in words, and what to do about it.

    Args:
        server: that was asked.
        name: of its program, for people.
        file: that it should see, still there.
        answers: what came.
    """
    if all(answer.is_unasked for answer in answers):
        return (
            "nobody answered where its sites listen",
            "see whether it runs and what it listens on (ss -ltnp)",
        )
    hidden = next((found for process in _processes(server) if (found := _hidden_cause(process, file))), None)
    return hidden or _denied_cause(server) or _answered_cause(server, answers)


def _processes(server: WebServer) -> Iterator[Process]:
    """The master, then its workers: a root or a namespace may be the workers' own."""
    master = server.master()
    if master:
        yield master
        yield from processes.children(master.pid)[:1]


def _hidden_cause(process: Process, file: Path) -> Optional[Tuple[str, str]]:
    """That a process has another tree of files, in which ours is not.

    Source: proc(5), /proc/PID/root leads through the mount namespace of the process as well as through its root.
    """
    root = _PROC / str(process.pid) / "root"
    try:
        if Path(f"{root}{file}").exists() or not root.exists():
            return None
        own_root = os.readlink(str(root))
    except OSError:
        return None
    if _namespace(str(process.pid)) != _namespace("self"):
        hint = (
            f"give its unit the host's own {places.RUN} (TemporaryFileSystem=, InaccessiblePaths=, RootDirectory=, "
            "a container), restart it, then arm"
        )
        return (
            f"it runs in a mount namespace of its own (process {process.pid}), in which {file.parent} is not",
            hint,
        )
    hint = f"let its root have {file.parent.parent} of the host (a bind mount), restart it, then arm"
    return f"its root is {own_root} (process {process.pid}), in which {file.parent} is not", hint


def _namespace(pid: str) -> str:
    try:
        return os.readlink(str(_PROC / pid / "ns" / "mnt"))
    except OSError:
        return ""


def _denied_cause(server: WebServer) -> Optional[Tuple[str, str]]:
    """That the file is there for it, but it may not look."""
    if selinux.is_enforcing():
        hint = f"ausearch -m avc -ts recent; {selinux.RELABEL}, once the types are known that survey tells"
        return "SELinux enforces, and may keep it from looking there", hint
    profile = next((_first_line(_PROC / str(p.pid) / "attr/current") for p in _processes(server)), "")
    if profile.endswith("(enforce)"):
        hint = f"allow `{places.RUN}/** r,` in that profile, reload it, then arm"
        return f"the AppArmor profile {profile} may keep it from looking there", hint
    return None


def _answered_cause(server: WebServer, answers: Sequence[probe.ProbeAnswer]) -> Tuple[str, str]:
    """That something else answers first, or that nothing of the kind is known."""
    if any(answer.mark for answer in answers):
        return (
            "what answers carries our header without being ours",
            "see who sets X-Piquet in the sites' own rules",
        )
    return (
        "its sites answer before ours",
        f"see {server.answers_first}, and what stands in front of it on this port; then arm",
    )


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip().strip("\0")
    except OSError:
        return ""
