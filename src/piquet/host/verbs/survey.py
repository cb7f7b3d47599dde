# SPDX-License-Identifier: GPL-3.0-or-later
"""Survey: what this host serves and what stands in the way. Reads, never writes."""

from __future__ import annotations

import os
import platform as python_platform
import socket
import time
from typing import Any, Dict, List

from piquet.host import loaded, other_servers, status_document
from piquet.host.machine import Machine, this_boot
from piquet.host.outcome import Outcome, Request
from piquet.host.servers.web_server import WebServer
from piquet.host.system import access_logs, processes, selinux
from piquet.host.system.schedule import is_booted_with_systemd
from piquet.protocol.findings import Finding

_CACHES = {"varnishd": "varnish", "squid": "squid", "haproxy": "haproxy"}


def run(machine: Machine, request: Request) -> Outcome:
    """Ask every server, look around."""
    document = survey(machine)
    parts = [_in_words(server, document[name]) for name, server in machine.servers.items() if document[name]]
    return Outcome(False, f"Found {' and '.join(parts) or 'no web server'}.", survey=document)


def survey(machine: Machine) -> Dict[str, Any]:
    """The SURVEY of the agent protocol. Findings are part of it; they do not fail the verb."""
    found = {name: server.survey() for name, server in machine.servers.items()}
    findings: List[Finding] = [f for part in found.values() if part for f in part.findings]
    caches = {cache for part in found.values() if part for cache in part.caches}
    caches |= {_CACHES[name] for name in processes.names() & set(_CACHES)}
    findings += loaded.findings(machine, sorted(machine.servers), "warning")
    findings += other_servers.unasked_servers(machine)
    findings += _machine_findings(machine, any(part is not None for part in found.values()))
    logs = [pattern for server in machine.servers.values() for pattern in server.access_logs]
    return {
        "piquet_survey": 1,
        "at": machine.now(),
        "boot_id": this_boot(machine),
        "hostname": socket.gethostname(),
        "timezone": timezone(),
        "os": {"id": machine.os_release.get("ID", ""), "version": machine.os_release.get("VERSION_ID", "")},
        "init": init(machine),
        "cron": machine.schedule("cron").is_usable(),
        "python": python_platform.python_version(),
        "platform": machine.platform.name,
        "caches": sorted(caches),
        "health_checks": access_logs.health_checks(machine.paths.at("/"), logs),
        "findings": [finding.to_json() for finding in findings],
        "status": status_document.status_of(machine),
        **{name: part.document if part else None for name, part in found.items()},
    }


def _in_words(server: WebServer, document: Dict[str, Any]) -> str:
    """One server, and how many virtual hosts it has."""
    key, words = server.vhosts_in_words
    return f"{server.title} with {len(document[key])} {words}"


def init(machine: Machine) -> str:
    """What process 1 is."""
    return "systemd" if is_booted_with_systemd(machine.paths) else "other"


def timezone() -> str:
    """The machine's IANA zone if it says one, else the abbreviation in use."""
    link = os.path.realpath("/etc/localtime")
    name = link.partition("/zoneinfo/")[2]
    return name or time.tzname[0]


def _machine_findings(machine: Machine, has_server: bool) -> List[Finding]:
    """What is missing on the machine itself."""
    found = []
    if not has_server:
        message = f"Neither {' nor '.join(server.title for server in machine.servers.values())} is installed."
        found.append(Finding("error", "no-web-server", socket.gethostname(), message))
    if not any(schedule.is_usable() for schedule in machine.schedules.values()):
        message = (
            "Neither systemd nor a cron that reads /etc/cron.d runs here: nothing would watch the window."
        )
        found.append(Finding("warning", "cron-not-running", socket.gethostname(), message, hint="start cron"))
    if has_server and selinux.is_enforcing():
        message = (
            "SELinux enforces here, where this was not run on: it keeps a web server from looking at our flags until "
            "their folder has a type of its; arm asks the server, and refuses if it cannot."
        )
        hint = f"as root, once: {'; '.join(selinux.TYPES)}; after stage, and after a boot: {selinux.RELABEL}"
        found.append(Finding("warning", "selinux-enforcing", socket.gethostname(), message, hint=hint))
    return found
