# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pattern of the campaign means a site: the longest, as for names (`protocol/entries.py`). No file, no clock."""

from __future__ import annotations

from collections.abc import Collection, Set

from piquet.protocol.entries import pattern_ladder


def match_pattern(site: str, patterns: Collection[str]) -> str | None:
    """The longest of `patterns` that means `site`, which may be a wildcard itself, or None."""
    pool = patterns if isinstance(patterns, Set) else frozenset(patterns)
    return next((pattern for pattern in pattern_ladder(site) if pattern in pool), None)
