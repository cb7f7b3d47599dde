# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking everything away, and making sure of it: flags, armed state, then what the local server really answers.

Nothing here may be stopped by somebody else's mistake: a broken configuration, a full or read-only disk and a dead
server are said, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import Any, Collection, Dict, Iterator, List, Optional, Sequence, Tuple

from piquet.host import flag_memory, proof
from piquet.host.errors import AgentError
from piquet.host.machine import Machine
from piquet.host.servers import probe, web_server
from piquet.host.state import armed, boundaries, flags, manifest, rehearsal_tokens, store, token_file
from piquet.host.state.armed import Armed
from piquet.host.state.boundaries import Boundary
from piquet.host.state.manifest import Manifest, StagedEntry
from piquet.host.system import files
from piquet.host.system.pause import pause
from piquet.protocol.findings import Finding
from piquet.protocol.places import END_IT_NOW, RUN

OF_THE_LOOK = frozenset(
    {"release-unanswered", "foreign-header", "still-ours", "not-reloaded", flag_memory.CODE}
)
"""Codes of what `confirm` finds where a release is not confirmed; as an `info` they say that something was done."""
_TRIES = 4
_PAUSE_S = 0.5


def flags_down(machine: Machine) -> List[Finding]:
    """Take all flags away; try each on its own if the one link resists."""
    try:
        flags.take_all_down(machine.paths)
        return []
    except OSError as error:
        with contextlib.suppress(OSError):
            flags.take_down(machine.paths, flags.up(machine.paths) or ())
        if not flags.up(machine.paths):
            return []
        hint = f"as root: rm -rf {RUN}; else stop the web server: the window ends by itself"
        live, message = str(machine.paths.live), "It cannot be removed."
        return [Finding("error", "flags-stay", live, message, got=str(error), hint=hint)]


def end_rehearsal(machine: Machine, verb: str, *, only_over: bool = False) -> Tuple[bool, List[Finding]]:
    """Take passes away, all or those that are over; tell whether there was any, and what resists."""
    try:
        was_there = (
            rehearsal_tokens.sweep_tokens(machine.paths, machine.now())
            if only_over
            else rehearsal_tokens.clear(machine.paths)
        )
    except OSError as error:
        folder, message = (
            str(machine.paths.rehearse),
            "A rehearsal cannot be ended; its cookie still shows the strike.",
        )
        hint = f"as root: rm -rf {folder}"
        return True, [
            Finding("error", "rehearsal-stays", folder, message, got=_error_without_name(error), hint=hint)
        ]
    if was_there:
        machine.log(verb, "rehearsal-ended")
    return was_there, []


def _error_without_name(error: OSError) -> str:
    """What went wrong, without the name of a file, which may be a secret."""
    return error.strerror or type(error).__name__


def disarm(machine: Machine, verb: str, reason: str) -> List[Finding]:
    """Flags first (that is what visitors see), then for good; a rehearsal ends with it."""
    findings = flags_down(machine) + end_rehearsal(machine, verb)[1]
    token_stays = token_file.delete(machine.paths)
    state_stays = store.record_disarmed(machine.paths, reason, machine.now())
    if state_stays or token_stays:
        findings += _stopped_elsewhere(machine, state_stays, token_stays)
    machine.log(verb, "disarmed", reason=reason, findings=[f.to_json() for f in findings])
    return findings


def unarmed(machine: Machine, verb: str) -> List[Finding]:
    """Flags, or a token, of no arming that anybody knows of: what is left after the printed line, or was put back."""
    if files.exists(machine.paths.live):
        machine.log(verb, "flags-without-arming")
    findings = flags_down(machine)
    token_file.delete(machine.paths)
    return findings


def _stopped_elsewhere(
    machine: Machine, state_stays: Optional[OSError], token_stays: Optional[OSError]
) -> List[Finding]:
    """One of the two cannot be deleted: the stop is recorded beside the bundle, where the next boot sees it too."""
    failure = store.record_stop(machine.paths)
    if state_stays is None:  # the one that tells people and verbs that the host is armed is gone
        return []
    return [_armed_stays(machine, state_stays, is_final=failure is None or token_stays is None)]


def _armed_stays(machine: Machine, failure: OSError, *, is_final: bool) -> Finding:
    """What whoever releases the host should know of it."""
    place, got = str(machine.paths.armed), str(failure)
    hint = f"as root, once the disk can be written: {END_IT_NOW}"
    if is_final:
        message = (
            f"It could not be deleted, so the stop was recorded in {machine.paths.stopped}; it is final."
        )
        return Finding("warning", "stopped-elsewhere", place, message, got=got, hint=hint)
    message = "The flags are gone, but the host could not be disarmed: a reboot would put them up."
    return Finding("error", "not-disarmed", place, message, got=got, hint=hint)


def confirm_boundaries(machine: Machine, verb: str) -> List[Finding]:
    """Look at every boundary that is due; escalate if a site is ours that must not be."""
    current, is_armed = _subject(machine)
    staged = manifest.staged(machine.paths)
    if current is None or staged is None or staged.campaign != current.campaign:
        return []
    seen = store.sightings(machine.paths, current.armed_at)
    due = boundaries.due(current.phases, machine.now(), is_armed, seen["confirmed"])
    unconfirmed: Dict[str, Finding] = {}
    findings: List[Finding] = []
    is_forgotten = True
    is_leased = machine.now() < current.end  # else no flag that a server may remember shows anything any more
    if is_leased and any(boundary.kind == boundaries.RELEASE for boundary in due):
        is_forgotten, findings = flag_memory.forget(machine, staged, seen, boundaries.RELEASE)
    for boundary in due:
        is_confirmed, found = _look(machine, verb, boundary, current, staged, seen)
        findings += found
        if boundary.kind == boundaries.RELEASE and not is_forgotten:
            unconfirmed[boundary.name] = findings[-1]  # other workers than the one that answered may remember
        elif is_confirmed:
            seen["confirmed"].append(boundary.name)
        elif found:
            unconfirmed[boundary.name] = found[-1]
    if due:
        seen["unconfirmed"] = {name: finding.to_json() for name, finding in unconfirmed.items()}
        with contextlib.suppress(OSError):
            store.write_state(machine.paths.boundaries, seen)
    return findings


def unconfirmed_boundaries(machine: Machine) -> List[Finding]:
    """What the last look at each boundary found that is due and was not confirmed since; nobody is asked."""
    current, is_armed = _subject(machine)
    if current is None:
        return []
    seen = store.sightings(machine.paths, current.armed_at)
    due = boundaries.due(current.phases, machine.now(), is_armed, seen["confirmed"])
    records = seen.get("unconfirmed", {})
    return [Finding(**records[boundary.name]) for boundary in due if boundary.name in records]


def flags_and_sites(machine: Machine, told: Optional[Sequence[Finding]] = None) -> str:
    """What is known of an unarmed host, in words: never that a site is as usual without its having been asked.

    Args:
        machine: this host.
        told: what `confirm` has just found; without it what was seen earlier counts.
    """
    current, is_armed = _subject(machine)
    begun = [phase for phase in current.phases if phase.start <= machine.now()] if current else []
    if is_armed:  # what arms it could not be deleted
        return "no flag is up; no site was asked"
    if current is None or not begun:
        return "nothing will begin here; no site was asked, since nothing had begun"
    staged = manifest.staged(machine.paths)
    if staged is None or staged.campaign != current.campaign:
        return "no flag is up; no site was asked, since what was armed is not staged any more"
    seen = store.sightings(machine.paths, current.armed_at)
    is_open = bool(boundaries.due(current.phases, machine.now(), False, seen["confirmed"]))
    if any(finding.severity != "info" for finding in told) if told is not None else is_open:
        return "no flag is up, but it is not confirmed by the servers; they are asked every minute"
    return "no flag is up; sites of each server were asked and are as usual"


def _subject(machine: Machine) -> Tuple[Optional[Armed], bool]:
    """What the host is armed with, or was last."""
    paths = machine.paths
    current = armed.current_arming(paths)
    if current is not None:
        return current, True
    return armed.read_ended(paths) or armed.read_last(paths) or _perhaps_armed(machine), False


def _perhaps_armed(machine: Machine) -> Optional[Armed]:
    """Inside of a window and with everything deleted that would tell, the host may have been armed: so it is asked."""
    staged, now = manifest.staged(machine.paths), machine.now()
    if staged is None or files.exists(machine.paths.installed):
        return None
    is_inside = any(phase.start <= now < phase.end for phase in staged.phases)
    return armed.begin(staged, "", 0.0, "", {}, {}) if is_inside else None


def _look(
    machine: Machine, verb: str, boundary: Boundary, current: Armed, staged: Manifest, seen: Dict[str, Any]
) -> Tuple[bool, List[Finding]]:
    """Confirm one boundary by asking a few sites of each server; tell the journal once."""
    wants_ours = boundary.kind == boundaries.START
    excluded = current.stopped if wants_ours else ()
    end = next(phase.end for phase in current.phases if phase.number == boundary.phase)
    asked: List[Dict[str, Any]] = []
    for entries in boundaries.witnesses(staged.entries, boundary.phase, excluded).values():
        for entry in entries:
            if wants_ours and machine.now() >= end:
                return False, []  # an answer to this question would say nothing of the start any more
            asked.append(row(entry, staged, boundary.phase, wants_ours))
            if wants_ours and asked[-1]["ours"]:
                break
    word = _word(asked, wants_ours)
    _tell_once(machine, verb, seen, boundary, f"{boundary.kind}-{word}", answers=asked)
    if word == "confirmed":
        return True, []
    if wants_ours:
        return False, [_not_begun(boundary, asked)]
    if word == "unanswered":
        return False, [_unanswered_finding(asked)]
    return _judge_end(machine, verb, boundary, staged, seen, asked)


def _tell_once(
    machine: Machine, verb: str, seen: Dict[str, Any], boundary: Boundary, event: str, **facts: Any
) -> bool:
    """Journal something of a boundary if that was not done before; tell whether it was done now."""
    if f"{boundary.name}/{event}" in seen["told"]:
        return False
    seen["told"].append(f"{boundary.name}/{event}")
    machine.log(verb, event, phase=boundary.phase, **facts)
    return True


def row(entry: StagedEntry, staged: Manifest, phase: int, wants_ours: bool) -> Dict[str, Any]:
    """What one site answered, as the journal has it."""
    answer = _ask(entry, staged, phase, wants_ours)
    is_ours = answer.is_of(staged.campaign, phase)
    return {"site": entry.name, "server": entry.provider, "ours": is_ours, **vars(answer)}


def _word(asked: Sequence[Dict[str, Any]], wants_ours: bool) -> str:
    """What the answers say of a boundary.

    One site of each server proves a start. One is enough to doubt an end; a server that cannot be asked proves none.
    """
    by_server: Dict[str, List[Dict[str, Any]]] = {}
    for row in asked:
        by_server.setdefault(row["server"], []).append(row)
    if wants_ours:
        has_begun = all(any(row["ours"] for row in rows) for rows in by_server.values())
        return "confirmed" if has_begun else "not-confirmed"
    if any(row["ours"] for row in asked):
        return "not-confirmed"
    is_silent = any(all(row["is_unasked"] for row in rows) for rows in by_server.values())
    return "unanswered" if is_silent else "confirmed"


def _ask(entry: StagedEntry, staged: Manifest, phase: int, wants_ours: bool) -> probe.ProbeAnswer:
    """Ask a few times, since a switch may be milliseconds away."""
    for attempt in range(_TRIES):
        answer = probe.probe(entry.probe or {}, staged.witness_path(phase))
        if answer.is_of(staged.campaign, phase) == wants_ours or answer.error:
            break
        pause(_PAUSE_S if attempt < _TRIES - 1 else 0)
    return answer


def _not_begun(boundary: Boundary, asked: Sequence[Dict[str, Any]]) -> Finding:
    got = "; ".join(f"{row['site']}: {row['error'] or row['status']}" for row in asked)
    message = f"Phase {boundary.phase} has begun, but the local server does not show it."
    return Finding("warning", "start-not-confirmed", "localhost", message, "our header", got)


def _unanswered_finding(asked: Sequence[Dict[str, Any]]) -> Finding:
    """The window is over by the lease and no flag is up, but nobody could look."""
    got = "; ".join(f"{row['site']}: {row['error']}" for row in asked if row["is_unasked"])
    message = "The end could not be confirmed: the local server gives no answer. It is looked at again every minute."
    return Finding("warning", "release-unanswered", "localhost", message, "an answer of the site", got)


def _judge_end(
    machine: Machine,
    verb: str,
    boundary: Boundary,
    staged: Manifest,
    seen: Dict[str, Any],
    asked: Sequence[Dict[str, Any]],
) -> Tuple[bool, List[Finding]]:
    """A site still answers with our header: reload once, then ask what only our own configuration can answer.

    If it does, everything goes. If not, the header is somebody else's, or comes from another host behind this one,
    whose clock is late: that is told, and takes nothing away from all other sites and later phases.
    """
    findings: List[Finding] = []
    if _tell_once(machine, verb, seen, boundary, f"{boundary.kind}-reloaded"):
        findings = _reload(machine, {row["server"] for row in asked if row["ours"]})
    entries = boundaries.witnesses(staged.entries, boundary.phase, ()).values()
    suspects = [entry for those in entries for entry in those]
    if any(_is_echoed(machine, entry, staged, boundary) for entry in suspects):
        is_gone, more = _escalate_and_look(machine, verb, boundary, staged, suspects)
        return is_gone, [*findings, *more]
    again = [row(entry, staged, boundary.phase, wants_ours=False) for entry in suspects]
    word = {"not-confirmed": "foreign"}.get(found := _word(again, wants_ours=False), found)
    _tell_once(machine, verb, seen, boundary, f"{boundary.kind}-{word}", answers=again)
    if word == "foreign":
        return False, [*findings, _foreign(boundary, again)]
    return word == "confirmed", [*findings, *([_unanswered_finding(again)] if word == "unanswered" else [])]


def _is_echoed(machine: Machine, entry: StagedEntry, staged: Manifest, boundary: Boundary) -> bool:
    return proof.is_echoed(entry, machine.paths, staged.witness_path(boundary.phase), staged.seal)


def _foreign(boundary: Boundary, asked: Sequence[Dict[str, Any]]) -> Finding:
    """Something that is not our configuration on this host answers as if it were."""
    got = ", ".join(row["site"] for row in asked if row["ours"])
    message = f"Phase {boundary.phase} is over and our configuration here shows nothing, yet an answer has our header."
    hint = (
        "who sets X-Piquet there: an .htaccess, a cache in front, or a server behind this one whose clock is late? "
        "Nothing was taken away for it; it is looked at again every minute"
    )
    return Finding("warning", "foreign-header", "localhost", message, "no such header", got, hint)


def _reload(machine: Machine, providers: Collection[str]) -> List[Finding]:
    """Let servers take up what is on disk, as far as it passes its own test; what does not work is said."""
    findings: List[Finding] = []
    for server in machine.chosen(sorted(providers)):
        server.forget()
        try:
            if server.test().ok:
                server.reload()
            else:
                findings.append(web_server.unloaded(server))
        except AgentError as error:
            findings += error.findings
    return findings


def _escalate_and_look(
    machine: Machine, verb: str, boundary: Boundary, staged: Manifest, suspects: Sequence[StagedEntry]
) -> Tuple[bool, List[Finding]]:
    """Our configuration still answers: take everything away, then look again."""
    findings = disarm(machine, verb, "escalated") if machine.paths.armed.exists() else flags_down(machine)
    findings += escalate(machine, verb, staged)
    is_gone = not any(_is_echoed(machine, entry, staged, boundary) for entry in suspects)
    machine.log(
        verb, "escalated", phase=boundary.phase, gone=is_gone, findings=[f.to_json() for f in findings]
    )
    if not is_gone:
        message = "A site still answers as ours after flags and configuration were taken away."
        hint = "restart the web server once its configuration passes its own test"
        findings.append(Finding("error", "still-ours", "localhost", message, hint=hint))
    return is_gone, findings


def escalate(machine: Machine, verb: str, staged: Manifest) -> List[Finding]:
    """Replace our own server configuration by nothing; reload only what passes its own test."""
    _move_all_away(machine, verb, _files_there(machine, staged))
    return _reload(machine, staged.providers)


def follow_suit(machine: Machine, verb: str) -> List[Finding]:
    """Somebody took away a part of our server configuration: release, and take away the rest.

    What is left uses what is gone, so that the owner's next reload, or the server's start after a boot, would fail.
    What remains is tested, but not loaded: the flags are down, so that what the server holds in memory shows nothing,
    and whoever deletes files there may be in the middle of other changes, which are not ours to put into force.
    """
    staged, is_armed = manifest.staged(machine.paths), machine.paths.armed.exists()
    if staged is None:
        return _taken_away(machine, verb, is_armed)
    there = _files_there(machine, staged)
    if len(there) == len(staged.server_files()):
        return []
    findings = _taken_away(machine, verb, is_armed)
    if not there:
        return findings
    _move_all_away(machine, verb, there)
    gone = ", ".join(path for path in staged.server_files() if path not in there)
    message = "Somebody deleted a part of our server configuration, so the rest was taken away too, without a reload."
    finding = Finding("warning", "configuration-incomplete", gone, message, hint="stage again, then arm")
    return [*findings, finding, *_refused_findings(machine, staged)]


def _refused_findings(machine: Machine, staged: Manifest) -> Iterator[Finding]:
    """Servers that refuse their configuration without ours too: they would not start."""
    for server in machine.chosen(staged.providers):
        server.forget()
        if not server.test().ok:
            yield web_server.broken(server)


def _taken_away(machine: Machine, verb: str, is_armed: bool) -> List[Finding]:
    """Whoever takes our configuration away ends all that uses it."""
    if is_armed:
        return disarm(machine, verb, "configuration taken away")
    return end_rehearsal(machine, verb)[1]


def _files_there(machine: Machine, staged: Manifest) -> List[str]:
    """Which of our server files are there, users of a variable before its definition."""
    return [path for path in staged.server_files() if files.exists(machine.paths.at(path))]


def _move_all_away(machine: Machine, verb: str, paths: Sequence[str]) -> None:
    """No server reads them any more at its next start or reload."""
    for path in paths:
        _move_away(machine, path)
    machine.log(verb, "configuration-moved-away", files=list(paths))


def _move_away(machine: Machine, path: str) -> None:
    """Keep one of our files where no server reads it; without space for that, delete it."""
    source = machine.paths.at(path)
    try:
        machine.paths.moved_away.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(str(source), str(machine.paths.moved_away / path.strip("/").replace("/", "_")))
    except OSError:
        pass
    with contextlib.suppress(OSError):
        files.remove(source)
