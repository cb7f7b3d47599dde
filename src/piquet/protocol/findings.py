# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding: one thing that somebody should know before, during or after a campaign.

Findings are values. They say where, what was expected, what was found and what to do next; who prints
them, and what is refused because of them, is decided elsewhere. No file, no network, no clock here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Literal, Mapping, Tuple, Union

Severity = Literal["error", "warning", "info"]


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
    sites: Tuple[str, ...] = ()

    def to_json(self) -> Dict[str, Union[str, List[str]]]:
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


def errors(findings: Iterable[Finding]) -> Tuple[Finding, ...]:
    """Only those that stop a verb."""
    return tuple(finding for finding in findings if finding.severity == "error")
