# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings for people: sorted by weight, and as text. No file, no network, no clock here."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from piquet.printable import continued, in_one_line
from piquet.protocol.findings import Finding

_WIDTH = 100
"""Characters in a line of names."""
_ORDER: Mapping[str, int] = {"error": 0, "warning": 1, "info": 2}


def by_weight(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: errors first, then by subject and code, so that the same input prints the same."""
    return tuple(sorted(findings, key=lambda f: (_ORDER[f.severity], f.subject, f.code, f.message)))


def as_text(finding: Finding) -> str:
    """The finding for a person: its sentence, expected and got, then a blank line and the hint.

    What a host wrote into it can make no line that looks like one of ours.
    """
    return _text(finding, f"{in_one_line(finding.subject)}: ")


def as_texts(findings: Iterable[Finding]) -> list[str]:
    """Findings for a person, in their order; those that say the same of several subjects become one with all names."""
    alike: dict[Finding, list[str]] = {}
    for finding in findings:
        alike.setdefault(replace(finding, subject=""), []).append(finding.subject)
    return [
        _of_many(finding, subjects) if len(subjects) > 1 else as_text(replace(finding, subject=subjects[0]))
        for finding, subjects in alike.items()
    ]


def _of_many(finding: Finding, subjects: Sequence[str]) -> str:
    names = textwrap.fill(
        f"  {len(subjects)} times: {', '.join(map(in_one_line, subjects))}",
        width=_WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return _text(finding, "", names)


def _text(finding: Finding, subject: str, *lines: str) -> str:
    word, code = in_one_line(finding.severity), in_one_line(finding.code)
    told = [f"{word}: {subject}{continued(finding.message)} [{code}]", *lines]
    if finding.expected:
        told.append(f"  expected: {continued(finding.expected)}")
    if finding.got:
        told.append(f"  got:      {continued(finding.got)}")
    if finding.hint:
        told += ["", f"  hint: {continued(finding.hint)}"]
    return "\n".join(told)
