# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of a verb as one JSON document, for programs; the same whichever engine it was."""

from __future__ import annotations

from typing import Any

from piquet.cli.run_summary import RunSummary
from piquet.errors import PiquetError, kind_of

SUMMARY_FORMAT = 1


def run_document(
    course: RunSummary, engine: str, seconds: float, exit_code: int, error: PiquetError | None = None
) -> dict[str, Any]:
    """The whole run.

    Args:
        course: what was heard.
        engine: which one ran it.
        seconds: how long it took.
        exit_code: of the process.
        error: why it could not run, if it could not.
    """
    rows = course.rows()
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.word] = counts.get(row.word, 0) + 1
    return {
        "piquet_run": SUMMARY_FORMAT,
        "verb": course.verb,
        "engine": engine,
        "check": course.check,
        "done": course.is_done and error is None,
        "interrupted": course.is_interrupted,
        "digest": course.plan.get("digest"),
        "findings": course.plan.get("findings", []),
        "hosts": {row.host: _host(course, row.host) for row in rows},
        "errors": _errors(course, error),
        "summary": {"hosts": len(rows), **dict(sorted(counts.items())), "seconds": round(seconds, 1)},
        "exit_code": exit_code,
    }


def _host(course: RunSummary, host: str) -> dict[str, Any]:
    """The last result that tells something; a failure counts more than what came after it."""
    told = [result for _, result in course.told.get(host, ())]
    losses = [result for result in told if result.get("failed") or result.get("unreachable")]
    last = (losses or told or [{}])[-1]
    answers = [answer for result in told if (answer := result.get("piquet"))]
    value = {
        "result": course.word(host),
        "changed": any(bool(result.get("changed")) for result in told),
        "failed": bool(last.get("failed")),
        "unreachable": bool(last.get("unreachable")),
        "msg": str(last.get("msg") or ""),
        "problems": (last.get("piquet") or {}).get("problems") or [],
        "status": (answers[-1].get("status") if answers else None) or {},
        "diff": [change for result in told for change in result.get("diff") or ()],
    }
    rehearsal = answers[-1].get("rehearsal") if answers else None
    value |= {"rehearsal": rehearsal} if rehearsal else {}
    return value | ({"text": last["survey_text"]} if "survey_text" in last else {})


def _errors(course: RunSummary, error: PiquetError | None) -> list[dict[str, str]]:
    """What went wrong on the controller."""
    found = [
        {"kind": str(result.get("kind") or action), "message": str(result.get("msg") or "")}
        for action, result in course.losses
    ]
    return found + ([{"kind": kind_of(error), "message": str(error)}] if error else [])
