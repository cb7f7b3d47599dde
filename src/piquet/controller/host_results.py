# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is what, over all hosts of a run: one row per host, one table for people, one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from piquet.controller.now import now_text
from piquet.fleet.sites import count_sites
from piquet.printable import printable_line

ResultWord = Literal["ok", "failed", "unreachable", "undone", "skipped", "not run"]
BAD: frozenset[str] = frozenset({"failed", "unreachable", "undone", "not run"})
RegisteredResult = Mapping[str, Any]
Results = Mapping[str, RegisteredResult | None]
"""One registered result per host, None for a host without one."""
TALLY_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "of": {"type": "list", "elements": "str", "required": True},
    "before": {"type": "str", "default": ""},
    "undo": {"type": "str", "default": ""},
    "title": {"type": "str", "required": True},
    "fail": {"type": "bool", "default": True},
    "show": {"type": "str", "default": "always", "choices": ["always", "bad", "never"]},
    "advice": {"type": "str", "default": ""},
    "afterwards": {"type": "str", "default": ""},
    "now": {"type": "bool", "default": False},
}
"""What an engine may pass, in the form of Ansible's argument specs."""


@dataclass(frozen=True, order=True)
class HostResult:
    """One host: how the verb went, the state it is in as far as known, and a sentence."""

    host: str
    word: ResultWord
    state: str
    detail: str


def attempt(
    arguments: Mapping[str, Any],
    hosts: Iterable[str],
    steps: Sequence[Results],
    undo: Results,
    before: Results | None = None,
) -> dict[str, Any]:
    """Tally for an engine: the table as `show`, the lists `ok`, `bad` and `begun`; failed when asked to be."""
    hosts = set(hosts)
    rows = tally(hosts, steps, undo)
    losers = bad(rows)
    verdict = f"{arguments['title']}: {len(good(rows))} ok"
    verdict += f", {len(losers)} not ({', '.join(losers)})" if losers else ""
    text = f"{verdict}\n\n{as_table(rows)}"
    if arguments.get("now"):
        text = f"{now_text(_statuses(hosts, steps), datetime.now(UTC))}\n\n{text}"
    text += f"\n\nhint: {arguments['advice']}" if losers and arguments["advice"] else ""
    text += f"\n\n{arguments['afterwards']}" if arguments.get("afterwards") else ""
    is_shown = arguments["show"] == "always" or (arguments["show"] == "bad" and losers)
    return {
        "changed": False,
        "failed": bool(losers and arguments["fail"]),
        "msg": verdict,
        "ok": list(good(rows)),
        "bad": list(losers),
        "begun": list(begun(hosts, steps, before or {})),
        "show": text if is_shown else "",
    }


def _statuses(hosts: Iterable[str], steps: Sequence[Results]) -> Iterator[Mapping[str, Any]]:
    """What the hosts that answered are in, in the order of their names."""
    for host in sorted(hosts):
        answer = (_last([step.get(host) for step in steps]) or {}).get("piquet") or {}
        if answer.get("status"):
            yield answer["status"]


def tally(hosts: Iterable[str], steps: Sequence[Results], undo: Results) -> tuple[HostResult, ...]:
    """One row per host, sorted by name.

    Args:
        hosts: every host that the run was about.
        steps: results of one step after the other; the last that was not skipped counts.
        undo: results of taking the work back, where that was done.
    """
    rows = (_row(host, _last([step.get(host) for step in steps]), undo.get(host)) for host in set(hosts))
    return tuple(sorted(rows))


def bad(rows: Iterable[HostResult]) -> tuple[str, ...]:
    """The hosts on which the verb did not do its work."""
    return tuple(row.host for row in rows if row.word in BAD)


def good(rows: Iterable[HostResult]) -> tuple[str, ...]:
    """The hosts on which the verb did its work."""
    return tuple(row.host for row in rows if row.word == "ok")


def begun(hosts: Iterable[str], steps: Sequence[Results], before: Results) -> tuple[str, ...]:
    """The hosts that these steps have armed, or may have: all that can be theirs to take back.

    Args:
        hosts: every host that the run was about.
        steps: results of one step after the other.
        before: results of the look before; a host that was armed then and was not changed since is none of ours.
    """
    found = []
    for host in sorted(set(hosts)):
        result = _last([step.get(host) for step in steps])
        is_unsure = _plain_row(host, result).word in BAD and _state(before.get(host)) != "armed"
        if is_unsure or (result or {}).get("changed"):
            found.append(host)
    return tuple(found)


def _state(result: RegisteredResult | None) -> str:
    """What a host said that it is in, empty if it did not."""
    return str((((result or {}).get("piquet") or {}).get("status") or {}).get("state") or "")


def as_table(rows: Iterable[HostResult]) -> str:
    """A table in plain text; meaning is never carried by colour."""
    return as_columns([(r.host, r.word, r.state, r.detail) for r in rows])


def as_columns(rows: Sequence[tuple[str, str, str, str]]) -> str:
    """Host, result, state and a sentence per row, under their titles."""
    cells = [("host", "result", "state", ""), *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = ["  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def state_text(status: Mapping[str, Any]) -> str:
    """The state of a host in a few words, e.g. `armed, 12 of 12 sites flagged`."""
    state = printable_line(str(status.get("state") or "unknown"))
    entries = status.get("entries") or ()
    if state != "armed":
        return state
    flagged, all_sites = (
        count_sites(str(entry.get("key")) for entry in found)
        for found in ([entry for entry in entries if entry.get("flag")], entries)
    )
    return f"armed, {flagged} of {all_sites} sites flagged"


def _last(results: Sequence[RegisteredResult | None]) -> RegisteredResult | None:
    """The last result that says something: skipped ones only count where there is nothing else."""
    known = [result for result in results if result is not None]
    telling = [result for result in known if not result.get("skipped")] or known
    return telling[-1] if telling else None


def _row(host: str, result: RegisteredResult | None, undo: RegisteredResult | None) -> HostResult:
    row = _plain_row(host, result)
    if undo is None or undo.get("skipped"):
        return row
    undone = _plain_row(host, undo)
    word = row.word if row.word != "ok" else "undone" if undone.word == "ok" else undone.word
    return HostResult(host, word, undone.state, f"{row.detail}; then taken back: {undone.detail}")


def _plain_row(host: str, result: RegisteredResult | None) -> HostResult:
    if result is None:
        return HostResult(host, "not run", "unknown", "an earlier step had already ended this host's run")
    if result.get("unreachable"):
        return HostResult(host, "unreachable", "unknown", _first_line(result.get("msg")))
    if result.get("skipped"):
        return HostResult(host, "skipped", "-", "nothing of the campaign is on this host")
    answer = result.get("piquet") or {}
    word: ResultWord = "failed" if result.get("failed") else "ok"
    return HostResult(host, word, state_text(answer.get("status") or {}), _detail(answer, result))


def _detail(answer: RegisteredResult, result: RegisteredResult) -> str:
    """The agent's sentence; for a failure the first problem says more."""
    problems = [p for p in answer.get("problems") or () if p.get("severity") == "error"]
    if result.get("failed") and problems:
        told = [answer.get("message"), problems[0].get("subject"), problems[0].get("message")]
        return _first_line(": ".join(str(part) for part in told if part))
    return _first_line(answer.get("message") or result.get("msg"))


def _first_line(text: object) -> str:
    """The first line of a message, for one row of a table, without Ansible's own introduction."""
    return printable_line(str(text or "")).removeprefix("Task failed: ")
