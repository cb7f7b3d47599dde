# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what the bundle of this host holds, and whether it still lies there untouched."""

from __future__ import annotations

import functools
import os
import stat
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from piquet.host.state import documents, store
from piquet.host.system import files
from piquet.host.system.files import Change
from piquet.host.system.paths import Paths
from piquet.protocol import places
from piquet.protocol.findings import Finding
from piquet.protocol.http import ABOUT_PATH
from piquet.protocol.places import DIGEST_MARK

_NOT_SERVERS = (f"{places.LIB}/", "/usr/local/sbin/", "/etc/systemd/", "/etc/cron.d/")
_BY_DROPIN, _BY_HOOK = f"{places.ETC}/", f"{places.HOOK_DIR}/"


@dataclass(frozen=True)
class StagedPhase:
    """One phase; instants in epoch seconds, the end belongs to no phase."""

    number: int
    mode: str
    start: int
    end: int


@dataclass(frozen=True)
class StagedEntry:
    """One selected name of this host; `probe` is where to ask the local server for it."""

    name: str
    key: str
    phases: Tuple[int, ...]
    provider: str
    probe: Optional[Mapping[str, Any]]


@dataclass(frozen=True)
class Manifest:
    """The document, with what verbs need of it."""

    document: Mapping[str, Any]

    @property
    def campaign(self) -> str:
        """Its name."""
        return str(self.document["campaign"])

    @functools.cached_property
    def phases(self) -> Tuple[StagedPhase, ...]:
        """By number."""
        found = (StagedPhase(p["number"], p["mode"], p["start"], p["end"]) for p in self.document["phases"])
        return tuple(sorted(found, key=lambda p: p.number))

    @functools.cached_property
    def entries(self) -> Tuple[StagedEntry, ...]:
        """Selected names of this host."""
        return tuple(
            StagedEntry(e["name"], e["key"], tuple(e["phases"]), e["provider"], e.get("probe"))
            for e in self.document["entries"]
        )

    @property
    def files(self) -> Tuple[Mapping[str, Any], ...]:
        """Files and links as the manifest lists them."""
        return tuple(self.document["files"])

    @property
    def providers(self) -> Tuple[str, ...]:
        """Web servers that the bundle configures."""
        return tuple(self.document["providers"])

    @property
    def needs_hooks(self) -> bool:
        """Whether a server shows something by the hook line; a bundle that tells no ways is taken to."""
        variants = self.document.get("variants")
        return variants is None or any(variants.get(name) == places.BY_HOOK for name in self.providers)

    def witness_path(self, number: int) -> str:
        """What to ask a site for in a phase: only a block answers everywhere, what this is every phase says."""
        modes = {phase.number: phase.mode for phase in self.phases}
        return "/" if modes.get(number) == "block" else ABOUT_PATH

    @property
    def scheduler(self) -> str:
        """`systemd` or `cron`."""
        return str(self.document["scheduler"])

    @property
    def seal(self) -> str:
        """What only root and our configuration know; "" in a bundle of before."""
        return str(self.document.get("seal", ""))

    @property
    def end(self) -> int:
        """End of the last phase."""
        return max(phase.end for phase in self.phases)

    def ends(self) -> Dict[str, int]:
        """For each entry's key the end of its last phase."""
        end_of = {phase.number: phase.end for phase in self.phases}
        return {e.key: max(end_of[n] for n in e.phases) for e in self.entries if e.phases}

    def server_files(self) -> Tuple[str, ...]:
        """Our own files that a web server reads as configuration, users of a variable before its definition."""
        paths = (str(f["path"]) for f in self.files)
        return last_loaded_first(p for p in paths if server_rank(p) is not None)


def server_rank(path: str) -> Optional[int]:
    """How late a file must be written so that each step leaves what its server accepts; None if no server reads it.

    Nobody reads what the drop-in includes before it is there; what the hook line includes uses what that defines.
    """
    if not path.endswith(".conf") or path.startswith(_NOT_SERVERS):
        return None
    if path.startswith(_BY_HOOK):
        return 2
    return 0 if path.startswith(_BY_DROPIN) else 1


def last_loaded_first(names: Iterable[str]) -> Tuple[str, ...]:
    """The order to delete files in, users of a variable before its definition."""
    return tuple(sorted(names, key=lambda name: (-(server_rank(name) or 0), name)))


def staged(paths: Paths) -> Optional[Manifest]:
    """The manifest that was staged, if it can be read."""
    try:
        return _usable(paths.manifest.read_bytes())
    except OSError:
        return None


@functools.lru_cache(maxsize=2)
def _usable(data: bytes) -> Optional[Manifest]:
    """The same bytes say the same: a verb reads them many times, and they may be of thousands of sites."""
    try:
        document = documents.parse_document(data)
    except documents.FAULTS:
        return None
    found = Manifest(document)
    return found if _is_usable(found) else None


def is_planned(paths: Paths, digest: str) -> bool:
    """Whether no other plan lies there; one that is missing is somebody else's question."""
    try:
        return files.sha256(paths.plan.read_bytes()) == digest
    except OSError:
        return True


def are_units_touched(paths: Paths, found: Manifest, digest: str, owns: Callable[[str], bool]) -> bool:
    """Whether somebody has changed, masked or deleted what calls reconcile, as `owns` tells its files."""
    records = [record for record in found.files if owns(str(record["path"]))]
    try:
        return any(_faults_of(paths, record, digest) for record in records)
    except OSError:
        return True


def _is_usable(found: Manifest) -> bool:
    """Whether every verb can work with it, whatever a disk error has made of it."""
    try:
        documents.text(found.campaign), documents.text(found.scheduler)
        ends = {phase.number: documents.epoch_seconds(phase.end) for phase in found.phases}
        for phase in found.phases:
            documents.count(phase.number), documents.text(phase.mode), documents.epoch_seconds(phase.start)
        for entry in found.entries:
            _require_entry(entry, ends)
        for record in found.files:
            _require_file(record)
        if not isinstance(found.document.get("variants", {}), (dict, type(None))):
            return False
        return bool(ends) and all(documents.text(name) for name in found.providers)
    except documents.FAULTS:
        return False


def _require_file(record: Mapping[str, Any]) -> None:
    """One of `documents.FAULTS` if a file's record cannot be worked with."""
    documents.path(record["path"])
    if record["kind"] == "link":
        documents.text(record["target"])
        return
    documents.text(record["sha256"])
    if not isinstance(record["fill"], bool) or not 0 <= int(documents.text(record["mode"]), 8) <= 0o7777:
        raise ValueError("a file without mode")


def _require_entry(entry: StagedEntry, ends: Mapping[int, float]) -> None:
    """One of `documents.FAULTS` if an entry cannot be worked with."""
    documents.text(entry.name), documents.key(entry.key), documents.text(entry.provider)
    if not all(number in ends for number in entry.phases):
        raise ValueError("an entry of a phase that there is not")
    if entry.probe is not None:
        documents.text(entry.probe["address"]), documents.text(entry.probe["host"])
        documents.count(entry.probe["port"])


def fill_in_digest(data: bytes, digest: str) -> bytes:
    """Put the plan digest where the bundle leaves room for it (the bundle cannot know it)."""
    return data.replace(DIGEST_MARK.encode(), digest.encode("ascii"))


def change_for(paths: Paths, record: Mapping[str, Any], data: bytes, digest: str) -> Change:
    """What a manifest's record asks for on this host."""
    path = paths.at(record["path"])
    if record["kind"] == "link":
        return Change(path, files.LINK, target=record["target"])
    return Change(
        path, files.FILE, fill_in_digest(data, digest) if record["fill"] else data, int(record["mode"], 8)
    )


def not_intact(paths: Paths, digest: str) -> List[Finding]:
    """Why what lies on this host is not what was staged: digest → plan → manifest → each file."""
    found = staged(paths)
    plan = store.read_or_none(paths.plan)
    if found is None or plan is None:
        return [_fault(places.ETC, "Manifest or plan is missing or cannot be read.")]
    if files.sha256(paths.plan.read_bytes()) != digest:
        return [_fault(f"{places.ETC}/plan.json", "It is not the plan with this digest.")]
    if _promised_digest(plan, found.document) != files.sha256(paths.manifest.read_bytes()):
        return [_fault(f"{places.ETC}/manifest.json", "It is not the manifest that the plan promises.")]
    records = found.files
    return [_fault(str(r["path"]), reason) for r in records for reason in _faults_of(paths, r, digest)]


def _promised_digest(plan: Mapping[str, Any], document: Mapping[str, Any]) -> Optional[str]:
    """The digest of this host's manifest, as the plan has it."""
    try:
        return str(plan["hosts"][document["host"]]["manifest"])
    except documents.FAULTS:
        return None


def _fault(path: str, message: str) -> Finding:
    return Finding("error", "not-intact", path, message, hint="stage again")


def _faults_of(paths: Paths, record: Mapping[str, Any], digest: str) -> List[str]:
    """Why one file is not as staged."""
    path = paths.at(record["path"])
    if record["kind"] == "link":
        is_same = path.is_symlink() and os.readlink(str(path)) == record["target"]
        return [] if is_same else ["The link is missing or leads elsewhere."]
    if path.is_symlink() or not path.is_file():
        return ["The file is missing."]
    data, status = path.read_bytes(), path.stat()
    if record["fill"]:
        data = data.replace(digest.encode("ascii"), DIGEST_MARK.encode())
    found = [] if files.sha256(data) == record["sha256"] else ["Its content was changed."]
    if stat.S_IMODE(status.st_mode) != int(record["mode"], 8) or status.st_uid != os.geteuid():
        found.append("Its mode or owner was changed.")
    return found
