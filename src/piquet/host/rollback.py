# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollback: back to normal now. Needs no network, no lock, no working configuration and no free disk space."""

from __future__ import annotations

import contextlib
from typing import List

from piquet.host import armed, nginx, passes, recall, release, servers, token_file
from piquet.host.errors import AgentError, LockedError
from piquet.host.findings import Finding
from piquet.host.lock import locked
from piquet.host.machine import Machine, recover
from piquet.host.outcome import Outcome, Request


def run(machine: Machine, request: Request) -> Outcome:
    """Take the flags away at once, then disarm for good, then look whether it is true."""
    is_changed, is_rehearsed = _is_something_up(machine), passes.are_there(machine.paths)
    if request.is_check:
        message = "It would be released." if is_changed or is_rehearsed else "Nothing is armed."
        return Outcome(is_changed or is_rehearsed, message)
    recall.stamp(machine.paths)
    findings = release.flags_down(machine)  # before the lock: whoever holds it may hang
    findings += release.end_rehearsal(machine, request.verb)[1]
    try:
        with locked(machine.paths):
            findings += recover(machine, request.verb)
            is_changed = is_changed or _is_something_up(machine)
            is_rehearsed = is_rehearsed or passes.are_there(machine.paths)
            findings += _release(machine, request.verb, is_changed)
    except (LockedError, OSError) as error:
        found = error.findings if isinstance(error, LockedError) else ()
        findings += found or (Finding("warning", "no-lock", str(machine.paths.lock), str(error)),)
        findings += _release(machine, request.verb, is_changed)
    return Outcome(is_changed or is_rehearsed, _sentence(is_changed, is_rehearsed), tuple(findings))


def _sentence(was_up: bool, was_rehearsed: bool) -> str:
    """What was taken away."""
    if was_up:
        return "Released: every site is as usual."
    rehearsal = "; a rehearsal was ended" if was_rehearsed else ""
    return f"Nothing was armed{rehearsal}; every site is as usual."


def _is_something_up(machine: Machine) -> bool:
    """Whether there is anything to release; asked again behind the lock, since an arm may have held it."""
    paths = machine.paths
    return paths.armed.exists() or paths.live.is_symlink() or token_file.is_there(paths)


def _release(machine: Machine, verb: str, is_changed: bool) -> List[Finding]:
    """Disarm, and where something was live look at what the servers really answer."""
    has_begun = _has_begun(machine)
    findings = release.disarm(machine, verb, "rollback") if is_changed else release.flags_down(machine)
    findings += release.end_rehearsal(machine, verb)[1]
    if is_changed:
        findings += _reload_cached(machine)
        findings += release.confirm(machine, verb) if has_begun else []
    for name, server in machine.present().items():
        if server.is_running() and not server.test().ok:
            broken = servers.broken(name, server.test().output)
            findings.append(
                Finding("warning", broken.code, name, f"{broken.message} The release did not need it.")
            )
    return findings


def _has_begun(machine: Machine) -> bool:
    """Whether a phase has begun, so that there is something to confirm."""
    with contextlib.suppress(AgentError):
        current = armed.read(machine.paths)
        return current is not None and any(phase.start <= machine.now() for phase in current.phases)
    return True


def _reload_cached(machine: Machine) -> List[Finding]:
    """With open_file_cache a removed flag is seen late, so reload, if the configuration passes its test."""
    if not machine.nginx.is_present() or not machine.nginx.is_running():
        return []
    if not nginx.http_facts(machine.nginx.configuration(), machine.paths)["open_file_cache"]:
        return []
    if not machine.nginx.test().ok:
        message = "open_file_cache is used and nginx could not be reloaded: flags may be seen for some seconds more."
        return [Finding("warning", "open-file-cache", "nginx", message)]
    try:
        machine.nginx.reload()
    except AgentError as error:
        return list(error.findings)
    message = "open_file_cache is used, so nginx was reloaded to make it forget the flags."
    return [Finding("info", "open-file-cache", "nginx", message)]
