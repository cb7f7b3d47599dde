# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding as the agent writes it: the twin of `piquet.findings`, which the agent cannot import.

The controller reads these records with `piquet.findings.Finding.from_json`; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Dict, Iterable, Tuple


@dataclass(frozen=True)
class Finding:
    """One observation; `severity` is `error` (stops the verb), `warning` or `info`."""

    severity: str
    code: str
    subject: str
    message: str
    expected: str = ""
    got: str = ""
    hint: str = ""

    def to_json(self) -> Dict[str, str]:
        """The record of the agent protocol: empty fields are left out."""
        return {name: value for name, value in asdict(self).items() if value}


def errors(findings: Iterable[Finding]) -> Tuple[Finding, ...]:
    """Only those that stop a verb."""
    return tuple(finding for finding in findings if finding.severity == "error")
