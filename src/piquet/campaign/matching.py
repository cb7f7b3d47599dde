# SPDX-License-Identifier: GPL-3.0-or-later
"""Which name or pattern a host name falls to: the one rule, the same for servers, plan and probes.

The longest match wins: an exact name before any wildcard, a longer suffix before a shorter one. A wildcard
stands for one label or more, never for its bare suffix. No file, no network, no clock.

Source: nginx, "Server names" (wildcard names, order of search).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set


def match_site(host: str, names: Collection[str]) -> str | None:
    """The one of `names` that a request for `host` falls to, or None.

    Args:
        host: as a client may write it; capitals and a dot at the end do not matter.
        names: site names; give a set if there are many.
    """
    pool = names if isinstance(names, Set) else frozenset(names)
    return next((name for name in _ladder(host.lower().removesuffix(".")) if name in pool), None)


def match_pattern(site: str, patterns: Collection[str]) -> str | None:
    """The longest of `patterns` that means `site`, which may be a wildcard itself, or None.

    `*` means every name with a dot in it that is not an IP address: `localhost` and vhosts on bare addresses
    are where machines watch each other, so they must be named to be meant.
    """
    pool = patterns if isinstance(patterns, Set) else frozenset(patterns)
    return next((pattern for pattern in _pattern_ladder(site) if pattern in pool), None)


def entry_key(name: str) -> str:
    """The flag's file name for a site: its name, or `_.suffix` for `*.suffix`."""
    return f"_{name[1:]}" if name.startswith("*.") else name


def _ladder(name: str) -> Iterator[str]:
    """The name, then every wildcard above it, the longest first."""
    yield name
    while "." in name:
        name = name.partition(".")[2]
        yield f"*.{name}"


def _pattern_ladder(site: str) -> Iterator[str]:
    yield site
    bare = site.removeprefix("*.")
    yield from (wildcard for wildcard in _ladder(bare) if wildcard.startswith("*."))
    if "." in bare and not bare.rpartition(".")[2].isdecimal():
        yield "*"
