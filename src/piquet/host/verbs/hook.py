# SPDX-License-Identifier: GPL-3.0-or-later
"""Hook and unhook: our one line into every virtual host that needs it, and exactly that line out again.

Both are one transaction over all files, with the server's own test before it is kept. A file that is not as it was
surveyed is refused, since somebody is working on it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from piquet.host import hook_watch, hooked_files, loaded, outcome, stops, takedown, witnesses
from piquet.host.errors import AgentError
from piquet.host.machine import Machine, recover, undo_open
from piquet.host.outcome import Outcome, Request
from piquet.host.servers import web_server
from piquet.host.servers.hooked_server import HookedServer, NotHookableError
from piquet.host.state import store, transaction
from piquet.host.system import files
from piquet.host.system.files import Change
from piquet.host.system.lock import locked
from piquet.protocol.findings import Finding, errors
from piquet.protocol.places import BY_HOOK


def hook(machine: Machine, request: Request) -> Outcome:
    """Insert the line where it is missing or not the first, in the files that were surveyed."""
    with contextlib.nullcontext() if request.is_check else locked(machine.paths):
        found = [] if request.is_check else recover(machine, request.verb)
        server = machine.hooked_server
        if not server.is_present():
            return Outcome(False, f"There is no {server.title} here; nothing to hook.", tuple(found))
        if request.options.get("is_by_lua"):
            message = (
                f"{server.title} works by Lua here and needs no hook "
                f"(piquet_{server.name}: {BY_HOOK} would hook it)."
            )
            return Outcome(False, message, tuple(found))
        if not request.options.get("files"):
            return Outcome(False, "The survey found nothing to hook here.", tuple(found))
        changes, more = _insertions(machine, request.options.get("files", {}))
        more += transaction.refusals(changes)
        if changes and not server.test().ok:
            more.append(web_server.broken(server))
        elif changes and not errors(more):
            more += loaded.refusals_of_unloaded(machine, request, [server.name])
        return _carry_out(machine, request, changes, [*found, *more], "hooked")


def unhook(machine: Machine, request: Request) -> Outcome:
    """Take the line out of every file that carries it."""
    with contextlib.nullcontext() if request.is_check else locked(machine.paths):
        found = [] if request.is_check else recover(machine, request.verb)
        changes = hooked_files.removals(machine)
        if changes and not request.is_check:
            found += _stop_armed(machine, request.verb)
        return _carry_out(machine, request, changes, found, "unhooked")


def _stop_armed(machine: Machine, verb: str) -> List[Finding]:
    """Whoever takes the hooks out of an armed host stops it: a later hook must not show anything again."""
    if not machine.paths.armed.exists():
        return takedown.unarmed(machine, verb)
    message, hint = "The host was armed; unhooking stops it for good.", "to start again: hook, stage, arm"
    told = Finding("warning", "stopped", machine.paths.armed.name, message, hint=hint)
    return [told, *takedown.disarm(machine, verb, "stopped by hand")]


def _insertions(machine: Machine, surveyed: Mapping[str, str]) -> Tuple[List[Change], List[Finding]]:
    """New texts of the surveyed files, and every reason not to write them."""
    server = machine.hooked_server
    configuration = server.configuration()
    findings = list(configuration.findings)
    unhooked = {block.file for block in server.blocks() if block.hooked is None or block.is_late}
    changes: Dict[Change, None] = {}  # in their order, a file of ours that several bring once
    for path in sorted(unhooked & set(configuration.contexts)):
        if str(path) not in surveyed:
            message = "It has come since the survey and was left alone."
            findings.append(
                Finding("warning", "not-surveyed", str(path), message, hint="survey again, then hook")
            )
            continue
        made, found = _insertion(server, path, surveyed[str(path)])
        changes.update(dict.fromkeys(made))
        findings += found
    read = {str(path) for path in configuration.files}
    gone = [name for name in surveyed if name not in read]
    findings += [
        Finding("warning", "file-gone", name, f"{server.name} does not read it any more.") for name in gone
    ]
    return list(changes), findings


def _insertion(server: HookedServer, path: Path, digest: str) -> Tuple[List[Change], List[Finding]]:
    """What puts the line into one file's virtual hosts, or why that is refused."""
    text = server.configuration().files[path]
    owners = files.sha256(server.without_hook(text))
    if digest != owners:
        message, hint = "It was changed since the survey.", "survey again, then hook"
        return [], [Finding("error", "file-changed", str(path), message, digest, owners, hint)]
    try:
        hooked = server.with_hook(path)
    except NotHookableError as error:
        message = "Our line cannot be put in."
        hint = "take that line out of the file, survey again, then hook"
        return [], [Finding("error", "not-hookable", str(path), message, got=str(error), hint=hint)]
    if hooked != text and path.stat().st_nlink > 1:
        message = "It has several hard links; replacing it would split them."
        hint = "put the include line in yourself"
        return [], [Finding("error", "hard-links", str(path), message, hint=hint)]
    own, found = _own_files(server, path)
    edits = [Change(path, files.FILE, hooked, origin=files.sha256(text))] if hooked != text else []
    return [*own, *edits], found


def _own_files(server: HookedServer, path: Path) -> Tuple[List[Change], List[Finding]]:
    """Files of our own that bring the line into a file's virtual hosts; one of somebody else's stays as it is."""
    changes, found = [], []
    for place, text in server.own_files(path).items():
        kind = files.GONE if text is None else files.FILE
        change = Change(place, kind, text or b"", 0o644)
        if files.is_done(change):
            continue
        is_theirs = files.exists(place) and not _is_ours(server, place)
        if is_theirs and text is not None:
            message = "It has the name of a file of ours, and is not ours."
            hint = "have its owner move it to another name, then hook"
            found.append(Finding("error", "place-taken", str(place), message, hint=hint))
        elif not is_theirs:
            changes.append(change)
    return changes, found


def _is_ours(server: HookedServer, path: Path) -> bool:
    """Whether it is a file with nothing but our line."""
    is_file = path.is_file() and not path.is_symlink()
    return is_file and server.has_hook(path.read_bytes()) and not server.without_hook(path.read_bytes())


def _carry_out(
    machine: Machine, request: Request, changes: List[Change], findings: List[Finding], done: str
) -> Outcome:
    """Check mode, or one transaction with test and reload."""
    shown = outcome.texts_before_and_after(changes) if request.wants_diff else ()
    if errors(findings):
        return Outcome(False, f"Nothing was {done}.", tuple(findings))
    if not changes:
        _forget_if_clean(machine, request)
        return Outcome(False, f"Everything was {done} already.", tuple(findings))
    if request.is_check:
        return Outcome(True, f"{len(changes)} files would be {done}.", tuple(findings), shown)
    findings += _transact(machine, request.verb, changes)
    if errors(findings):
        return Outcome(False, f"Nothing was {done}; every file is as it was.", tuple(findings))
    machine.log(request.verb, done, files=[str(change.path) for change in changes])
    return Outcome(True, f"{len(changes)} files {done}.", tuple(findings), shown)


def _forget_if_clean(machine: Machine, request: Request) -> None:
    """After an unhook with nothing left to take out, drop the list."""
    if request.verb == "unhook" and not request.is_check and machine.paths.hooks.exists():
        files.remove(machine.paths.hooks)


def _transact(machine: Machine, verb: str, changes: List[Change]) -> List[Finding]:
    """Write, test, reload, keep; on any failure put everything back.

    Where somebody had broken the configuration before, hook was refused; unhook still goes on, without a reload. Nor is
    a reload that fails in spite of a passed test a reason to undo an unhook.
    """
    server = machine.hooked_server
    was_broken = server.is_present() and not server.test().ok
    keys = hook_watch.unhooked_keys(machine) if verb == "hook" else frozenset()
    found, told, failures = stops.unhooked(machine, verb, keys), [], []
    answers = witnesses.ask(witnesses.of_blocks(server)) if verb == "hook" else []
    try:
        transaction.make_changes(
            machine.paths, verb, [*changes, _list_change(machine, verb, changes)], [server.name]
        )
        told = _take_up(machine, verb, was_broken) + witnesses.faults_since(answers)
        failures = list(errors(told))
    except (OSError, AgentError) as error:
        failures = [Finding("error", "not-written", str(machine.paths.hooks), str(error))]
    if failures:
        machine.log(verb, "failed", findings=[f.to_json() for f in failures])
        undone = undo_open(machine)
        return [*found, *failures, *undone, *witnesses.faults_that_stay(answers, failures)]
    transaction.commit(machine.paths)
    return [*found, *told]


def _list_change(machine: Machine, verb: str, changes: List[Change]) -> Change:
    """The list of hooked files, as part of the same transaction."""
    if verb == "unhook":
        return Change(machine.paths.hooks, files.GONE)
    record: Dict[str, Any] = store.hooked(machine.paths)
    read = machine.hooked_server.configuration().files
    for change in changes:
        text = read.get(change.path)
        if text is None:
            text = change.path.read_bytes() if files.exists(change.path) else b""
        record["files"][str(change.path)] = {
            "before": files.sha256(machine.hooked_server.without_hook(text)),
            "after": files.sha256(change.data),
        }
    return Change(machine.paths.hooks, files.FILE, store.encode(record), 0o600)


def _take_up(machine: Machine, verb: str, was_broken: bool) -> List[Finding]:
    """The server's own judgement on the new files; what cannot be reloaded is no reason to put a line back."""
    server = machine.hooked_server
    server.forget()
    if not server.is_present():
        return []
    if not server.test().ok:
        is_kept = was_broken and verb == "unhook"
        return [web_server.left_as_it_runs(server) if is_kept else web_server.broken(server)]
    if verb == "hook" and (short := web_server.short_of_memory(server)):
        return short
    try:
        server.reload()
        return []
    except AgentError as error:
        return web_server.kept(error.findings) if verb == "unhook" else list(error.findings)
