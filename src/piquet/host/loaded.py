# SPDX-License-Identifier: GPL-3.0-or-later
"""Is what a server runs what lies on disk? Our reload would bring an owner's edits into force before their hour.

No server tells what it runs, so ages are compared: of each file that the configuration reads, of each link to one and
of each folder whose files it takes, with the moment when the server took its configuration up. What is older was
taken up; what is younger may be an edit, or was only touched, and nobody but its owner knows. What is not seen: an
edit before a worker that died and was replaced (nginx), and what certificates, maps and scripts of others hold.

Source: stat(2), `st_ctim`, which no tool sets back; fork(2) of nginx's workers at each reload; Apache's `ap_log_pid`,
which writes the pid file anew at each start and each graceful restart.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from piquet.host.machine import Machine, this_boot
from piquet.host.outcome import Request
from piquet.host.servers.web_server import WebServer
from piquet.host.state import store
from piquet.host.state.manifest import Manifest
from piquet.protocol import places
from piquet.protocol.findings import Finding, Severity

OPTION = "allow_unloaded"
TOLERANCE_S = 0.1
"""Clock ticks of /proc and of file systems; a reload takes longer than that."""
_SHOWN = 5


def findings(machine: Machine, names: Sequence[str], severity: Severity) -> List[Finding]:
    """For each of these servers that runs something older than what lies on disk: which files, and since when."""
    found = []
    for name in names:
        server = machine.servers.get(name)
        edits = younger(machine, server) if server and server.is_present() else []
        found += [_finding(name, edits, severity)] if edits else []
    return found


def refusals_of_unloaded(machine: Machine, request: Request, names: Sequence[str]) -> List[Finding]:
    """The same for a verb that would reload: errors, or warnings where somebody said that it may."""
    return findings(machine, names, "warning" if request.options.get(OPTION) else "error")


def younger(machine: Machine, server: WebServer) -> List[Tuple[float, Path]]:
    """Age in seconds and path of what came after the server took up its configuration, the oldest first."""
    loaded_s = server.loaded_age_s()
    if loaded_s is None:
        return []
    own = tuple(str(machine.paths.at(name)) for name in (f"{places.ETC}/", f"{places.LIB}/"))
    ages = [
        (_age_s(path), path) for path in dict.fromkeys(_evidence(server.reads())) if not _is_ours(path, own)
    ]
    return sorted(((age, path) for age, path in ages if age < loaded_s - TOLERANCE_S), reverse=True)


def _evidence(paths: Sequence[Path]) -> Iterator[Path]:
    """The files, and what leads to them."""
    for path in paths:
        yield path
        real = Path(os.path.realpath(str(path)))
        if real != path:
            yield real


def _age_s(path: Path) -> float:
    """Since the entry was last changed in any way; of a folder, since a name came or went."""
    try:
        seen = path.lstat()
    except OSError:
        return float("inf")
    return time.time() - (seen.st_mtime if path.is_dir() and not path.is_symlink() else seen.st_ctime)


def _is_ours(path: Path, own: Tuple[str, ...]) -> bool:
    return path.name.endswith("piquet.conf") or f"{path}/".startswith(own)


def _finding(name: str, edits: List[Tuple[float, Path]], severity: Severity) -> Finding:
    now = time.time()
    shown = ", ".join(f"{path} ({_clock(now - age)})" for age, path in edits[:_SHOWN])
    more = f" and {len(edits) - _SHOWN} more" if len(edits) > _SHOWN else ""
    message = (
        f"{name} may not run what lies on disk: a reload would bring it into force before anybody looked."
    )
    hint = (
        f"have its owner reload {name} and look at the sites, or put back what is not meant; where it may come into"
        " force with our reload, set piquet_allow_unloaded: true"
    )
    return Finding(
        severity, "unloaded-edits", name, message, "nothing changed since its last reload", shown + more, hint
    )


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def is_loaded(machine: Machine, bundle: Manifest) -> bool:
    """Whether every running server has taken up what was staged last."""
    return not not_loaded(machine, bundle)


def not_loaded(machine: Machine, bundle: Manifest) -> Tuple[str, ...]:
    """Running servers whose workers are older than what was staged."""
    record = store.installed(machine.paths) or {}
    staged = record.get("staged", {})
    if staged.get("boot_id") != this_boot(machine):
        return ()
    running = [server for server in machine.chosen(bundle.providers) if server.is_running()]
    return tuple(s.name for s in running if not s.is_loaded_since(float(staged["uptime_s"])))
