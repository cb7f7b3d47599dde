# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the agent's answer: one JSON document on standard output, whatever a login shell prints around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from piquet.controller import rehearsal
from piquet.errors import HostError
from piquet.findings import as_text
from piquet.printable import continued, in_one_line, printable, printable_document
from piquet.protocol.findings import Finding

PROTOCOL = 1
_MKTEMP_FAILED = 9
_NOT_FOUND = 127
_STDERR_LINES = 8


@dataclass(frozen=True)
class CommandOutcome:
    """What one remote command gave back; texts are decoded UTF-8."""

    rc: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class ToldChange:
    """One file that the verb changed, or would change; None where there is no file."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class AgentAnswer:
    """The agent's answer. `status`, `survey`, `rehearsal`, `journal`: documents of the protocol, `{}` if absent."""

    verb: str
    ok: bool
    changed: bool
    message: str
    problems: tuple[Finding, ...]
    changes: tuple[ToldChange, ...]
    status: Mapping[str, Any]
    survey: Mapping[str, Any]
    rehearsal: Mapping[str, Any] = field(default_factory=dict)
    journal: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The one sentence, then every problem with its hint, for a person."""
        return "\n".join([continued(self.message), *(as_text(problem) for problem in self.problems)])


def parse_answer(outcome: CommandOutcome, verb: str, host: str, python: str) -> AgentAnswer:
    """Read what the agent said. The host may be hostile: every text is made printable, every part checked for its type.

    Args:
        outcome: exit status and texts of the one remote command.
        verb: what was asked; another verb's answer is refused.
        host: inventory name, for messages.
        python: the interpreter that was to run the agent, for messages.

    Raises:
        HostError: there is no answer in the agreed form; the message says the likely reason and what to do.
    """
    document = next(_documents(outcome.stdout), None)
    if document is None:
        raise HostError(_why_no_answer(outcome, host, python))
    if document["piquet"] != PROTOCOL or document.get("verb") != verb:
        raise HostError(
            f"{host} answered protocol {document['piquet']!r}, verb {document.get('verb')!r}; "
            f"expected protocol {PROTOCOL}, verb {verb!r}"
        )
    try:
        answer = _answer(printable_document(document))
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as err:
        raise HostError(f"{host} answered, but not in the agreed form: {_reason(err)}") from err
    if answer.ok and outcome.rc != 0:
        raise HostError(
            f"{host} said ok but the agent ended with status {outcome.rc}\n{_tail(outcome.stderr)}"
        )
    return answer


def _answer(document: Mapping[str, Any]) -> AgentAnswer:
    return AgentAnswer(
        verb=str(document["verb"]),
        ok=document.get("ok") is True,
        changed=document.get("changed") is True,
        message=str(document.get("message", "")),
        problems=tuple(Finding.from_json(problem) for problem in document.get("problems") or ()),
        changes=tuple(_change(change) for change in document.get("diff") or ()),
        status=_status(document.get("status") or {}),
        survey=dict(document.get("survey") or {}),
        rehearsal=rehearsal.checked(document.get("rehearsal")),
        journal=dict(document.get("journal") or {}),
    )


def _change(change: Mapping[str, Any]) -> ToldChange:
    """One changed file.

    Raises:
        TypeError: it is not in the agreed form.
    """
    path, texts = change["path"], (change.get("before"), change.get("after"))
    if not isinstance(path, str) or not all(text is None or isinstance(text, str) for text in texts):
        raise TypeError("a change is no path with texts")
    return ToldChange(in_one_line(path), *texts)


def _status(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """What tables over all hosts are made of, so that one host cannot spoil them for the others.

    Raises:
        TypeError: it is not in the agreed form.
    """
    entries = status.get("entries") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TypeError("entries is no list of objects")
    return status


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object with our mark that starts a line; what else a profile script prints is skipped."""
    decoder = json.JSONDecoder()
    for start in re.finditer(r"^\{", text, re.MULTILINE):
        try:
            document, _ = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        if "piquet" in document:
            yield document


def _why_no_answer(outcome: CommandOutcome, host: str, python: str) -> str:
    """The likeliest reason, from exit status and standard error, with what to do."""
    said = outcome.stderr + outcome.stdout
    if outcome.rc == _MKTEMP_FAILED:
        reason, hint = "no file could be made in /tmp", "free space there, or make it writable for root"
    elif outcome.rc == _NOT_FOUND or re.search(rf"{re.escape(python)}: (not found|No such file)", said):
        reason, hint = (
            f"there is no Python at {python}",
            "install python3 there, or set piquet_python to a Python 3.8 or later",
        )
    elif "password is required" in said or "is not in the sudoers" in said or "sudo: not found" in said:
        reason, hint = (
            "it is not possible to become root",
            "let the login become root (ansible_become_*, pyinfra's _sudo_*), or log in as root",
        )
    elif "SyntaxError" in said or "ImportError" in said or "ModuleNotFoundError" in said:
        reason, hint = f"{python} cannot run the agent", "set piquet_python to a complete Python 3.8 or later"
    else:
        reason, hint = (
            f"the agent ended with status {outcome.rc} and no answer",
            "see what the host printed above",
        )
    return f"{host}: {reason}\n{_tail(said)}\n\n  hint: {hint}"


def _reason(error: Exception) -> str:
    return in_one_line(f"{type(error).__name__}: {error}")


def _tail(text: str) -> str:
    """The last lines of a text, indented."""
    return "\n".join(f"  | {line}" for line in printable(text).strip().splitlines()[-_STDERR_LINES:])
