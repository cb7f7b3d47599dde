# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollback: back to normal now. Needs no network, no lock, no working configuration and no free disk space."""

from __future__ import annotations

import contextlib
from typing import List

from piquet.host import armed, nginx, recall, release, servers
from piquet.host.errors import AgentError, LockedError
from piquet.host.findings import Finding
from piquet.host.lock import locked
from piquet.host.machine import Machine, recover
from piquet.host.outcome import Outcome, Request


def run(machine: Machine, request: Request) -> Outcome:
    """Take the flags away at once, then disarm for good, then look whether it is true."""
    is_changed = _is_something_up(machine)
    if request.is_check:
        return Outcome(is_changed, "It would be released." if is_changed else "Nothing is armed.")
    recall.stamp(machine.paths)
    findings = release.flags_down(machine)  # before the lock: whoever holds it may hang
    try:
        with locked(machine.paths):
            findings += recover(machine, request.verb)
            is_changed = is_changed or _is_something_up(machine)
            findings += _release(machine, request.verb, is_changed)
    except (LockedError, OSError) as error:
        found = error.findings if isinstance(error, LockedError) else ()
        findings += found or (Finding("warning", "no-lock", str(machine.paths.lock), str(error)),)
        findings += _release(machine, request.verb, is_changed)
    message = (
        "Released: every site is as usual." if is_changed else "Nothing was armed; every site is as usual."
    )
    return Outcome(is_changed, message, tuple(findings))


def _is_something_up(machine: Machine) -> bool:
    """Whether there is anything to release; asked again behind the lock, since an arm may have held it."""
    return machine.paths.armed.exists() or machine.paths.live.is_symlink()


def _release(machine: Machine, verb: str, is_changed: bool) -> List[Finding]:
    """Disarm, and where something was live look at what the servers really answer."""
    has_begun = _has_begun(machine)
    findings = release.disarm(machine, verb, "rollback") if is_changed else release.flags_down(machine)
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
