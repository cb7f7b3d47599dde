# SPDX-License-Identifier: GPL-3.0-or-later
"""Why servers would not show what is staged, or nobody would look after it. `arm` and `rehearse` ask for that."""

from __future__ import annotations

from dataclasses import replace
from typing import List

from piquet.host import hook_watch, loaded
from piquet.host.machine import Machine
from piquet.host.servers import web_server
from piquet.host.state.manifest import Manifest
from piquet.host.system import commands
from piquet.protocol.findings import Finding
from piquet.protocol.places import AGENT_PATH


def readiness(machine: Machine, staged: Manifest) -> List[Finding]:
    """Why servers would not show what is staged, or nobody would look after it."""
    found = [f for name in staged.providers for f in _server(machine, name, staged)]
    found += _hooks(machine, staged)
    found += [replace(finding, severity="error") for finding in hook_watch.unread(machine)]
    fault = machine.schedule(staged.scheduler).fault(machine.now())
    return [*found, *_agent(machine), *([fault] if fault else [])]


def _agent(machine: Machine) -> List[Finding]:
    """The schedule calls the installed file by itself, with the Python that is named in it and not with this one.

    Whether it is there, and what was staged, others ask.
    """
    if not machine.paths.agent.exists():
        return []
    ran = commands.execute([str(machine.paths.agent), "reconcile", "--check"])
    if ran.ok or "unrecognized arguments" in ran.output:  # an older one, of another plan: it starts, too
        return []
    message = "The installed agent does not run here, so nothing would watch the window."
    hint = "name a Python 3.8 or later of this host by piquet_python in the inventory; then plan and stage"
    return [
        Finding("error", "agent-does-not-run", AGENT_PATH, message, got=ran.output.strip()[-500:], hint=hint)
    ]


def _server(machine: Machine, name: str, staged: Manifest) -> List[Finding]:
    """Whether a server would really show the strike."""
    server = machine.servers.get(name)
    if server is None or not server.is_present():
        return [web_server.missing(name)]
    found = [] if server.test().ok else [web_server.broken(server)]
    if not server.is_running():
        hint = "have its owner start it, then arm"
        found.append(Finding("error", "not-running", name, f"{name} is not running.", hint=hint))
    elif name in loaded.not_loaded(machine, staged):
        message = f"{name} has not loaded what was staged."
        found.append(Finding("error", "not-loaded", name, message, hint="stage again, or reload it"))
    return [*found, *server.readiness()]


def _hooks(machine: Machine, staged: Manifest) -> List[Finding]:
    """Every selected site of the hooked server must be served, by blocks that carry the hook where we act by it."""
    server = machine.hooked_server
    blocks = hook_watch.selected_blocks(machine)
    served = {name for block in blocks for name in block.names}
    found = [
        Finding(
            "error",
            "not-served",
            entry.name,
            f"No server block of {server.name} serves it any more.",
            hint="survey this host again, then plan and stage",
        )
        for entry in staged.entries
        if entry.provider == server.name and entry.name not in served
    ]
    for block in blocks if staged.needs_hooks else ():
        place = f"{block.file}:{block.line}"
        if block.hooked is None:
            message = "The server block of a selected site has no hook."
            names = ", ".join(block.names)
            found.append(Finding("error", "not-hooked", place, message, got=names, hint="run hook"))
        elif block.before_hook:
            found.append(hook_watch.not_first(block, "error"))
    return found
