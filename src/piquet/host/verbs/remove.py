# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove: rollback, unhook, delete all that is ours, and prove that nothing is left.

The order keeps every moment safe: flags and arming first; then the timer, without the lock (stopping the boot unit runs
reconcile, which takes it); then hooks and files as one transaction with test and reload; then the folders; the agent's
own file last.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Dict, List, Sequence

from piquet.host import decided, hooked_files, outcome, stop_now
from piquet.host.errors import AgentError
from piquet.host.machine import Machine, recover, undo_open
from piquet.host.outcome import Outcome, Request
from piquet.host.servers import web_server
from piquet.host.state import manifest, store, transaction
from piquet.host.system import files
from piquet.host.system.files import Change
from piquet.host.system.lock import locked
from piquet.protocol.findings import Finding, errors


def run(machine: Machine, request: Request) -> Outcome:
    """Take everything back."""
    if request.is_check:
        changes = outcome.pending([*hooked_files.removals(machine), *_deletions(machine), *_agent(machine)])
        shown = outcome.texts_before_and_after(changes) if request.wants_diff else ()
        return Outcome(bool(changes), f"{len(changes)} files would be taken back.", diff=shown)
    places = any(files.exists(path) for path in _places(machine))
    findings = list(stop_now.stop_now(machine, request.verb).findings)
    was_there = places or bool(leftovers(machine))  # files are read when the flags are down
    for schedule in machine.schedules.values():
        schedule.stop()
    with locked(machine.paths):
        findings += recover(machine, request.verb)
        failures = _transact(machine, request.verb)
        findings += failures
        kept = [finding.subject for finding in failures if finding.code == "not-reloaded"]
        is_read = any(machine.servers[name].idle_code for name in kept)
        reasons = {} if errors(failures) else _delete_rest(machine, with_code=not is_read)
    for schedule in machine.schedules.values():
        schedule.read_units()
        schedule.forget_failures()
    left = leftovers(machine)
    findings += [Finding("error", "left", str(p), "It is still there.", got=reasons.get(p, "")) for p in left]
    findings += decided.trust_folder_is_kept(machine)
    return Outcome(was_there, _sentence(machine, was_there, bool(left), kept), tuple(findings))


def _sentence(machine: Machine, was_there: bool, is_left: bool, kept: Sequence[str]) -> str:
    """What is left; a server that was not reloaded has in memory what it had."""
    if is_left:
        return "Not everything could be taken back: see what is left."
    running = [name for name in kept if machine.servers[name].is_running()]
    if was_there and running:
        return f"Removed: no file of piquet is left; {' and '.join(running)} must be reloaded to forget it."
    return "Removed: nothing of piquet is left." if was_there else "Nothing of piquet was here."


def leftovers(machine: Machine) -> List[Path]:
    """All of ours that is on this machine."""
    own = [change.path for change in _deletions(machine)] + _places(machine)
    return sorted({path for path in own if files.exists(path)} | hooked_files.hooked_files(machine))


def _places(machine: Machine) -> List[Path]:
    """Folders and files of ours that are known without reading anything."""
    paths = machine.paths
    return [
        paths.etc,
        paths.lib,
        paths.run,
        paths.spool,
        paths.code,
        paths.boot_mark,
        paths.agent,
        paths.timer_stamp,
    ]


def _deletions(machine: Machine) -> List[Change]:
    """Every installed file but the agent, which must run to the end, and code; the manifest knows them too."""
    record, staged = store.installed(machine.paths), manifest.staged(machine.paths)
    names = set(record["files"]) if record else {str(r["path"]) for r in staged.files} if staged else set()
    found = [machine.paths.at(name) for name in manifest.last_loaded_first(names)]
    found = found or _unrecorded_files(machine)
    left_for_later = {machine.paths.agent, machine.paths.code}
    return [Change(path, files.GONE) for path in found if not left_for_later & {path, path.parent}]


def _unrecorded_files(machine: Machine) -> List[Path]:
    """Our file in a server's own folder without a record of it: a copy that somebody's tool has put back since."""
    found = []
    for server in machine.present().values():
        copies = {path for path in server.reads() if path.name == server.dropin and path.is_file()}
        found += [path for path in sorted(copies) if server.dropin_sign in path.read_bytes()]
    return found


def _agent(machine: Machine) -> List[Change]:
    return [Change(machine.paths.agent, files.GONE)]


def _transact(machine: Machine, verb: str) -> List[Finding]:
    """Hooks and files in one step; kept if every server still passes the test that it passed before."""
    changes = outcome.pending([*hooked_files.removals(machine), *_deletions(machine)])
    present = machine.present()
    were_broken = {name for name, server in present.items() if not server.test().ok}
    if not (changes or machine.paths.code.exists()):
        return []
    try:
        transaction.make_changes(machine.paths, verb, changes, list(present))
        failures = [f for n, s in present.items() for f in _take_up(s, n in were_broken)]
    except OSError as error:
        failures = [Finding("error", "not-written", str(machine.paths.etc), str(error))]
    if errors(failures):
        machine.log(verb, "failed", findings=[f.to_json() for f in failures])
        return [*failures, *(undo_open(machine) if transaction.is_open(machine.paths) else [])]
    transaction.commit(machine.paths)
    return failures


def _take_up(server: web_server.WebServer, was_broken: bool) -> List[Finding]:
    """Test and reload one server; one that somebody else broke, or that cannot be reloaded, is left as it runs.

    What fails its test only without our files is a failure, and they come back. One that passes it and does not reload
    would not with our files either: they stay away.
    """
    server.forget()
    if not server.test().ok:
        return [web_server.left_as_it_runs(server) if was_broken else web_server.broken(server)]
    try:
        server.reload()
        return []
    except AgentError as error:
        return web_server.kept(error.findings)


def _delete_rest(machine: Machine, *, with_code: bool) -> Dict[Path, str]:
    """Our folders, the agent's own file, the lock, and folders made for single files, where they are empty.

    Code stays where a server was not reloaded and goes on reading it.

    Returns:
        what could not be deleted, and why.
    """
    record = store.installed(machine.paths) or {"folders": []}
    paths = machine.paths
    for folder in (paths.spool, paths.etc, paths.run, paths.lib, *([paths.code] if with_code else [])):
        shutil.rmtree(str(folder), ignore_errors=True)
    reasons: Dict[Path, str] = {}
    for path in (paths.timer_stamp, paths.agent, paths.lock, paths.recall, paths.boot_mark):
        try:
            files.remove(path)
        except OSError as error:
            reasons[path] = error.strerror or str(error)
    files.remove_empty(Path(name) for name in record["folders"])
    return reasons
