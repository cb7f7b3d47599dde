# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes of what an agent found."""

from __future__ import annotations

from piquet.host.outcome import Outcome


def codes(outcome: Outcome) -> set[str]:
    """Codes of all findings."""
    return {finding.code for finding in outcome.findings}
