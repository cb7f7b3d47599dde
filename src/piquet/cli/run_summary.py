# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a verb, told event by event: the state of every host, and the exit code. No output here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from piquet.cli.exit_codes import FINDINGS, HOST, INTERRUPTED, OK, UNREACHABLE, of_kind
from piquet.controller.events import Event
from piquet.controller.host_state import state_text
from piquet.printable import printable_line

HostWord = Literal[
    "changed", "ok", "skipped", "failed", "unreachable", "undone", "not armed", "not begun", "unknown"
]
GOOD: frozenset[HostWord] = frozenset({"changed", "ok", "skipped"})
ARM_CHECK = "Check that every host can be armed"
"""The step of arm after which no host is armed yet, in roles and deploys."""

ResultDocument = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class HostRow:
    """One host at the end of a run.

    Attributes:
        host: inventory name.
        word: how the verb went there; `unknown` if it was being worked on when the engine ended.
        state: of the host, as far as it told.
        detail: one sentence.
    """

    host: str
    word: HostWord
    state: str
    detail: str


@dataclass
class RunSummary:
    """What was heard so far.

    Attributes:
        verb: one of the agent's.
        check: whether nothing is really changed.
        is_interrupted: somebody ended the run before its time.
        step: under way.
        names: hosts of that step, as far as the engine names them.
        begun: hosts on which that step has begun.
        done: hosts for which it has ended, skipped ones included.
        told: host → its results that were not skipped, with their steps, oldest first.
        skipped: hosts that a step was not for.
        plan: the result of the plan.
        losses: failed results of steps on the controller, as (action, result).
    """

    verb: str
    check: bool = False
    is_interrupted: bool = False
    step: str = ""
    names: frozenset[str] = frozenset()
    begun: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    told: dict[str, list[tuple[str, ResultDocument]]] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    plan: ResultDocument = field(default_factory=dict)
    losses: list[tuple[str, ResultDocument]] = field(default_factory=list)

    def feed(self, event: Event) -> None:
        """Take in the next event."""
        if event.kind == "start" and not event.host:
            self.step, self.names = event.step, frozenset(event.names)
            self.begun, self.done = set(), set()
        elif event.kind == "start":
            self.begun.add(event.host)
        elif event.host:
            self._host_result(event)
        else:
            self._controller_result(event)

    def _host_result(self, event: Event) -> None:
        self.done.add(event.host)
        if event.result.get("skipped"):
            self.skipped.add(event.host)
        else:
            self.told.setdefault(event.host, []).append((event.step, event.result))

    def _controller_result(self, event: Event) -> None:
        if event.action == "plan":
            self.plan = event.result
        if event.result.get("failed"):
            self.losses.append((event.action, event.result))

    @property
    def hosts(self) -> list[str]:
        """Every host that was ever named, sorted."""
        return sorted(
            {*self.told, *self.skipped, *self.names, *self.begun, *(self.plan.get("involved") or ())}
        )

    @property
    def in_flight(self) -> set[str]:
        """Hosts that are being worked on; an engine that names no beginnings begins on all at once."""
        return (self.begun or {host for host in self.names if not self._losses(host)}) - self.done

    def _losses(self, host: str) -> list[ResultDocument]:
        """Results of a host that are not as they should be, oldest first."""
        told = self.told.get(host) or ()
        return [result for _, result in told if result.get("failed") or result.get("unreachable")]

    def rows(self) -> list[HostRow]:
        """One row per host, sorted by name."""
        return [self._row(host) for host in self.hosts]

    def _row(self, host: str) -> HostRow:
        word, (_, result) = self.word(host), (self.told.get(host) or [("", {})])[-1]
        state = state_text((result.get("piquet") or {}).get("status") or {}) if result.get("piquet") else "-"
        return HostRow(host, word, state, _DETAIL.get(word) or _sentence(result))

    def word(self, host: str) -> HostWord:
        """How the verb went on one host, so far."""
        told = self.told.get(host)
        if host in self.in_flight:
            return "unknown"
        if not told:
            return "skipped" if self._is_not_meant(host) else "not begun"
        if bad := self._losses(host):
            return "unreachable" if bad[0].get("unreachable") else "failed"
        if self.verb == "arm" and (told[-1][1].get("piquet") or {}).get("verb") == "rollback":
            return "undone"
        if self.verb == "arm" and told[-1][0] == ARM_CHECK:
            return "not armed"
        return "changed" if any(result.get("changed") for _, result in told) else "ok"

    def _is_not_meant(self, host: str) -> bool:
        """Whether nothing of the campaign is for this host."""
        return host not in self.plan["involved"] if "involved" in self.plan else host in self.skipped

    @property
    def is_done(self) -> bool:
        """Whether the verb did all of its work."""
        return not self.is_interrupted and not self.losses and all(row.word in GOOD for row in self.rows())

    def exit_code(self) -> int:
        """A code of `exit_codes`, from what was heard and nothing else."""
        if self.is_interrupted:
            return INTERRUPTED
        for action, result in self.losses:
            if action == "plan":
                return of_kind(str(result.get("kind")))
            if action == "verify":
                return int(result.get("rc") or FINDINGS)
        if kinds := [
            result["kind"] for told in self.told.values() for _, result in told if result.get("kind")
        ]:
            return of_kind(str(kinds[0]))
        bad = {row.word for row in self.rows()} - GOOD
        if not bad and not self.losses:
            return OK
        return UNREACHABLE if bad == {"unreachable"} else HOST


_DETAIL: Mapping[HostWord, str] = {
    "not begun": "not begun",
    "not armed": "could be armed, was not",
    "skipped": "nothing of the campaign is on this host",
    "unknown": "was being worked on",
}


def _sentence(result: ResultDocument) -> str:
    """The agent's sentence; for a failure the first problem says more."""
    answer = result.get("piquet") or {}
    problems = [p for p in answer.get("problems") or () if p.get("severity") == "error"]
    if result.get("failed") and problems:
        told = [
            str(answer.get("message") or "").rstrip("."),
            problems[0].get("subject"),
            problems[0].get("message"),
        ]
        return printable_line(": ".join(str(part) for part in told if part))
    return printable_line(str(answer.get("message") or result.get("msg") or ""))
