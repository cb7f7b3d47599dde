# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pattern of the campaign means a site: the longest, as for names (`protocol/entries.py`). No file, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set

from piquet.protocol.entries import wider_names


def match_pattern(site: str, patterns: Collection[str]) -> str | None:
    """The longest of `patterns` that means `site`, which may be a wildcard itself, or None.

    `*` means every name with a dot in it that is not an IP address: `localhost` and vhosts on bare addresses
    are where machines watch each other, so they must be named to be meant.
    """
    pool = patterns if isinstance(patterns, Set) else frozenset(patterns)
    return next((pattern for pattern in _pattern_ladder(site) if pattern in pool), None)


def _pattern_ladder(site: str) -> Iterator[str]:
    yield site
    bare = site.removeprefix("*.")
    yield from (wildcard for wildcard in wider_names(bare) if wildcard.startswith("*."))
    if "." in bare and not bare.rpartition(".")[2].isdecimal():
        yield "*"
