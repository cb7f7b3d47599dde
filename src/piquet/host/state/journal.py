# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened on this host, one JSON record per line: times, roles and commands, never persons."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

from piquet.host.state import documents
from piquet.host.system import files
from piquet.host.system.paths import Paths

JOURNAL_MAX_BYTES = 1_000_000
ANSWER_MAX_RECORDS = 1_000
"""As many go into one answer, the newest."""


def append(paths: Paths, at: float, role: str, verb: str, event: str, **facts: Any) -> Dict[str, Any]:
    """Add a record, and give it back. A full disk must not stop a release, so failures are swallowed.

    Args:
        paths: where the journal is; without /var/lib/piquet (nothing staged, or all removed) nothing is written.
        at: epoch seconds.
        role: `controller`, `schedule`, `boot` or `root` (somebody at the machine).
        verb: the command that was run.
        event: kebab-case name of what happened.
        facts: anything JSON, about sites and files only.
    """
    utc = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    record = {"at": round(at, 3), "utc": utc, "role": role, "verb": verb, "event": event, **facts}
    line = (json.dumps(record, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
    try:
        _rotate(paths)
        descriptor = os.open(str(paths.journal), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError:
        pass
    return record


def _rotate(paths: Paths) -> None:
    """Keep one older file, so that the journal cannot fill a disk."""
    if paths.journal.exists() and paths.journal.stat().st_size > JOURNAL_MAX_BYTES:
        paths.journal.replace(paths.journal.with_suffix(".jsonl.1"))


def last(paths: Paths, count: int = 20) -> List[Dict[str, Any]]:
    """The newest records, oldest first; a torn last line is skipped."""
    return _records(paths.journal)[-count:]


def since(paths: Paths, at: float) -> Tuple[List[Dict[str, Any]], bool]:
    """The records that are not older than an instant, oldest first, and whether older ones of them are left out.

    Args:
        paths: where the journal is.
        at: epoch seconds; 0 for everything that is kept.
    """
    older = paths.journal.with_suffix(".jsonl.1")
    known = [*_records(older), *_records(paths.journal)]
    wanted = [record for record in known if _is_since(record, at)]
    is_rotated = len(wanted) == len(known) and files.exists(older)
    return wanted[-ANSWER_MAX_RECORDS:], is_rotated or len(wanted) > ANSWER_MAX_RECORDS


def _is_since(record: Dict[str, Any], at: float) -> bool:
    """Whether a record is wanted; one without an instant is."""
    found = record.get("at")
    return not isinstance(found, (int, float)) or found >= at


def _records(path: Path) -> List[Dict[str, Any]]:
    """What a file holds; what is no record is skipped."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    records = []
    for line in lines:
        try:
            record = json.loads(line.decode("utf-8"))
        except documents.FAULTS:
            continue
        if isinstance(record, dict):
            records.append(record)
    return records
