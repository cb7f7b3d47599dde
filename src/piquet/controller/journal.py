# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's journal: what was done by which command with which digest, and what hosts wrote into theirs.

Lines are only ever added. No person is in them, and none may stop a verb: where nothing can be written, nothing is.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from piquet.controller.answer import AgentAnswer
from piquet.errors import PiquetError
from piquet.fleet.workdir import Workdir

_QUIET = ("survey", "status")
"""Verbs that change nothing."""
_RECORD_MAX_BYTES = 8_192
_CORE = ("at", "utc", "role", "verb", "event", "phase", "reason", "campaign", "plan_digest")


def known_until(workdir: Workdir | None, host: str) -> float | None:
    """The instant (epoch seconds, the host's clock) of the last line that a host told; 0 if it told none.

    None: there is nowhere to keep more.
    """
    if workdir is None:
        return None
    try:
        return max((float(record["at"]) for record in workdir.host_journal(host)), default=0.0)
    except (OSError, PiquetError):
        return None


def keep_answer(workdir: Workdir | None, host: str, answer: AgentAnswer, at: float) -> None:
    """Keep what a host told: its status, and the lines of its journal that are new."""
    if workdir is None:
        return
    told = {"at": at, "verb": answer.verb, "status": answer.status}
    with contextlib.suppress(OSError, PiquetError):
        workdir.write_status(host, told)
        new = list(_new(workdir.host_journal(host), answer.journal))
        workdir.append_host_journal(host, new)


def keep_command(workdir: Workdir | None, verb: str, at: float, **facts: Any) -> None:
    """Add one line of our own.

    Args:
        workdir: where; None: nowhere.
        verb: the command.
        at: epoch seconds, the controller's clock.
        facts: about hosts, sites and digests only.
    """
    if workdir is None or verb in _QUIET:
        return
    utc = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with contextlib.suppress(OSError):
        workdir.append_journal({"at": round(at, 3), "utc": utc, "verb": verb, **facts})


def _new(kept: Iterable[Mapping[str, Any]], told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The records that are not kept yet; where older ones were lost, a line says so."""
    known = {_line(record) for record in kept}
    records = [_bounded_record(record) for record in told.get("records") or () if _is_record(record)]
    fresh = [record for record in records if _line(record) not in known]
    if told.get("cut") and fresh:
        yield {"at": fresh[0]["at"], "role": "controller", "verb": "status", "event": "lines-missing"}
    yield from fresh


def _is_record(record: Any) -> bool:
    """Whether a host's line is in the agreed form."""
    is_whole = isinstance(record, dict) and isinstance(record.get("at"), int | float)
    return is_whole and all(isinstance(record.get(key), str) for key in ("role", "verb", "event"))


def _bounded_record(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record, or its core where a host tells more than anybody reads."""
    if len(_line(record)) <= _RECORD_MAX_BYTES:
        return record
    return {key: record[key] for key in _CORE if key in record and len(str(record[key])) < 200} | {
        "cut": True
    }


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, ensure_ascii=False)
