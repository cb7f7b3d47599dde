# SPDX-License-Identifier: GPL-3.0-or-later
"""How findings name many sites. Values in, text out."""

from __future__ import annotations

from collections.abc import Collection

from piquet.fleet.sites import count_sites, counted

_SHOWN = 5


def sites(names: Collection[str]) -> str:
    """`1 site`, or how many."""
    return counted(count_sites(names), "site")


def some(names: list[str]) -> str:
    """The first few names, and how many more."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
