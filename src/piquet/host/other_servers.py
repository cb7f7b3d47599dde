# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers that run on this machine and are not the ones that are asked: their sites are in no survey.

A second master that nothing tells apart, one that somebody started by hand from elsewhere, one in a container, whose
files and whose `/run/piquet` are not ours. Nothing is done about them; they are named, so that nobody takes their
sites for held.

Source: proc(5), /proc/PID/exe and /proc/PID/root; pid_namespaces(7).
"""

from __future__ import annotations

from typing import Iterator, List, Set

from piquet.host.machine import Machine
from piquet.host.servers.web_server import WebServer
from piquet.host.system import processes
from piquet.host.system.processes import Process
from piquet.protocol.findings import Finding
from piquet.protocol.places import ETC, LIB, RUN
from piquet.protocol.server_names import kind_name

_SHOWN = 120


def unasked_servers(machine: Machine) -> List[Finding]:
    """One for each process that began a web server and is not the one that we ask.

    A machine below another root, as tests make it, has no processes of its own.
    """
    if machine.paths.root not in ("", "/"):
        return []
    asked = {one.pid for one in (server.master() for server in machine.servers.values()) if one}
    kinds = [server for name, server in machine.servers.items() if kind_name(name) == name]
    return [found for server in kinds for found in _other_masters(server, asked)]


def _other_masters(server: WebServer, asked: Set[int]) -> Iterator[Finding]:
    """Those of one kind, by pid."""
    for one in processes.masters(server.programs):
        if one.pid not in asked:
            yield (
                _in_a_container(server, one) if processes.is_apart(one.pid) else _beside_finding(server, one)
            )


def _beside_finding(server: WebServer, process: Process) -> Finding:
    place = f"process {process.pid}"
    message = (
        f"Another {server.title} runs here than the one that was asked; its sites are not in this survey."
    )
    hint = (
        "they stay as they are, whatever is armed; to hold them, its owner has this system's service serve them"
        f"{server.several_in_words}; then survey again"
    )
    return Finding("warning", "other-server", place, message, got=process.title[:_SHOWN], hint=hint)


def _in_a_container(server: WebServer, process: Process) -> Finding:
    place = f"process {process.pid}"
    message = f"{server.title} runs in a container here, or with a root of its own: it sees other files than the host."
    hint = (
        "its sites stay as they are; to hold them make it a host of its own in the inventory; or, for sites that this "
        f"host's own {server.title} serves, too, mount {ETC}, {LIB} and {RUN} into it read-only at the same places, "
        "put our lines into its configuration, and start it anew after arm (docs/platforms.md)"
    )
    return Finding("warning", "server-in-container", place, message, got=process.title[:_SHOWN], hint=hint)
