# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened on this host, one JSON record per line: times, roles and commands, never persons."""

from __future__ import annotations

import json
import os
import time
from typing import Any, Dict, List

from piquet.host.state import documents
from piquet.host.system.paths import Paths

JOURNAL_MAX_BYTES = 1_000_000


def append(paths: Paths, at: float, role: str, verb: str, event: str, **facts: Any) -> None:
    """Add a record. A full disk must not stop a release, so failures are swallowed.

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
        return


def _rotate(paths: Paths) -> None:
    """Keep one older file, so that the journal cannot fill a disk."""
    if paths.journal.exists() and paths.journal.stat().st_size > JOURNAL_MAX_BYTES:
        paths.journal.replace(paths.journal.with_suffix(".jsonl.1"))


def last(paths: Paths, count: int = 20) -> List[Dict[str, Any]]:
    """The newest records, oldest first; a torn last line is skipped."""
    try:
        lines = paths.journal.read_bytes().splitlines()[-count:]
    except OSError:
        return []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line.decode("utf-8")))
        except documents.FAULTS:
            continue
    return records
