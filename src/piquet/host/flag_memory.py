# SPDX-License-Identifier: GPL-3.0-or-later
"""After a release: have a server forget flags that it may remember, by a reload that its own test allows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Tuple

from piquet.host.errors import AgentError
from piquet.host.machine import Machine
from piquet.host.servers import web_server
from piquet.host.state.manifest import Manifest
from piquet.protocol.findings import Finding

CODE = "open-file-cache"


def forget(
    machine: Machine, staged: Manifest, seen: Dict[str, Any], release: str
) -> Tuple[bool, List[Finding]]:
    """Once for each release; tell whether no worker remembers a flag of before it.

    Args:
        machine: this host.
        staged: what is staged; by Lua nothing is remembered.
        seen: what was seen since this arming, where it is noted.
        release: its name there.
    """
    if release in seen["forgotten"]:
        return True, []
    is_done, findings = _reload_server(machine) if _remembers(machine, staged) else (True, [])
    if is_done:
        seen["forgotten"].append(release)
    return is_done, findings


def _remembers(machine: Machine, staged: Manifest) -> bool:
    """Whether there is a server at work that asks for flags by way of its cache."""
    server = machine.hooked_server
    return staged.needs_hooks and server.is_present() and server.is_running() and server.flag_lag_s() > 0


def _reload_server(machine: Machine) -> Tuple[bool, List[Finding]]:
    server = machine.hooked_server
    server.forget()
    if not server.test().ok:
        lag_s = server.flag_lag_s()
        more = f"open_file_cache may show a flag for {lag_s} s after it is gone; it is tried every minute."
        return False, [replace(web_server.unloaded(server, more), code=CODE)]
    try:
        server.reload()
    except AgentError as error:
        return False, list(error.findings)
    message = f"open_file_cache is used, so {server.name} was reloaded to make it look for flags again."
    return True, [Finding("info", CODE, server.name, message)]
