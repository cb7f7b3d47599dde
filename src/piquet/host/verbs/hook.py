# SPDX-License-Identifier: GPL-3.0-or-later
"""Hook and unhook: our one line into every server block of nginx, and exactly that line out again.

Both are one transaction over all files, with nginx's own test before it is kept. A file that is not as it was surveyed
is refused, since somebody is working on it. Apache needs no hook, nor does nginx that works by Lua.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from piquet.host import hook_watch, hooked_files, loaded, outcome, stops, takedown
from piquet.host.errors import AgentError
from piquet.host.machine import Machine, recover, undo_open
from piquet.host.outcome import Outcome, Request
from piquet.host.servers import web_server
from piquet.host.servers.nginx import hook_line
from piquet.host.servers.nginx.tokens import ConfigSyntaxError
from piquet.host.state import store, transaction
from piquet.host.system import files
from piquet.host.system.files import Change
from piquet.host.system.lock import locked
from piquet.protocol.findings import Finding, errors


def hook(machine: Machine, request: Request) -> Outcome:
    """Insert the line where it is missing or not the first, in the files that were surveyed."""
    with contextlib.nullcontext() if request.is_check else locked(machine.paths):
        found = [] if request.is_check else recover(machine, request.verb)
        if not machine.nginx.is_present():
            return Outcome(False, "There is no nginx here; nothing to hook.", tuple(found))
        if request.options.get("is_by_lua"):
            message = "nginx works by Lua here and needs no hook (piquet_nginx: include would hook it)."
            return Outcome(False, message, tuple(found))
        if not request.options.get("files"):
            return Outcome(False, "The survey found nothing to hook here.", tuple(found))
        changes, more = _insertions(machine, request.options.get("files", {}))
        if changes and not errors(more) and machine.nginx.test().ok:
            more += loaded.refusals_of_unloaded(machine, request, ["nginx"])
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
    configuration = machine.nginx.configuration()
    findings = list(configuration.findings)
    unhooked = {block.file for block in configuration.blocks if block.hooked is None or block.is_late}
    changes = []
    for path, context in sorted((p, c) for p, c in configuration.contexts.items() if p in unhooked):
        if str(path) not in surveyed:
            message = "It has come since the survey and was left alone."
            findings.append(
                Finding("warning", "not-surveyed", str(path), message, hint="survey again, then hook")
            )
            continue
        change, finding = _insertion(machine, path, context, surveyed[str(path)])
        changes += [change] if change else []
        findings += [finding] if finding else []
    read = {str(path) for path in configuration.files}
    gone = [name for name in surveyed if name not in read]
    findings += [Finding("warning", "file-gone", name, "nginx does not read it any more.") for name in gone]
    return changes, findings


def _insertion(
    machine: Machine, path: Path, context: str, digest: str
) -> Tuple[Change | None, Finding | None]:
    """The change of one file, or why it is refused."""
    text = machine.nginx.configuration().files[path]
    include = machine.paths.hook_include
    is_late = any(block.is_late for block in machine.nginx.blocks() if block.file == path)
    put = hook_line.insert_first if is_late else hook_line.insert_hook
    owners = files.sha256(hook_line.remove_hook(text, include))
    if digest != owners:
        message, hint = "It was changed since the survey.", "survey again, then hook"
        return None, Finding("error", "file-changed", str(path), message, digest, owners, hint)
    if path.stat().st_nlink > 1:
        message = "It has several hard links; replacing it would split them."
        return None, Finding(
            "error", "hard-links", str(path), message, hint="put the include line in yourself"
        )
    try:
        hooked, origin = put(text, context, include), files.sha256(text)
        return Change(path, files.FILE, hooked, origin=origin), None
    except (
        ConfigSyntaxError,
        hook_line.RemainsError,
    ) as error:  # the text was read before: remains, most likely
        message, hint = (
            "Our line cannot be put in.",
            "take that line out of the file, survey again, then hook",
        )
        return None, Finding("error", "not-hookable", str(path), message, got=str(error), hint=hint)


def _carry_out(
    machine: Machine, request: Request, changes: List[Change], findings: List[Finding], done: str
) -> Outcome:
    """Check mode, or one transaction with test and reload."""
    shown = outcome.texts_before_and_after(changes) if request.wants_diff else ()
    if errors(findings):
        return Outcome(False, f"Nothing was {done}: see the problems.", tuple(findings))
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

    Where somebody had broken the configuration before, unhook still goes on (without a reload), hook does not.
    Nor is a reload that fails in spite of a passed test a reason to undo an unhook.
    """
    before = machine.nginx.test() if machine.nginx.is_present() else None
    was_broken = before is not None and not before.ok
    if was_broken and verb == "hook":
        return [web_server.broken(machine.nginx)]
    keys = hook_watch.unhooked_keys(machine) if verb == "hook" else frozenset()
    found, told, failures = stops.unhooked(machine, verb, keys), [], []
    try:
        transaction.make_changes(
            machine.paths, verb, [*changes, _list_change(machine, verb, changes)], ["nginx"]
        )
        told = _take_up(machine, verb, was_broken)
        failures = list(errors(told))
    except (OSError, AgentError) as error:
        failures = [Finding("error", "not-written", str(machine.paths.hooks), str(error))]
    if failures:
        machine.log(verb, "failed", findings=[f.to_json() for f in failures])
        return [*found, *failures, *undo_open(machine)]
    transaction.commit(machine.paths)
    machine.nginx.forget()
    return [*found, *told]


def _list_change(machine: Machine, verb: str, changes: List[Change]) -> Change:
    """The list of hooked files, as part of the same transaction."""
    if verb == "unhook":
        return Change(machine.paths.hooks, files.GONE)
    record: Dict[str, Any] = store.hooked(machine.paths)
    for change in changes:
        text = change.path.read_bytes()
        record["files"][str(change.path)] = {
            "before": files.sha256(hook_line.remove_hook(text, machine.paths.hook_include)),
            "after": files.sha256(change.data),
        }
    return Change(machine.paths.hooks, files.FILE, store.encode(record), 0o600)


def _take_up(machine: Machine, verb: str, was_broken: bool) -> List[Finding]:
    """nginx's own judgement on the new files; what cannot be reloaded is no reason to put a line back."""
    machine.nginx.forget()
    if not machine.nginx.is_present():
        return []
    if not machine.nginx.test().ok:
        is_kept = was_broken and verb == "unhook"
        return [web_server.left_as_it_runs(machine.nginx) if is_kept else web_server.broken(machine.nginx)]
    try:
        machine.nginx.reload()
        return []
    except AgentError as error:
        return web_server.kept(error.findings) if verb == "unhook" else list(error.findings)
