# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of withdrawals: sites that took their consent back after the vote. It only ever grows. No file, no clock.

It is no part of the decision, since nobody has to vote on being left out. Columns `site` and `withdrawn_at` (RFC 3339,
UTC); further columns and lines that start with `#` are ignored.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import datetime

from piquet.campaign.document import shown
from piquet.campaign.names import Refusal, site_name
from piquet.errors import Problem

WITHDRAWALS_FILE = "withdrawn.csv"
"""Beside the campaign file."""
WITHDRAWALS_HEAD = (
    "# Sites that took their consent back; `piquet consent SITE out` adds them. Lines are only ever added.\n"
    "site,withdrawn_at\n"
)
MAX_WITHDRAWALS_BYTES = 4 * 1024 * 1024


@dataclass
class WithdrawalList:
    """What a list says.

    Attributes:
        sites: name → when, as it is written.
        problems: everything that is wrong with the text: a withdrawal that cannot be read must not be overlooked.
    """

    sites: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_withdrawals(text: str, file: str) -> WithdrawalList:
    """Read the list."""
    read = WithdrawalList()
    for number, line in enumerate(text.splitlines(), 1):
        cells = next(csv.reader(io.StringIO(line)), [])
        if not any(cells) or line.startswith("#") or cells[0].strip().lower() == "site":
            continue
        try:
            read.sites.setdefault(site_name(cells[0].strip()), cells[1].strip() if len(cells) > 1 else "")
        except Refusal as err:
            read.problems.append(
                Problem(file, number, 1, err.message, err.expected, shown(cells[0]), err.hint)
            )
    return read


def withdrawal_line(site: str, at: datetime) -> str:
    """The line to add.

    Args:
        site: its name.
        at: aware, UTC.
    """
    return f"{site},{at:%Y-%m-%dT%H:%M:%SZ}\n"
