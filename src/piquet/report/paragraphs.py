# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings for people: those of one cause are one paragraph, with a count and the first few places. No file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from piquet.findings import as_text
from piquet.fleet.sites import counted
from piquet.protocol.findings import Finding

_PLACES = 3
_QUESTION = re.compile(r"^(?:GET|HEAD|POST) \S+(?: \[[^\]]*\])*:? ")
_MORE = re.compile(r", and \d+ more questions? alike$")
_BY_WHAT_CAME = frozenset({"no-answer", "certificate"})
"""Codes of which the cause is what came instead: an address that refuses is not one that is slow."""

Group = Sequence[Finding]


def by_cause(findings: Iterable[Finding]) -> list[Group]:
    """The findings in their order, those together that differ only in place, question, and what came instead."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        what = _MORE.sub("", _QUESTION.sub("", one.message))
        got = one.got if one.code in _BY_WHAT_CAME else ""
        groups.setdefault((one.severity, one.code, what, one.hint, got), []).append(one)
    return list(groups.values())


def paragraph(group: Group, *, show_all: bool = False) -> str:
    """One cause for people: alone as any finding, else with its count and its places.

    Args:
        group: at least one finding.
        show_all: name every place, not the first few.
    """
    first, *others = group
    if not others:
        return as_text(first)
    shown = group if show_all else group[:_PLACES]
    lines = [f"  {_place(one)}" for one in shown]
    lines += [f"  … and {len(group) - len(shown)} more{_hosts(group)}"] if len(shown) < len(group) else []
    head, *rest = as_text(first).split("\n")
    title = head.replace(f"{first.subject}: ", f"{counted(len(group), 'place')}: ", 1)
    is_alike = len({(one.expected, one.got) for one in group}) == 1
    note = [] if is_alike or not rest else ["  at the first of them:"]
    return "\n".join([title, *lines, *note, *rest])


def _place(finding: Finding) -> str:
    question = _QUESTION.match(finding.message)
    return f"{finding.subject}{': ' + question[0].rstrip(': ') if question else ''}"


def _hosts(group: Group) -> str:
    """On which hosts, the most first; nothing where it is one or hosts are not told."""
    found = Counter(
        match[1] for one in group if (match := re.search(r" on ([^,]+), \S+ \(https?\)$", one.subject))
    )
    told = [f"{host} {number}" for host, number in found.most_common(_PLACES)]
    more = ["…"] if len(found) > _PLACES else []
    return f" (in all: {', '.join([*told, *more])})" if len(found) > 1 else ""
