# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage: put the inert bundle in its place, as one transaction with one test and one reload.

The chain of trust is checked first: plan digest → plan.json → this host's manifest → each file. Files of an earlier
bundle that the new one does not have are deleted in the same transaction. Nothing that a visitor sees changes.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from piquet.host import loaded, outcome, reconciliation, takedown, witnesses
from piquet.host.errors import AgentError, PayloadError
from piquet.host.machine import Machine, recover, this_boot, undo_open
from piquet.host.outcome import Outcome, Request
from piquet.host.servers import web_server
from piquet.host.state import armed, code_files, manifest, store, transaction
from piquet.host.state.manifest import Manifest
from piquet.host.system import files, processes
from piquet.host.system.files import Change
from piquet.host.system.lock import locked
from piquet.host.system.schedule import Schedule
from piquet.protocol.findings import Finding, errors
from piquet.protocol.places import DECISION_FILE, ETC, SIGNATURES

_STAGE_AGAIN = "stage again; if it stays so, plan again with one version of piquet everywhere"


def run(machine: Machine, request: Request) -> Outcome:
    """Verify the payload, compare with what is there, write what differs."""
    digest = str(request.options.get("plan_digest", ""))
    bundle = open_payload(request, digest)
    with contextlib.nullcontext() if request.is_check else locked(machine.paths):
        findings = [] if request.is_check else recover(machine, request.verb)
        if not request.is_check:
            findings += reconciliation.reconcile_now(machine, request.verb)[1]
        changes = outcome.pending(wanted(machine, request, bundle, digest))
        code = code_files.missing_code(machine.paths, bundle.files)
        is_done = not (changes or code) and loaded.is_loaded(machine, bundle) and _is_watched(machine, bundle)
        findings += refusals_to_stage(machine, bundle, digest if is_done else "") + transaction.refusals(
            changes
        )
        if not (is_done or errors(findings)):
            findings += loaded.refusals_of_unloaded(machine, request, bundle.providers)
        if errors(findings):
            return Outcome(False, "Nothing was staged.", tuple(findings))
        shown = outcome.texts_before_and_after(changes) if request.wants_diff else ()
        if request.is_check:
            message = "Everything is staged already." if is_done else f"{len(changes)} files would change."
            return Outcome(not is_done, message, tuple(findings), shown)
        if is_done:
            return Outcome(False, "Everything is staged already.", tuple(findings))
        findings += takedown.end_rehearsal(machine, request.verb)[1]  # it was of what was staged before
        if errors(findings):
            return Outcome(False, "Nothing was staged.", tuple(findings))
        failures = _write_code(machine, request, bundle, code)
        failures = failures or _transact(machine, request.verb, bundle, digest, changes)
    if errors(failures):
        return Outcome(False, "Staging failed; every file is as it was.", (*findings, *failures))
    return Outcome(
        True, f"Staged: {len(changes)} files changed, nothing visible.", (*findings, *failures), shown
    )


def open_payload(request: Request, digest: str) -> Manifest:
    """The manifest, once plan, manifest and every file are what the digest promises.

    Raises:
        PayloadError: with every mismatch.
    """
    plan, document = request.members.get("plan.json", b""), request.members.get("manifest.json", b"")
    if files.sha256(plan) != digest:
        raise _mismatch("plan.json", digest, files.sha256(plan))
    try:
        host = str(json.loads(document)["host"])
        promised = json.loads(plan)["hosts"][host]["manifest"]
    except (ValueError, KeyError, TypeError) as error:
        message = "The plan does not know the host that this bundle is for."
        expected = f"one of {', '.join(_hosts_of(plan)) or 'its hosts'}"
        finding = Finding("error", "payload-mismatch", "manifest.json", message, expected, hint=_STAGE_AGAIN)
        raise PayloadError(message, [finding]) from error
    decision = json.loads(plan).get("decision", "")
    if decision and files.sha256(request.members.get(DECISION_FILE, b"")) != decision:
        raise _mismatch(DECISION_FILE, decision, "other bytes, or none")
    if promised != files.sha256(document) or (request.host and host != request.host):
        raise _mismatch("manifest.json", promised, files.sha256(document))
    bundle = Manifest(json.loads(document))
    wrong = [r for r in bundle.files if r["kind"] == "file" and not _is_right(request, r)]
    if wrong:
        raise _mismatch(str(wrong[0]["path"]), str(wrong[0]["sha256"]), "other bytes, or none")
    return bundle


def _is_right(request: Request, record: Mapping[str, Any]) -> bool:
    data = request.members.get(f"files/{record['sha256']}")
    return data is not None and files.sha256(data) == record["sha256"]


def _mismatch(name: str, expected: str, got: str) -> PayloadError:
    message = f"{name} is not what the plan promises; nothing was written."
    return PayloadError(
        message, [Finding("error", "payload-mismatch", name, message, expected, got, _STAGE_AGAIN)]
    )


def _hosts_of(plan: bytes) -> List[str]:
    """Names of the plan's hosts, for a message."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        return [str(name) for name in sorted(json.loads(plan)["hosts"])]
    return []


def refusals_to_stage(machine: Machine, bundle: Manifest, done: str = "") -> List[Finding]:
    """Why this bundle cannot be staged now.

    Args:
        machine: this host.
        bundle: what is to be staged.
        done: digest of a plan that is in place in every byte; to stage it again is no work, also where it is armed.
    """
    findings: List[Finding] = []
    current = armed.current_arming(machine.paths)
    if current is not None and machine.now() < current.end and current.plan_digest != done:
        message = f"The host is armed with {current.campaign}."
        findings.append(Finding("error", "armed", machine.paths.armed.name, message, hint="rollback first"))
    for name in bundle.providers:
        server = machine.servers.get(name)
        if server is None or not server.is_present():
            findings.append(web_server.missing(name))
        elif not server.test().ok:
            findings.append(web_server.broken(server))
        elif not server.is_running():
            findings.append(
                Finding("warning", "not-running", name, f"{name} is not running; it was not reloaded.")
            )
    return findings


def wanted(machine: Machine, request: Request, bundle: Manifest, digest: str) -> List[Change]:
    """What every path of the bundle, and of the one before it, should be."""
    paths = machine.paths
    changes = [
        manifest.change_for(paths, record, request.members.get(f"files/{record.get('sha256')}", b""), digest)
        for record in sorted(bundle.files, key=lambda r: manifest.server_rank(str(r["path"])) or 0)
        if not code_files.is_code(str(record["path"]))
    ]
    changes.append(Change(paths.manifest, files.FILE, request.members["manifest.json"], 0o600))
    changes.append(Change(paths.plan, files.FILE, request.members["plan.json"], 0o600))
    changes += _decision(machine, request)
    new = {change.path for change in changes}
    before = store.installed(paths) or {"files": []}
    old = [paths.at(n) for n in manifest.last_loaded_first(before["files"]) if not code_files.is_code(n)]
    return changes + [Change(path, files.GONE) for path in old if path not in new]


def _decision(machine: Machine, request: Request) -> List[Change]:
    """What people voted on, with its signatures; each goes where there is none."""
    paths, document = machine.paths, request.members.get(DECISION_FILE)
    texts = {
        name[len(SIGNATURES) :]: data.decode("ascii", "replace")
        for name, data in request.members.items()
        if name.startswith(SIGNATURES)
    }
    return [
        Change(paths.decision, files.FILE, document, 0o600)
        if document
        else Change(paths.decision, files.GONE),
        Change(paths.signatures, files.FILE, store.encode(texts), 0o600)
        if texts
        else Change(paths.signatures, files.GONE),
    ]


def _is_watched(machine: Machine, bundle: Manifest) -> bool:
    """Whether the schedule waits, or nothing that stage could do would make it."""
    schedule = machine.schedule(bundle.scheduler)
    return not schedule.is_usable() or schedule.timer(machine.now())[0]


def _installed_list(machine: Machine, bundle: Manifest, digest: str, changes: List[Change]) -> Change:
    """The list of all that is ours, with the moment since which workers must have started."""
    before = store.installed(machine.paths) or {}
    folders = [str(path) for path in files.missing_folders(change.path for change in changes)]
    record: Dict[str, Any] = {
        "piquet_installed": 1,
        "campaign": bundle.campaign,
        "plan_digest": digest,
        "files": [str(r["path"]) for r in bundle.files] + [f"{ETC}/manifest.json", f"{ETC}/plan.json"],
        "folders": sorted({*before.get("folders", []), *folders}),
        "staged": {"boot_id": this_boot(machine), "uptime_s": round(processes.uptime_s(), 2)},
    }
    return Change(machine.paths.installed, files.FILE, store.encode(record), 0o600)


def _write_code(
    machine: Machine, request: Request, bundle: Manifest, records: Sequence[Mapping[str, Any]]
) -> List[Finding]:
    """Before what names it: see `code_files`."""
    try:
        for record in records:
            code_files.write_code(machine.paths, record, request.members[f"files/{record['sha256']}"])
        code_files.touch_others(machine.paths, bundle.files)
    except OSError as error:
        return [Finding("error", "not-written", str(machine.paths.code), str(error))]
    return []


def _transact(
    machine: Machine, verb: str, bundle: Manifest, digest: str, changes: List[Change]
) -> List[Finding]:
    """Write, test, reload, ask, keep; on any failure put everything back."""
    answers = witnesses.ask(witnesses.of_bundle(bundle))
    try:
        record = _installed_list(machine, bundle, digest, changes)
        transaction.make_changes(machine.paths, verb, [*changes, record], bundle.providers)
        failures = _take_up(machine, bundle, changes, answers)
    except (OSError, AgentError) as error:
        found = error.findings if isinstance(error, AgentError) else ()
        failures = [*found] or [Finding("error", "not-written", str(machine.paths.etc), str(error))]
    if errors(failures):
        machine.log(verb, "failed", findings=[f.to_json() for f in failures])
        undone = undo_open(machine) if transaction.is_open(machine.paths) else []
        return [*failures, *undone, *witnesses.faults_that_stay(answers, failures)]
    transaction.commit(machine.paths)
    _close(machine)
    machine.log(verb, "staged", campaign=bundle.campaign, plan_digest=digest, files=len(changes))
    return failures


def _close(machine: Machine) -> None:
    """An older version left `/etc/piquet` open to everybody, and the empty folders of the last campaign stay behind."""
    with contextlib.suppress(OSError):
        machine.paths.etc.chmod(machine.paths.folder_mode(machine.paths.etc))
    record = store.read_or_none(machine.paths.installed) or {"folders": []}
    files.remove_empty(Path(f) for f in record["folders"] if machine.paths.lib in Path(f).parents)


def _take_up(
    machine: Machine, bundle: Manifest, changes: List[Change], answers: witnesses.Answers
) -> List[Finding]:
    """Let servers and timers take up what was written; ask sites again that were asked before.

    Raises:
        ConfigurationError: a server did not.
    """
    for server in machine.chosen(bundle.providers):
        server.forget()
        if not server.test().ok:
            return [web_server.broken(server)]
        if short := web_server.short_of_memory(server):
            return short
    for server in machine.chosen(bundle.providers):
        server.reload()
    found = witnesses.faults_since(answers)
    return found if errors(found) else [*found, *_take_up_schedule(machine, bundle, changes)]


def _take_up_schedule(machine: Machine, bundle: Manifest, changes: List[Change]) -> List[Finding]:
    """Let the schedule begin; then, since nothing can fail any more, let go of one that it replaces."""
    schedule = machine.schedule(bundle.scheduler)
    findings: List[Finding] = []
    if not schedule.is_usable():
        fault = schedule.fault(machine.now())
        findings += [replace(fault, severity="warning")] if fault else []
    elif _touches(machine, schedule, changes) or not schedule.timer(machine.now())[0]:
        started = schedule.take_up()
        if not started.ok:
            message = "The timer could not be started; only the lease would end the window."
            return [Finding("error", "timer-not-started", schedule.name, message, got=started.output[-500:])]
    for other in machine.schedules.values():
        if other.name != bundle.scheduler and _touches(machine, other, changes):
            other.drop()
    return findings


def _touches(machine: Machine, schedule: Schedule, changes: List[Change]) -> bool:
    """Whether files of this schedule came, went or changed."""
    root = len(machine.paths.root)
    return any(schedule.owns(str(change.path)[root:]) for change in changes)
