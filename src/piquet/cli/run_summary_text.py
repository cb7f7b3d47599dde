# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of a verb says to people: texts only, the same whichever engine it was. Nothing is printed here."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from piquet.cli.run_summary import ARM_CHECK, HostRow, HostWord, RunSummary
from piquet.controller.host_results import as_columns
from piquet.printable import printable

_ABSENT = "/dev/null"
_SHOWN = 8
_ALWAYS: tuple[HostWord, ...] = ("changed", "failed")
_ORDER: tuple[HostWord, ...] = (
    *_ALWAYS, "unreachable", "undone", "not armed", "not begun", "unknown",
)  # fmt: skip
_QUIET: frozenset[HostWord] = frozenset({"changed"})
"""Words whose hosts the last line does not name."""


def last_line(course: RunSummary, seconds: float) -> str:
    """The last line: `done: 16 hosts, 16 changed, 0 failed, 4.2 s`, or `NOT done: …` with names."""
    rows = course.rows()
    title = "done" if course.is_done else "NOT done"
    title += " (check: nothing was changed)" if course.check else ""
    parts = [f"{len(rows)} host{'' if len(rows) == 1 else 's'}"]
    if not rows:
        return f"{title}: no host was touched, {seconds:.1f} s"
    parts += [text for word in _ORDER if (text := _count(word, rows, course.check))]
    return f"{title}: {', '.join(parts)}, {seconds:.1f} s"


def _count(word: HostWord, rows: Sequence[HostRow], check: bool) -> str:
    hosts = [row.host for row in rows if row.word == word]
    if not hosts and word not in _ALWAYS:
        return ""
    names = f" ({_names(hosts)})" if hosts and word not in _QUIET else ""
    return f"{len(hosts)} {_result_word(word, check)}{names}"


def _names(hosts: Sequence[str]) -> str:
    more = [f"and {len(hosts) - _SHOWN} more"] if len(hosts) > _SHOWN else []
    return printable(", ".join([*hosts[:_SHOWN], *more]))


def host_table(rows: Iterable[HostRow], check: bool) -> str:
    """A row per host."""
    return printable(as_columns([(r.host, _result_word(r.word, check), r.state, r.detail) for r in rows]))


def _result_word(word: HostWord, check: bool) -> str:
    return "would change" if check and word == "changed" else word


def failure(host: str, result: Mapping[str, Any]) -> str:
    """A failed or unreachable host in full, with its name once."""
    word = "unreachable" if result.get("unreachable") else "failed"
    message = str(result.get("msg") or "no reason was given").strip()
    return printable(f"{word}: {message}" if message.startswith(f"{host}:") else f"{word}: {host}: {message}")


def diff_text(host: str, changes: object) -> str:
    """The files of one host before and after, as one unified diff; their names begin with the host's."""
    parts = [change for change in (changes if isinstance(changes, list) else ()) if isinstance(change, dict)]
    return printable("".join(line for change in parts for line in _unified_diff(host, change)))


def _unified_diff(host: str, change: Mapping[str, Any]) -> Iterator[str]:
    names = [str(change.get(f"{side}_header", "")) for side in ("before", "after")]
    before, after = (str(change.get(side, "")).splitlines(keepends=True) for side in ("before", "after"))
    labels = [name if name == _ABSENT else f"{host}:{name}" for name in names]
    for line in difflib.unified_diff(before, after, labels[0], labels[1]):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def where(course: RunSummary, inventory: str, engine: str) -> str:
    """After a run that ended before its time: what is where, and what to do next."""
    ended = "interrupted" if course.is_interrupted else "broken off"
    by_word: dict[HostWord, list[str]] = {}
    for row in course.rows():
        by_word.setdefault(row.word, []).append(row.host)
    finished = sorted(host for word in ("changed", "ok", "skipped") for host in by_word.get(word, ()))
    lines = [f"{ended} in the step: {course.step}" if course.step else f"{ended} before the first step"]
    if not course.hosts:
        return "\n".join([*lines, "  no host was begun", *_next_lines(course, inventory, engine)])
    for title, hosts in (
        ("done", finished),
        ("checked, not armed", by_word.get("not armed", [])),
        ("taken back", by_word.get("undone", [])),
        ("failed", by_word.get("failed", [])),
        ("not reached", by_word.get("unreachable", [])),
        ("unknown", by_word.get("unknown", [])),
        ("not begun", by_word.get("not begun", [])),
    ):
        lines += [f"  {title}: {printable(', '.join(hosts))}"] if hosts else []
    if by_word.get("unknown"):
        lines += ["", "what was begun on a host goes on there by itself: to its end, or back to where it was"]
    return "\n".join([*lines, *_next_lines(course, inventory, engine)])


def _next_lines(course: RunSummary, inventory: str, engine: str) -> list[str]:
    """What is known of the sites, and the commands that come next."""
    if course.verb in ("survey", "status") or course.check:
        return ["", "nothing was to be changed; run it again whenever you like"]
    given = f"-i {shlex.quote(inventory)} --engine {engine}"
    lines = ["", _armed_line(course)] if course.verb == "arm" else [""]
    lines.append(f"next: piquet status {given}    (what every host is doing)")
    if course.verb == "arm":
        lines.append(f"then: piquet rollback {given}  (back to normal everywhere), or arm again")
    elif course.verb == "rehearse":
        lines.append("then: piquet rehearse again; what has begun is replaced, or ends by itself")
    else:
        lines.append(f"then: piquet {course.verb} again; it goes on where it was")
    return lines


def _armed_line(course: RunSummary) -> str:
    armed = [row.host for row in course.rows() if row.word in ("changed", "ok")]
    perhaps = sorted(course.in_flight) if course.step != ARM_CHECK else []
    if not armed and not perhaps:
        return "this run has armed no host"
    parts = [f"armed: {', '.join(armed)}"] if armed else []
    parts += [f"perhaps armed: {', '.join(perhaps)}"] if perhaps else []
    return printable("; ".join(parts))
