# SPDX-License-Identifier: GPL-3.0-or-later
"""Whichever road is taken, hosts end up the same, and people are told the same."""

from __future__ import annotations

from pathlib import Path

from tests.parity.compare import Comparison


def test_every_verb_by_every_road(compared: Comparison, campaign: Path) -> None:
    """Survey to remove, each looked at first, done, and done again: same words, flags, files, journal, answers."""
    file = str(campaign)
    compared.verb("survey", changed=False)
    compared.words("survey")
    for verb, *more in (("hook",), ("stage", file, "--no-baseline"), ("arm", file)):
        compared.verb(verb, *more, "--check", "--diff")
        compared.words(verb, *more, "--check", "--diff")
        compared.verb(verb, *more)
        compared.hosts(f"after {verb}")
        compared.verb(verb, *more, changed=False)
    compared.verb("status", changed=False)
    compared.words("status")
    compared.verb("stage", file, "--no-baseline", changed=False)
    for verb in ("rollback", "unhook", "remove"):
        compared.verb(verb, "--check", "--diff")
        compared.words(verb, "--check", "--diff")
        compared.verb(verb)
        compared.hosts(f"after {verb}")
        compared.verb(verb, changed=False)
    compared.verb("status", changed=False)
