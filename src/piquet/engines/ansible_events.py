# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-runner tells of a playbook, as events of ours. No process and no file here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from piquet.controller.events import Event
from piquet.printable import continued, printable

_OURS = "piquet.fleet."
_CONTROLLER = frozenset({"plan", "tally", "verify"})
"""Actions that run once, on the controller, for all hosts."""

_WORDS: Mapping[str, dict[str, bool]] = {
    "runner_on_ok": {},
    "runner_on_failed": {"failed": True},
    "runner_on_unreachable": {"unreachable": True, "changed": False},
    "runner_on_skipped": {"skipped": True, "changed": False},
}
_INTRODUCTIONS = ("Task failed: ", "Action failed: ", "Failed to connect to the host via ssh: ")
_INTERNAL = frozenset({"invocation", "exception", "deprecations", "warnings"})
SPEC = "validate_argument_spec"


class Translator:
    """Follows one playbook run and keeps in mind which hosts it is about."""

    def __init__(self) -> None:
        """No host is known before the run has named it."""
        self._hosts: dict[str, None] = {}
        self._lost: set[str] = set()

    def events(self, data: Mapping[str, Any]) -> Iterator[Event]:
        """The events of ours that one of ansible-runner's means; often none."""
        kind, detail = data.get("event"), data.get("event_data") or {}
        if host := detail.get("host"):
            self._hosts.setdefault(str(host))
        action = str(detail.get("resolved_action") or detail.get("task_action") or "")
        if kind == "playbook_on_task_start" and action.startswith(_OURS):
            yield self._step(action, _step(detail))
        elif kind == "runner_on_start" and action == f"{_OURS}agent":
            self._lost.discard(str(host))
            yield Event("start", "agent", _step(detail), str(host))
        elif kind in _WORDS:
            yield from self._result(str(kind), action, detail)

    def _step(self, action: str, step: str) -> Event:
        name = action.removeprefix(_OURS)
        hosts = () if name in _CONTROLLER else tuple(sorted(self._hosts.keys() - self._lost))
        return Event("start", name, step, hosts=len(hosts), names=hosts)

    def _result(self, kind: str, action: str, detail: Mapping[str, Any]) -> Iterator[Event]:
        """One of our actions ended; of another's only a failure is news."""
        host, is_ours = str(detail.get("host") or ""), action.startswith(_OURS)
        if not is_ours and kind in ("runner_on_ok", "runner_on_skipped"):
            return
        is_told_by_us = is_ours and kind != "runner_on_unreachable"
        result = _plain_result(detail.get("res") or {}, is_ours=is_told_by_us) | _WORDS[kind]
        if kind in ("runner_on_failed", "runner_on_unreachable") and not detail.get("ignore_errors"):
            self._lost.add(host)
        if not is_ours and action.endswith(SPEC):
            result["kind"] = "fleet"
        name = action.removeprefix(_OURS) if is_ours else "agent"
        yield Event("result", name, _step(detail), "" if name in _CONTROLLER else host, result=result)


def _step(detail: Mapping[str, Any]) -> str:
    """The task's name without the role's."""
    return str(detail.get("task") or "").rpartition(" : ")[2].strip()


def _plain_result(result: Mapping[str, Any], *, is_ours: bool) -> dict[str, Any]:
    """A result without what is Ansible's own, its message without Ansible's introductions.

    What others said, a host that cannot be reached among them, makes no line of its own.
    """
    kept = {k: v for k, v in result.items() if not k.startswith("_ansible") and k not in _INTERNAL}
    if "msg" in kept:
        message = str(kept["msg"])
        for introduction in _INTRODUCTIONS:
            message = message.removeprefix(introduction)
        kept["msg"] = printable(message.strip()) if is_ours else continued(message.strip())
    return kept
