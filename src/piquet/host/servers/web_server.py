# SPDX-License-Identifier: GPL-3.0-or-later
"""What a web server is to the agent: five verbs, and a provider that does nothing.

Source: certbot's interfaces.py and null.py for the idea.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from piquet.host.errors import ConfigurationError
from piquet.host.servers import complaints
from piquet.host.state import code_files
from piquet.host.state.manifest import StagedEntry
from piquet.host.system import commands, memory, processes
from piquet.host.system.paths import Paths
from piquet.host.system.pause import pause
from piquet.host.system.platforms import DEBIAN, NOT_PACKAGED, UNKNOWN, Packaged, Platform
from piquet.host.system.processes import Process
from piquet.protocol.findings import Finding, Severity
from piquet.protocol.lease import Span

RELOAD_TIMEOUT_S = 60.0
LINGER_S = 3.0
_TICK_S = 0.05


@dataclass(frozen=True)
class Survey:
    """What a provider found: its part of the survey document, findings, caches."""

    document: Dict[str, Any]
    findings: Tuple[Finding, ...] = ()
    caches: Tuple[str, ...] = ()


class WebServer:
    """One kind of web server on this machine; this base class is the one that is not there.

    The verbs: `survey` · `test` · `reload` · `is_running` · `is_loaded_since`. A test result is remembered until
    `forget` or a reload, since testing thousands of virtual hosts takes a second.
    """

    name = "null"
    title = "no server"
    """For people."""
    programs: Tuple[str, ...] = ()
    """Names of its program."""
    dropin = ""
    """Name of our file in its own folder."""
    dropin_sign = b"piquet"
    """What a copy of it has; more than the word where others might give a file that name."""
    packages: Mapping[str, Packaged] = {}
    """Family of operating systems → how it packages the server; of others as Debian does."""
    test_in_words = ""
    """What somebody types to test its configuration."""
    vhosts_in_words = ("", "")
    """Key of its virtual hosts in a survey, and their name for people."""
    answers_first = ""
    """What of it can answer before ours, for people."""
    lean_in_words = ""
    """By which way ours takes less of its memory."""
    several_in_words = ""
    """What its owner may do besides, so that one more of it on the same host is held."""
    access_logs: Tuple[str, ...] = ()
    """Globs below the root, of its packages' log files."""

    def __init__(self, platform: Platform = UNKNOWN, paths: Optional[Paths] = None) -> None:
        """Nothing tested yet."""
        self._tested: Optional[commands.Result] = None
        self.paths = paths or Paths()
        self.platform = platform
        packages, debian = self.packages, self.packages.get(DEBIAN.name, NOT_PACKAGED)
        self.packaged = platform.packaged.get(self.name) or packages.get(platform.name, debian)

    def is_present(self) -> bool:
        """Whether the server is installed."""
        return False

    def survey(self) -> Optional[Survey]:
        """What it serves and what stands in our way; None if it is not there."""
        return None

    def test(self) -> commands.Result:
        """Test the whole configuration as it is on disk."""
        if self._tested is None:
            self._tested = self._test()
        return self._tested

    def forget(self) -> None:
        """Files have changed: the next `test` really tests."""
        self._tested = None

    def master(self) -> Optional[Process]:
        """The process that holds the listening sockets."""
        return None

    def is_running(self) -> bool:
        """Whether it serves."""
        return self.master() is not None

    def reload(self) -> None:
        """Let the running server take up its configuration, and wait until new workers serve.

        Raises:
            ConfigurationError: it did not; the old workers go on serving what they had.
        """
        master = self.master()
        if master is None:
            return
        before = {worker.pid for worker in self._workers(master)}
        result = self._reload()
        if not result.ok:
            raise _not_reloaded(self.name, result.output, master)
        self._wait_for_new_workers(master, before)

    def is_loaded_since(self, uptime_s: float) -> bool:
        """Whether the serving workers started after that moment of this boot."""
        master = self.master()
        workers = self._workers(master) if master else []
        serving = workers or ([master] if master else [])
        return bool(serving) and self._judge_age([w.started_s + _TICK_S >= uptime_s for w in serving])

    def loaded_age_s(self) -> Optional[float]:
        """For how long the running server has had the configuration that it runs; None if it does not run."""
        return None

    def reads(self) -> List[Path]:
        """Files that its configuration on disk consists of, links to them, and folders that it takes files from."""
        return []

    idle_code = b""
    """What takes the place of code that is missing, and does nothing."""

    def code_file(self) -> Optional[Path]:
        """The file of code that its configuration names; None where it needs none."""
        return None

    def lost_code(self) -> Optional[Path]:
        """The same, if it is missing or was changed, so that requests fail."""
        path = self.code_file()
        return path if path and not code_files.is_intact(path) else None

    def drop_code(self) -> None:
        """Delete the configuration that names it.

        Raises:
            OSError: it cannot be deleted.
        """

    def name_faults(
        self,
        texts: Sequence[str],
        entries: Sequence[StagedEntry],
        windows: Mapping[int, Span],
        spared: Sequence[str],
    ) -> Optional[List[Tuple[str, str]]]:
        """Where our own configuration names other sites than these: expected, and got; None where it cannot be told.

        Args:
            texts: of our configuration as staged, and the names of all files of ours, a line each.
            entries: what this server is to show.
            windows: of each phase, first and last second.
            spared: names below a wildcard of theirs that are to stay as usual.
        """
        return None

    def readiness(self) -> List[Finding]:
        """Why it would not show what is staged, besides what is asked of every server."""
        return []

    def _test(self) -> commands.Result:
        return commands.Result(True, "")

    def _reload(self) -> commands.Result:
        return commands.Result(True, "")

    def _judge_age(self, are_new: Sequence[bool]) -> bool:
        """Whether workers of these ages mean that the configuration is loaded."""
        return all(are_new)

    def _workers(self, master: Process) -> List[Process]:
        """Children that accept new connections."""
        return processes.children(master.pid)

    def _wait_for_new_workers(self, master: Process, before: Set[int]) -> None:
        """Until a new worker is there, then a little until no old one accepts connections any more."""
        deadline = time.monotonic() + RELOAD_TIMEOUT_S
        while before:
            if any(worker.pid not in before for worker in self._workers(master)):
                break
            if time.monotonic() > deadline:
                output = f"no new worker within {RELOAD_TIMEOUT_S:.0f} s; see its error log"
                raise _not_reloaded(self.name, output, master)
            pause(_TICK_S / 2)
        deadline = time.monotonic() + LINGER_S
        while time.monotonic() < deadline and any(w.pid in before for w in self._workers(master)):
            pause(_TICK_S / 2)


def _not_reloaded(name: str, output: str, master: Process) -> ConfigurationError:
    message = f"{name} did not take up its configuration."
    hint = _RESTART.format(name=name) if processes.is_replaced(master.pid) else ""
    finding = Finding("error", "not-reloaded", name, message, got=output.strip(), hint=hint)
    return ConfigurationError(message, [finding])


IN_MEMORY = (
    "What it has of ours in memory shows nothing without flags and ends with the window; its next reload or restart"
    " forgets it."
)
_RESTART = (
    "the program of {name} was replaced since it was started, by an upgrade say: have its owner restart it"
)


def missing(name: str) -> Finding:
    """The finding for a server that a bundle needs and that is not there."""
    message, hint = f"{name} is not installed here.", "survey this host again, then plan and stage"
    return Finding("error", "server-missing", name, message, hint=hint)


def broken(server: WebServer) -> Finding:
    """The finding for a configuration that its own server refuses: where it says so, and whose file that is."""
    output = server.test().output
    complaint = complaints.first_complaint(output, server.paths)
    message = f"{server.name} refuses its configuration as it is on disk{complaint.words}."
    hint = f"{complaint.hint}; `{server.test_in_words}` shows where"
    return Finding(
        "error", "configuration-broken", server.name, message, got=output.strip()[-2000:], hint=hint
    )


def short_of_memory(server: WebServer) -> List[Finding]:
    """Why to leave a server as it runs: what has passed its test is so large that its master could be killed for it.

    At a reload it holds the new configuration beside the old one, and afterwards the new one beside that of each test.
    """
    master, available_kb = server.master(), memory.available_kb(server.paths.meminfo)
    if master is None or available_kb is None:
        return []
    needed_kb = 2 * memory.largest_child_kb() - memory.resident_kb(master.pid)
    if available_kb >= needed_kb:
        return []
    message = f"{server.name} has too little memory here: the kernel could end it at a reload, or at the test after it."
    hint = f"more memory or swap, or fewer virtual hosts on this host{server.lean_in_words}"
    expected, got = f"{needed_kb >> 10} MB available", f"{available_kb >> 10} MB"
    return [Finding("error", "memory-short", server.name, message, expected, got, hint)]


def kept(findings: Iterable[Finding]) -> List[Finding]:
    """The findings of a reload that did not work, where that is no reason to bring our files back."""
    return [replace(f, severity="warning", message=f"{f.message} {IN_MEMORY}") for f in findings]


def left_as_it_runs(server: WebServer) -> Finding:
    """The finding for one that refuses its configuration as it did before ours was taken out."""
    return unloaded(server, IN_MEMORY if server.is_running() else "")


def unloaded(server: WebServer, more: str = "", severity: Severity = "warning") -> Finding:
    """The finding for a server that was not reloaded, since it would refuse; `more` says what that means."""
    output = server.test().output
    complaint = complaints.first_complaint(output, server.paths)
    message = f"{server.name} was not reloaded, since it refuses its configuration on disk{complaint.words}."
    return Finding(
        severity,
        "not-reloaded",
        server.name,
        f"{message} {more}".rstrip(),
        got=output.strip()[-2000:],
        hint=complaint.hint,
    )
