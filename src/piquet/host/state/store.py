# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's state files: small JSON documents, 0600, replaced as a whole.

`armed.json` is the one that matters: the host is armed while it exists and its token agrees. Disarming renames it,
because a rename needs no disk space; whatever goes wrong there, the flags are gone already.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from piquet.host.errors import StateError
from piquet.host.state import documents
from piquet.host.system import files
from piquet.host.system.paths import Paths

Record = Dict[str, Any]


def read_state(path: Path) -> Optional[Record]:
    """The document, or None where there is none.

    Raises:
        StateError: it is there but is not a JSON object.
    """
    try:
        return documents.parse_document(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, *documents.FAULTS) as error:
        raise StateError(f"{path} cannot be read: {error}.") from error


def read_or_none(path: Path) -> Optional[Record]:
    """The document, or None where there is none that can be read."""
    try:
        return read_state(path)
    except StateError:
        return None


def encode(document: Record) -> bytes:
    """Canonical: sorted keys, no spaces, a newline at the end."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def write_state(path: Path, document: Record) -> None:
    """Replace a state file durably."""
    ensure_folder(path.parent)
    files.write_now(path, encode(document), 0o600)


def ensure_folder(folder: Path) -> None:
    """Make the state folder: passable (pages lie below it), not listable."""
    if not folder.is_dir():
        files.make_folder(folder, 0o711 if folder.name == "piquet" else 0o700)


def sightings(paths: Paths, armed_at: float) -> Record:
    """What reconcile has seen and told since this arming; what it saw of an earlier one counts for nothing."""
    record = read_or_none(paths.boundaries) or {}
    current = record if record.get("armed_at") == armed_at else {}
    told = {name: _list(current.get(name)) for name in ("confirmed", "told", "forgotten")}
    return {**current, **told, "armed_at": armed_at}


def _list(value: Any) -> List[Any]:
    """The list that it is, an empty one for anything else."""
    return list(value) if isinstance(value, list) else []


def installed(paths: Paths) -> Optional[Record]:
    """Every file and folder that stage made, None where that is unknown or cannot be used."""
    record = read_or_none(paths.installed)
    try:
        if record is None:
            return None
        documents.text(record["plan_digest"])
        documents.paths(record["files"])
        documents.paths(record["folders"])
        documents.text(record["staged"]["boot_id"])
        documents.epoch_seconds(record["staged"]["uptime_s"])
    except documents.FAULTS:
        return None
    return record


def hooked(paths: Paths) -> Record:
    """The foreign files that carry our line, as far as it is known."""
    record = read_or_none(paths.hooks) or {}
    try:
        names = {documents.path(name): digests for name, digests in record["files"].items()}
    except documents.FAULTS:
        names = {}
    return {"piquet_hooks": 1, "files": names}


def boot_id(paths: Paths) -> str:
    """The kernel's name for this boot; a container without one counts as one endless boot."""
    try:
        return paths.boot_id.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def record_disarmed(paths: Paths, reason: str, at: float) -> Optional[OSError]:
    """Make the host unarmed for good; return the error if even that failed.

    First the rename (no space needed), else the removal; the reason is added afterwards if it can be written.
    """
    error: Optional[OSError] = None
    try:
        paths.armed.replace(paths.ended)
    except FileNotFoundError:
        return None
    except OSError:
        try:
            paths.armed.unlink()
        except OSError as failure:
            error = failure
    with contextlib.suppress(OSError):
        files.sync_folder(paths.lib)
    if error is None:
        _say_why(paths, reason, at)
    return error


def record_stop(paths: Paths) -> Optional[OSError]:
    """Say on another file system that `armed.json` is over, since it could not be deleted; return what failed."""
    try:
        files.write_now(paths.stopped, b"", 0o600)
    except OSError as error:
        return error
    return None


def forget_stop(paths: Paths) -> None:
    """A new arm counts from now on.

    Raises:
        OSError: the record cannot be deleted, so the host must not be armed.
    """
    if files.remove(paths.stopped):
        files.sync_folder(paths.stopped.parent)


def _say_why(paths: Paths, reason: str, at: float) -> None:
    """Add reason and time to `ended.json`; losing them is no reason to fail."""
    with contextlib.suppress(OSError, *documents.FAULTS):
        write_state(paths.ended, {**(read_or_none(paths.ended) or {}), "reason": reason, "ended_at": at})
