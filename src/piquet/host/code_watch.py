# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when somebody takes away, or changes, the code that a server reads while it answers.

Until the server forgets it, every request would fail, of every site. So a file that does nothing takes its place at
once; then the server is reloaded without it. Whoever deleted it meant to stop something, or nobody knows: it is a stop
of all entries of that server.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import List

from piquet.host import stops
from piquet.host.errors import AgentError
from piquet.host.machine import Machine
from piquet.host.servers import web_server
from piquet.host.servers.web_server import WebServer
from piquet.host.state import armed, code_files, manifest
from piquet.host.system import files
from piquet.protocol.findings import Finding


def make_harmless(machine: Machine) -> None:
    """Put something that does nothing where code is missing; no lock is waited for."""
    for server in machine.servers.values():
        path = server.lost_code()
        if path is not None:
            with contextlib.suppress(OSError):
                files.make_folder(path.parent, machine.paths.folder_mode(path.parent))
                files.write_now(path, server.idle_code, 0o644)


def look_at_code(machine: Machine, verb: str) -> List[Finding]:
    """Stop what lost its code, have its server forget it, and delete what nobody names any more."""
    found: List[Finding] = []
    for server in machine.servers.values():
        path = server.lost_code()
        if path is not None:
            found += _forget(machine, verb, server, path)
    named = [path for server in machine.servers.values() for path in [server.code_file()] if path]
    with contextlib.suppress(OSError):
        code_files.sweep_code(machine.paths, named)
    return found


def _forget(machine: Machine, verb: str, server: WebServer, path: Path) -> List[Finding]:
    """Entries first; then the configuration that names the code, and a reload; the code last."""
    machine.log(verb, "code-lost", path=str(path))
    message = "It was deleted or changed, so what needs it was stopped and the server reloaded without it."
    found = [Finding("warning", "code-lost", str(path), message, hint="to start it again: stage, then arm")]
    staged, current = manifest.staged(machine.paths), armed.current_arming(machine.paths)
    keys = frozenset(e.key for e in staged.entries if e.provider == server.name) if staged else frozenset()
    if current is not None:
        found += stops.stop_entries(machine, verb, keys or frozenset(current.entries), "hand")
    try:
        server.drop_code()
        server.forget()
        if not server.test().ok:
            return [*found, web_server.unloaded(server)]
        server.reload()
        files.remove(path)
    except (OSError, AgentError) as error:
        found += error.findings if isinstance(error, AgentError) else ()
    return found
