# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is staged here may be armed: signatures of those who are pinned, over a decision that it carries out.

Nothing is asked where nobody is pinned. Else the signatures are counted over `decision.json` as it was staged, and what
was staged has to say the same: windows and names read back from the servers' own configuration, every name and phase
allowed, the bytes of every page and banner. What a kind of server cannot be asked is refused by name.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from piquet.host.errors import StateError
from piquet.host.machine import Machine
from piquet.host.state import store, trust
from piquet.host.state.manifest import Manifest, StagedEntry, server_rank
from piquet.host.system import files
from piquet.protocol import places
from piquet.protocol.decision import Decision, read_decision
from piquet.protocol.entries import entry_key, pattern_ladder
from piquet.protocol.findings import Finding
from piquet.protocol.lease import windows_in
from piquet.protocol.signatures import SigningRole, count_signatures
from piquet.protocol.signers import DECISION_NAMESPACE
from piquet.protocol.ssh_keygen import SshKeygenMissing, verify_signature

_STAGE = "stage what was decided: piquet decision status tells who has signed it"
_PAGE = re.compile(rf"{places.LIB}/www(?:-[0-9a-f]+)?/(.+)")
_MARKER = re.compile(r"(?:[^/]+/)?(with|known|sites)/(?:([1-9][0-9]?)(?:/([^/]+))?|[^/]+)")
"""What servers look up among the pages and show nobody: who takes part in a phase, and which names are known."""
_NUMBER = re.compile(
    r'"? ([1-9][0-9]?);|piquet-phase=([1-9][0-9]?)|X-Piquet \\?"?[a-z0-9-]+/([1-9][0-9]?)/|'
    r'data-piquet=\\?"[a-z0-9-]+/([1-9][0-9]?)/'
)
_NEAR = 80
"""Characters behind a window in which the flag is asked for; others only tell a rehearsal when to be silent."""
_BANNER = re.compile(r'<rp class="piquet-veil"><rp class="piquet-veil"><aside .*?</aside></rp></rp>')


def refusals_of_decision(machine: Machine, staged: Manifest) -> List[Finding]:
    """Every reason not to arm this without another decision; empty where nobody is pinned."""
    try:
        roles = trust.pinned(machine.paths)
        if roles is None:
            return []
        document = _document(machine)
        if document is None:
            message = "Signers are pinned on this host, and no decision was staged."
            return [Finding("error", "not-decided", str(machine.paths.decision), message, hint=_STAGE)]
        found = list(_unsigned_findings(machine, roles, document))
        decision = read_decision(document)
        return [
            *found,
            *_replay_findings(machine, decision),
            *_stop_findings(machine, decision),
            *_differences(machine, staged, decision),
        ]
    except (StateError, SshKeygenMissing, OSError) as error:
        message = f"Whether this was decided cannot be told: {error}"
        return [Finding("error", "not-decided", places.TRUST, message, hint="have root look at it")]
    except ValueError as error:
        message = f"What was staged as the decision cannot be used: {error}."
        return [Finding("error", "not-decided", str(machine.paths.decision), message, hint=_STAGE)]


def note_armed(machine: Machine) -> None:
    """Remember which decision is armed, so that no earlier one is armed after it; nothing where nobody is pinned.

    Raises:
        OSError, AgentError, ValueError: that cannot be done, so that nothing must be armed.
    """
    document = _document(machine) if trust.pinned(machine.paths) is not None else None
    if document is not None:
        decision = read_decision(document)
        trust.note_decided(machine.paths, decision.campaign, decision.revision, decision.digest)


def _document(machine: Machine) -> Optional[bytes]:
    return machine.paths.decision.read_bytes() if files.exists(machine.paths.decision) else None


def _unsigned_findings(machine: Machine, roles: Sequence[SigningRole], document: bytes) -> Iterator[Finding]:
    """Each role that has not decided this, with whatever was there instead."""
    given = trust.staged_signatures(machine.paths)
    counts, refused = count_signatures(
        roles, given, document, DECISION_NAMESPACE, machine.now(), verify_signature
    )
    for count in counts:
        if count.missing:
            message = (
                f"{count.role.name} has not decided this: {count.missing} of {count.role.threshold} missing."
            )
            got = ", ".join(count.signed) or "nobody's signature"
            yield Finding(
                "error",
                "not-decided",
                count.role.name,
                message,
                f"{count.role.threshold} persons",
                got,
                _STAGE,
            )
    for one in refused:
        message = f"A signature does not count: {one.reason}."
        yield Finding("warning", "signature-refused", one.name, message, hint="leave it out, or sign again")


def _replay_findings(machine: Machine, decision: Decision) -> Iterator[Finding]:
    """What was decided before must not come back in the place of what was decided since."""
    last = trust.last_decided(machine.paths, decision.campaign)
    if last is None or last == (decision.revision, decision.digest) or decision.revision > last[0]:
        return
    message = (
        f"Revision {last[0]} of {decision.campaign} was armed here already, and this is another decision."
    )
    expected, got = (
        f"that one ({last[1]}), or a later revision",
        f"revision {decision.revision} ({decision.digest})",
    )
    hint = "give the campaign the next `revision`, and have it signed"
    yield Finding("error", "decision-superseded", decision.campaign, message, expected, got, hint)


def _stop_findings(machine: Machine, decision: Decision) -> Iterator[Finding]:
    """What one signer has stopped stays stopped; only a later revision comes after it."""
    for stopped in trust.stopped_decisions(machine.paths):
        if stopped.digest == decision.digest or (
            stopped.campaign == decision.campaign and decision.revision <= stopped.revision
        ):
            message = f"One of the signers has stopped revision {stopped.revision} of {stopped.campaign}."
            expected, got = f"revision {stopped.revision + 1} or later", f"revision {decision.revision}"
            hint = "give the campaign the next `revision`, and have it signed"
            yield Finding("error", "decision-stopped", decision.campaign, message, expected, got, hint)
            return


def _differences(machine: Machine, staged: Manifest, decision: Decision) -> Iterator[Finding]:
    """What was staged and does not say what was decided."""
    plan = store.read_or_none(machine.paths.plan) or {}
    if plan.get("decision") != decision.digest:
        got = str(plan.get("decision") or "no decision")
        yield _differs("plan.json", "The plan carries out another decision.", decision.digest, got)
    if staged.campaign != decision.campaign:
        yield _differs("manifest.json", "It is of another campaign.", decision.campaign, staged.campaign)
    decided = {phase.number: (phase.mode, phase.start, phase.end) for phase in decision.phases}
    here = {phase.number: (phase.mode, phase.start, phase.end) for phase in staged.phases}
    for number in sorted(decided.keys() | here.keys()):
        if decided.get(number) != here.get(number):
            expected, got = _hours(decided.get(number)), _hours(here.get(number))
            yield _differs(f"phase {number}", "Its hours or mode are not those decided.", expected, got)
    for entry in staged.entries:
        yield from _entry(entry, decision)
    yield from _pages(machine, staged, decision)
    for name in staged.providers:
        yield from _configuration(machine, staged, decision, name)


def _hours(phase: Optional[Tuple[str, int, int]]) -> str:
    return f"{phase[0]} from {phase[1]} to {phase[2]}" if phase else "no such phase"


def _entry(entry: StagedEntry, decision: Decision) -> Iterator[Finding]:
    allowed = decision.phases_of(entry.name)
    if not set(entry.phases) <= set(allowed):
        expected = f"phases {', '.join(map(str, allowed))}" if allowed else "as usual"
        yield _differs(
            entry.name, "This site was not decided to take part so.", expected, f"phases {entry.phases}"
        )
    if entry.key != entry_key(entry.name):
        yield _differs(entry.name, "Its flag has another name.", entry_key(entry.name), entry.key)


def _pages(machine: Machine, staged: Manifest, decision: Decision) -> Iterator[Finding]:
    """Every file that visitors may get, byte for byte; what is missing shows nothing and is named too."""
    decided: Dict[str, str] = {}
    for phase in decision.phases:
        decided.update(phase.assets)
        decided.update({n: d for n, d in phase.bodies.items() if not n.startswith(("banner/", "message/"))})
    here: Dict[str, str] = {}
    members = {(number, entry.key) for entry in staged.entries for number in entry.phases}
    for record in staged.files:
        place = _PAGE.fullmatch(str(record["path"]))
        if place is None:
            if str(record["path"]).startswith(f"{places.LIB}/"):
                yield _differs(str(record["path"]), "This file was not decided.", "no such file", "a file")
            continue
        marker = _MARKER.fullmatch(place[1])
        if marker and record["kind"] == "file":
            yield from _marks(machine, record, marker, members)
        else:
            here[place[1]] = str(record.get("sha256", "a link"))
    for name in sorted(decided.keys() | here.keys()):
        if decided.get(name) != here.get(name):
            expected, got = decided.get(name, "no such file"), here.get(name, "no such file")
            yield _differs(name, "Visitors would get other bytes than were decided.", expected, got)


def _marks(
    machine: Machine, record: Mapping[str, Any], marker: "re.Match[str]", members: Set[Tuple[int, str]]
) -> Iterator[Finding]:
    """A mark of a site, or a list of them, names nobody who takes no part in that phase."""
    path = str(record["path"])
    words = machine.paths.at(path).read_bytes().decode("utf-8", "replace").split()
    keys = [marker[3], *words] if marker[1] == "with" else words
    if marker[1] == "known" and words:
        yield _differs(path, "This mark holds something.", "an empty file", "words")
    for key in keys if marker[1] != "known" else ():
        if (int(marker[2] or 0), str(key)) not in members:
            yield _differs(path, "This site takes no part in that phase.", "no mark", str(key))


def _configuration(
    machine: Machine, staged: Manifest, decision: Decision, provider: str
) -> Iterator[Finding]:
    """What one server's own configuration says of hours, names and banners."""
    server = machine.servers.get(provider)
    texts = _texts(machine, staged, provider)
    windows = {phase.number: (phase.start, phase.end - 1) for phase in decision.phases}
    seen = set()
    for text in texts.values():
        for number, window in _windows(text):
            seen.add(window)
            if window not in windows.values() or (number is not None and windows.get(number) != window):
                got = f"{window[0]} to {window[1] + 1}" if window else "a window with gaps"
                subject = f"{provider}, phase {number}" if number else provider
                yield _differs(
                    subject, "A window in its configuration was not decided.", "those decided", got
                )
    own = [entry for entry in staged.entries if entry.provider == provider]
    for number in sorted({number for entry in own for number in entry.phases}):
        if windows.get(number) not in seen:
            message = "The window of this phase does not stand in its configuration."
            yield _differs(f"{provider}, phase {number}", message, _hours_of(windows.get(number)), "none")
    faults = (
        server.name_faults([*texts.values(), _files(staged)], own, windows, _spared_names(own, decision))
        if server
        else None
    )
    if faults is None:
        message = "Which names it shows the strike for cannot be read back from its configuration."
        yield _differs(provider, message, "a server that can be asked", "one that cannot")
    for fault in faults or ():
        yield _differs(
            provider, "Its configuration shows other sites or hours than the plan.", fault[0], fault[1]
        )
    banners = {
        d
        for phase in decision.phases
        for n, d in phase.bodies.items()
        if n.startswith(("banner/", "message/"))
    }
    for text in texts.values():
        for found in _BANNER.findall(text.replace('\\"', '"')):
            if files.sha256(found.encode()) not in banners:
                yield _differs(
                    provider, "A banner in its configuration was not decided.", "those decided", found[:80]
                )


def _spared_names(own: Sequence[StagedEntry], decision: Decision) -> List[str]:
    """Names of the decision below a wildcard that is shown here, which are no entries themselves."""
    names = {entry.name for entry in own}
    return sorted(
        name
        for name in decision.sites
        if name not in names and any(wider in names for wider in list(pattern_ladder(name))[1:])
    )


def _files(staged: Manifest) -> str:
    """The names of all files, a line each."""
    return "\n".join(str(record["path"]) for record in staged.files)


def _hours_of(window: Optional[Tuple[int, int]]) -> str:
    return f"{window[0]} to {window[1] + 1}" if window else "a phase"


def _texts(machine: Machine, staged: Manifest, provider: str) -> Dict[str, str]:
    """Our own configuration of one server as it lies here, by path; what lies in no folder of one is everybody's."""
    others = tuple(f"{places.ETC}/{name}/" for name in staged.providers if name != provider)
    return {
        str(record["path"]): machine.paths.at(str(record["path"])).read_bytes().decode("utf-8", "replace")
        for record in staged.files
        if record["kind"] == "file" and server_rank(str(record["path"])) is not None
        if not str(record["path"]).startswith(others)
    }


def _windows(text: str) -> Iterator[Tuple[Optional[int], Tuple[int, int]]]:
    """Each window in a text with the number of its phase, where one stands beside it or next below it."""
    begun: Optional[Tuple[int, int]] = None
    for line in text.split("\n"):
        here = {window or (0, 0) for _, window in windows_in(line)}
        for window in here:
            yield None, window
        flagged = {
            window or (0, 0) for end, window in windows_in(line) if "/live/" in line[end : end + _NEAR]
        }
        one = next(iter(flagged or here)) if len(flagged or here) == 1 else None
        if line.startswith("<If ") and not line.startswith('<If "true"'):
            begun = one
        beside = one or begun
        number = next((part for part in _numbers(line) if part), None)
        if beside is not None and number is not None:
            yield int(number), beside


def _numbers(line: str) -> Tuple[Any, ...]:
    found = _NUMBER.search(line)
    return found.groups() if found else ()


def _differs(subject: str, message: str, expected: str, got: str) -> Finding:
    return Finding("error", "not-as-decided", subject, message, expected, got, _STAGE)


def note_deletion(machine: Machine, verb: str) -> None:
    """Journal that the signers who were pinned here are gone: root's way, of which people should know."""
    if trust.forget_deleted(machine.paths):
        machine.log(verb, "signers-deleted", path=str(machine.paths.signers))


def trust_folder_is_kept(machine: Machine) -> List[Finding]:
    """That remove leaves who may decide, and how root ends it."""
    if not files.exists(machine.paths.signers):
        return []
    message = "Who may decide for this host stays pinned."
    return [
        Finding("info", "signers-kept", str(machine.paths.signers), message, hint="root may delete that file")
    ]
