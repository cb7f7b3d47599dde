# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's answer as an Ansible result: honest `changed`, diff in Ansible's form, a message for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from piquet.controller.answer import AgentAnswer, ToldChange

NO_FILE = "/dev/null"


def as_result(answer: AgentAnswer, transport: str, show_diff: bool) -> dict[str, Any]:
    """The result dictionary of one verb on one host.

    Args:
        answer: what the agent said.
        transport: in words how the payload was carried.
        show_diff: Ansible's `--diff`; without it no text of a file is in the result.
    """
    result: dict[str, Any] = {
        "changed": answer.changed,
        "failed": not answer.ok,
        "msg": answer.text(),
        "transport": transport,
        "piquet": {
            "verb": answer.verb,
            "ok": answer.ok,
            "message": answer.message,
            "problems": [problem.to_json() for problem in answer.problems],
            "status": dict(answer.status),
        },
    }
    if answer.rehearsal:
        result["piquet"]["rehearsal"] = dict(answer.rehearsal)
    if show_diff and answer.changes:
        result["diff"] = as_diff(answer.changes)
    return result


def as_diff(changes: Iterable[ToldChange]) -> list[dict[str, str]]:
    """Each change as Ansible prints it; a file that is not there is shown as `/dev/null`."""
    return [
        {
            "before_header": NO_FILE if change.before is None else change.path,
            "after_header": NO_FILE if change.after is None else change.path,
            "before": change.before or "",
            "after": change.after or "",
        }
        for change in sorted(changes, key=lambda change: change.path)
    ]
