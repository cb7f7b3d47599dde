# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of sites as controller and host know them: which one a host name falls to, and the file name of its flag.

A pattern of the campaign is a name too, or `*`.

The longest match wins: an exact name before any wildcard, a longer suffix before a shorter one. A wildcard
stands for one label or more, never for its bare suffix. No file, no network, no clock.

Source: nginx, "Server names" (wildcard names, order of search).
"""

from __future__ import annotations

from collections.abc import Set
from typing import Collection, Iterator, Optional


def match_site(host: str, names: Collection[str]) -> Optional[str]:
    """The one of `names` that a request for `host` falls to, or None.

    Args:
        host: as a client may write it; capitals and a dot at the end do not matter.
        names: site names; give a set if there are many.
    """
    pool = names if isinstance(names, Set) else frozenset(names)
    name = host.lower()
    return next(
        (found for found in wider_names(name[:-1] if name.endswith(".") else name) if found in pool), None
    )


def entry_key(name: str) -> str:
    """The flag's file name for a site: its name, or `_.suffix` for `*.suffix`."""
    return f"_{name[1:]}" if name.startswith("*.") else name


def entry_name(key: str) -> str:
    """The site's name for a flag's file name."""
    return f"*{key[1:]}" if key.startswith("_.") else key


def wider_names(name: str) -> Iterator[str]:
    """The name, then every wildcard above it, the longest first."""
    yield name
    while "." in name:
        name = name.partition(".")[2]
        yield f"*.{name}"


def pattern_ladder(name: str) -> Iterator[str]:
    """The name, every wildcard pattern that means it, the longest first, and `*`.

    `*` means every name with a dot in it that is not an IP address: `localhost` and vhosts on bare addresses
    are where machines watch each other, so they must be named to be meant.
    """
    yield name
    bare = name[2:] if name.startswith("*.") else name
    yield from (wildcard for wildcard in wider_names(bare) if wildcard.startswith("*."))
    if "." in bare and not bare.rpartition(".")[2].isdecimal():
        yield "*"
