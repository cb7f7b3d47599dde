# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as verbs see it: places, servers, schedule, clock, and who is asking."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional

from piquet.host.errors import AgentError
from piquet.host.servers import web_server
from piquet.host.servers.hooked_server import HookedServer
from piquet.host.servers.registry import servers_of
from piquet.host.servers.web_server import WebServer
from piquet.host.state import journal, rollback_stamp, store, transaction
from piquet.host.system import files
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import Platform, parse_os_release, platform_of
from piquet.host.system.schedule import Schedule, schedules
from piquet.protocol.findings import Finding


@dataclass
class Machine:
    """Everything with an edge, in one place; tests make one with a root of their own.

    Attributes:
        servers: every kind that we know, by name, there or not.
        recalled: the stamp of the last rollback when this process began.
        was_up: whether flags were up when it began, and were taken away first of all.
        logged: what this process has journalled, for whoever asked, where remove takes the journal away.
    """

    paths: Paths
    platform: Platform
    os_release: Dict[str, str]
    servers: Dict[str, WebServer]
    schedules: Mapping[str, Schedule]
    role: str
    clock: Callable[[], float] = time.time
    recalled: Optional[int] = None
    was_up: bool = False
    logged: List[Dict[str, Any]] = field(default_factory=list)

    @property
    def hooked_server(self) -> HookedServer:
        """The one kind of server whose virtual hosts need our line."""
        return next((s for s in self.servers.values() if isinstance(s, HookedServer)), HookedServer())

    def present(self) -> Dict[str, WebServer]:
        """Those that are installed."""
        return {name: server for name, server in self.servers.items() if server.is_present()}

    def chosen(self, names: Iterable[str]) -> List[WebServer]:
        """Servers by name; an unknown name is the null server, which does nothing."""
        return [self.servers.get(name, WebServer()) for name in names]

    def schedule(self, name: str) -> Schedule:
        """What calls reconcile, as a manifest names it; an unknown name is the null schedule, which never does."""
        return self.schedules.get(name, Schedule())

    def now(self) -> float:
        """Epoch seconds."""
        return self.clock()

    def log(self, verb: str, event: str, **facts: Any) -> None:
        """Journal one thing."""
        self.logged.append(journal.append(self.paths, self.now(), self.role, verb, event, **facts))


def this_machine(
    role: str,
    paths: Optional[Paths] = None,
    platform: Optional[Platform] = None,
    clock: Callable[[], float] = time.time,
) -> Machine:
    """Look at where we run."""
    paths = paths or Paths()
    try:
        os_release = dict(parse_os_release(paths.os_release.read_text("utf-8", "replace")))
    except OSError:
        os_release = {}
    platform = platform or platform_of(os_release)
    known, recalled = schedules(platform, paths), rollback_stamp.stamped(paths)
    return Machine(paths, platform, os_release, servers_of(platform, paths), known, role, clock, recalled)


def this_boot(machine: Machine) -> str:
    """This boot's name."""
    return store.boot_id(machine.paths)


def settle(machine: Machine, names: Iterable[str]) -> List[Finding]:
    """After files were put back: units, test, reload where the test passes; say what does not work."""
    if machine.role != "boot":  # systemd is busy reading them itself
        for schedule in machine.schedules.values():
            schedule.read_units()
    findings: List[Finding] = []
    for server in machine.chosen(names):
        server.forget()
        if not server.is_running():
            continue
        if not server.test().ok:
            findings.append(web_server.unloaded(server, severity="error"))
            continue
        try:
            server.reload()
        except AgentError as error:
            findings += error.findings
    return findings


def undo_open(machine: Machine) -> List[Finding]:
    """Undo the open transaction: files, then servers; it stays open if a file could not be put back."""
    record = transaction.open_register(machine.paths)
    is_hook = record.get("verb") == "hook"
    findings = transaction.put_back(
        machine.paths, (lambda _, text: machine.hooked_server.without_hook(text)) if is_hook else None
    )
    findings += settle(machine, record.get("servers", []))
    if not any(finding.code == "not-restored" for finding in findings):
        transaction.commit(machine.paths)
    return findings


def _forget_half_written(paths: Paths) -> None:
    """Delete what a death between writing and renaming has left beside our own state."""
    state_files = (paths.checkpoint, paths.armed, paths.arming, paths.ended, paths.boundaries, paths.stopped)
    for path in (
        *state_files,
        paths.token,
        paths.seen,
        paths.live,
        paths.rehearse,
        paths.boot_mark,
        paths.recall,
    ):
        with contextlib.suppress(OSError):  # a read-only disk has nothing to say about flags
            files.remove(files.temporary(path))


def recover(machine: Machine, verb: str) -> List[Finding]:
    """Undo what a crash left unfinished; never raises, since a release must go on.

    A server that somebody has broken since cannot be reloaded: the verb that needs it says so, a release does not.
    """
    _forget_half_written(machine.paths)
    if not transaction.is_open(machine.paths):
        return []
    try:
        interrupted = transaction.open_register(machine.paths).get("verb", "?")
        findings = undo_open(machine)
    except Exception as error:  # whatever is wrong with the register, it must not keep a picket up
        finding = Finding("error", "not-recovered", str(machine.paths.checkpoint), str(error))
        machine.log(verb, "recovery-failed", error=str(error))
        return [finding]
    machine.log(verb, "recovered", interrupted=interrupted, findings=[f.to_json() for f in findings])
    message = f"An interrupted {interrupted} was undone first."
    found = (replace(f, severity="warning") if f.code == "not-reloaded" else f for f in findings)
    return [Finding("info", "recovered", os.uname().nodename, message), *found]
