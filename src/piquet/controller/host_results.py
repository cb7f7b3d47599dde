# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is what, over all hosts of a run: one row per host, one table for people, one verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Literal

from piquet.controller.host_state import HostStatus, sites_text, state_text
from piquet.controller.now import now_text
from piquet.printable import printable_line
from piquet.protocol.entries import entry_key, entry_name, match_site
from piquet.protocol.places import RUN

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
    "site": {"type": "str", "default": ""},
}
"""What an engine may pass, in the form of Ansible's argument specs."""
_END = (
    f"to end one site: piquet stop SITE -i INVENTORY; on its host, as root: rm {RUN}/live/SITE\n"
    "to end all of it: piquet rollback -i INVENTORY"
)
"""Behind the status of hosts that are armed."""


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
    unknown = _unknown_site(str(arguments.get("site") or ""), [s for _, s in _statuses(hosts, steps)])
    verdict = f"{arguments['title']}: {unknown[0]}" if unknown else verdict
    if arguments.get("now"):
        text = status_page(verdict, rows, list(_statuses(hosts, steps)), datetime.now(UTC))
    else:
        text = f"{verdict}\n\n{as_table(rows)}"
    hints = [_advice(arguments, is_nobody_ok=not good(rows)) if losers else "", *unknown[1:]]
    text += "".join(f"\n\nhint: {hint}" for hint in hints if hint)
    text += f"\n\n{arguments['afterwards']}" if arguments.get("afterwards") else ""
    is_bad = bool(losers or unknown)
    is_shown = arguments["show"] == "always" or (arguments["show"] == "bad" and is_bad)
    return {
        "changed": False,
        "failed": is_bad and bool(arguments["fail"]),
        "msg": verdict,
        "ok": list(good(rows)),
        "bad": list(losers),
        "begun": list(begun(hosts, steps, before or {})),
        "show": text if is_shown else "",
    }


def _advice(arguments: Mapping[str, Any], *, is_nobody_ok: bool) -> str:
    """What to do about the hosts that are not well; for one site with the line that ends it at the machine.

    Where no host is well, nobody can be left out.
    """
    advice = str(arguments["advice"])
    advice = advice.partition(", or leave them out")[0] if is_nobody_ok else advice
    site = str(arguments.get("site") or "").lower()
    line = f"; whoever has root there can end it with: rm -f {RUN}/live/{entry_key(site)}" if site else ""
    return f"{advice}{line}"


def _unknown_site(site: str, statuses: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """That no host which answered shows the site, and what may have been meant; nothing if one does."""
    name = site.lower().removesuffix(".")
    known = {
        entry_name(str(entry.get("key"))) for status in statuses for entry in status.get("entries") or ()
    }
    if not site or not statuses or match_site(name, known):
        return ()
    near = get_close_matches(name, sorted(known), 1)
    likely = (
        f"did you mean {printable_line(near[0])}?" if near else "`piquet plan` lists the sites of a campaign"
    )
    return f"no host that answered shows {printable_line(name)}", likely


def _statuses(hosts: Iterable[str], steps: Sequence[Results]) -> Iterator[tuple[str, HostStatus]]:
    """What the hosts that answered are in, in the order of their names."""
    for host in sorted(hosts):
        answer = (_last_result([step.get(host) for step in steps]) or {}).get("piquet") or {}
        if answer.get("status"):
            yield host, answer["status"]


def tally(hosts: Iterable[str], steps: Sequence[Results], undo: Results) -> tuple[HostResult, ...]:
    """One row per host, sorted by name.

    Args:
        hosts: every host that the run was about.
        steps: results of one step after the other; the last that was not skipped counts.
        undo: results of taking the work back, where that was done.
    """
    rows = (
        _row(host, _last_result([step.get(host) for step in steps]), undo.get(host)) for host in set(hosts)
    )
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
        result = _last_result([step.get(host) for step in steps])
        is_unsure = _plain_row(host, result).word in BAD and _state(before.get(host)) != "armed"
        if is_unsure or (result or {}).get("changed"):
            found.append(host)
    return tuple(found)


def _state(result: RegisteredResult | None) -> str:
    """What a host said that it is in, empty if it did not."""
    return str((((result or {}).get("piquet") or {}).get("status") or {}).get("state") or "")


def status_page(
    verdict: str, rows: Sequence[HostResult], statuses: Sequence[tuple[str, HostStatus]], at: datetime
) -> str:
    """What is due, then a short row a host, what there is to say of some, sites that are apart, how to end it.

    Args:
        verdict: how many hosts answered.
        rows: one per host.
        statuses: inventory name and status of each host that answered.
        at: aware; now.
    """
    short = as_table(replace(row, detail="") for row in rows)
    now = now_text((status for _, status in statuses), at)
    is_armed = any(status.get("state") == "armed" for _, status in statuses)
    parts = [now, verdict, short, _details(rows), sites_text(statuses), _END if is_armed else ""]
    return "\n\n".join(part for part in parts if part)


def _details(rows: Iterable[HostResult]) -> str:
    """What hosts say beyond their state; those that say the same together."""
    hosts: dict[str, list[str]] = {}
    for row in rows:
        if row.detail not in ("", "Armed."):
            hosts.setdefault(row.detail, []).append(row.host)
    return "\n".join(f"{', '.join(names)}: {detail}" for detail, names in hosts.items())


def as_table(rows: Iterable[HostResult]) -> str:
    """A table in plain text; meaning is never carried by colour."""
    return as_columns([(r.host, r.word, r.state, r.detail) for r in rows])


def as_columns(rows: Sequence[tuple[str, str, str, str]]) -> str:
    """Host, result, state and a sentence per row, under their titles."""
    cells = [("host", "result", "state", ""), *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = ["  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _last_result(results: Sequence[RegisteredResult | None]) -> RegisteredResult | None:
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
    """The agent's sentence, unless it was printed in full already; for a failure the first problem says more."""
    if result.get("show") and not result.get("failed"):
        return ""
    problems = [p for p in answer.get("problems") or () if p.get("severity") == "error"]
    if result.get("failed") and problems:
        told = [
            str(answer.get("message") or "").rstrip("."),
            problems[0].get("subject"),
            problems[0].get("message"),
        ]
        return _first_line(": ".join(str(part) for part in told if part))
    return _first_line(answer.get("message") or result.get("msg"))


def _first_line(text: object) -> str:
    """The first line of a message, for one row of a table, without Ansible's own introduction."""
    return printable_line(str(text or "")).removeprefix("Task failed: ")
