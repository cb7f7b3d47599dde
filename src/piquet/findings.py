# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding: one thing that somebody should know before, during or after a campaign.

Findings are values. They say where, what was expected, what was found and what to do next; who prints
them, and what is refused because of them, is decided elsewhere. No file, no network, no clock here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from piquet.printable import continued, in_one_line

Severity = Literal["error", "warning", "info"]
_WIDTH = 100
"""Characters in a line of names."""
_ORDER: Mapping[str, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Finding:
    """One observation, with a stable `code` that tests, documents and `--json` readers can rely on.

    Attributes:
        severity: `error` stops the verb, `warning` is shown and goes on, `info` is for the record.
        code: kebab-case name of the rule.
        subject: the host, site or path that it is about.
        message: one sentence, no trailing newline.
        expected: what would have been right, or "".
        got: what was there, or "".
        hint: what to do next, or "".
        sites: names that it alone refuses: without them the others could go on. Empty if it is not about sites.
    """

    severity: Severity
    code: str
    subject: str
    message: str
    expected: str = ""
    got: str = ""
    hint: str = ""
    sites: tuple[str, ...] = ()

    def to_json(self) -> dict[str, str | list[str]]:
        """The finding as the agent protocol and `--json` write it: empty fields left out."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "sites"}
        told = {name: value for name, value in fields.items() if value}
        return {**told, "sites": list(self.sites)} if self.sites else told

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Finding:
        """Read a finding that a host agent or an earlier run wrote; unknown keys are ignored."""
        fields = set(cls.__dataclass_fields__) - {"sites"}
        known = {name: str(record[name]) for name in fields if name in record}
        sites = record.get("sites")
        names = tuple(map(str, sites)) if isinstance(sites, list) else ()
        return cls(**known, sites=names)  # type: ignore[arg-type]


def by_weight(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: errors first, then by subject and code, so that the same input prints the same."""
    return tuple(sorted(findings, key=lambda f: (_ORDER[f.severity], f.subject, f.code, f.message)))


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Only those that stop a verb."""
    return tuple(finding for finding in findings if finding.severity == "error")


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
