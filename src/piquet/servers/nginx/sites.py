# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's tables over the sites' names: host name → key, key → share, whatever sizes its hash tables may have."""

from __future__ import annotations

import string
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from piquet import answers, outlook
from piquet.plan import HostPlan
from piquet.protocol.entries import entry_key, match_site
from piquet.servers.nginx.facts import NginxFacts
from piquet.servers.view import CampaignView, shares

SiteRows = tuple[tuple[str, str], ...]
_HASH_MAX_SIZE = 16384
_HASH_BUCKET_SIZE = 256
_DEFAULT_BUCKET_SIZE = 64
_MANY_NAMES = 400
"""Above this, nginx's default table warns at every test that it is not optimal."""


def site_rows(host: HostPlan) -> SiteRows:
    """Rows of the map from host name to key; an unselected name below a wildcard maps to nothing."""
    selected = {entry.name for entry in host.entries if entry.provider == "nginx"}
    wildcards = [name for name in selected if name.startswith("*.")]
    passed = [name for name in host.known if name not in selected and _is_below(name, wildcards)]
    rows = [(name, entry_key(name)) for name in selected] + [(name, "") for name in passed]
    return tuple(sorted(rows))


def _is_below(name: str, wildcards: Iterable[str]) -> bool:
    return match_site(name.replace("*", "any", 1), tuple(wildcards)) is not None


def site_values(view: CampaignView, host: HostPlan, server: NginxFacts) -> dict[str, Any]:
    """Values of the tables, for the template."""
    rows = site_rows(host)
    longest = _longest_key(server.map_hash_bucket_size or _DEFAULT_BUCKET_SIZE)
    is_large = len(rows) > _MANY_NAMES or any(len(name) > longest for name, _ in rows)
    is_ours = not (server.map_hash_max_size or server.map_hash_bucket_size)
    longest = sys.maxsize if is_ours else longest
    letters = _letters(view, host)
    sharers = tuple(sorted((key, letter) for letter, (_, keys) in letters.items() for key in keys))
    return {
        "hash_sizes": (_HASH_MAX_SIZE, _HASH_BUCKET_SIZE) if is_large and is_ours else None,
        **_site_tables(rows, longest),
        "shares": _letters_of_phases(view, letters),
        "open_letters": tuple(
            letter for letter, (phases, _) in letters.items() if not outlook.takes_part(view.campaign, phases)
        ),
        "sharers": tuple(row for row in sharers if len(row[0]) <= longest),
        "long_sharers": tuple(
            (f"^{answers.pcre_literal(key)}$", letter) for key, letter in sharers if len(key) > longest
        ),
    }


Letters = Mapping[str, tuple[tuple[int, ...], tuple[str, ...]]]
"""Letter of a share → its phases and the keys that take part in exactly these."""


def _letters(view: CampaignView, host: HostPlan) -> Letters:
    """A letter for each share but the whole.

    Consent knows two answers that show anything, so there are never more shares than letters.
    """
    everything = tuple(phase.number for phase in view.phases)
    partial = [item for item in shares(host, "nginx").items() if item[0] != everything]
    return dict(zip(string.ascii_lowercase, partial, strict=False))


def _letters_of_phases(view: CampaignView, letters: Letters) -> Mapping[int, tuple[str, ...]]:
    """Phase → letters of the shares that take part in it; empty if every site takes part in all phases."""
    if not letters:
        return {}
    return {
        phase.number: tuple(letter for letter, (numbers, _) in letters.items() if phase.number in numbers)
        for phase in view.phases
    }


def _longest_key(bucket_size_bytes: int) -> int:
    """Longest name that fits the table; a longer one would be an [emerg].

    Source: nginx `NGX_HASH_ELT_SIZE`: a pointer, two bytes, the name, aligned; and a pointer per bucket.
    """
    return bucket_size_bytes - 2 * 8 - 2


def _site_tables(rows: SiteRows, longest: int) -> dict[str, SiteRows]:
    """Rows as names, and as patterns where a name is too long for a table whose size is not ours to set.

    `map` asks names first, then its own wildcards, then patterns in their order: so as soon as one exact
    name is a pattern, all wildcards must be patterns behind it.
    """
    if all(len(name) <= longest for name, _ in rows):
        return {"sites": rows, "long_sites": ()}
    names = tuple(row for row in rows if len(row[0]) <= longest and not row[0].startswith("*."))
    others = sorted(set(rows) - set(names), key=lambda row: (row[0].startswith("*."), -len(row[0]), row[0]))
    return {"sites": names, "long_sites": tuple(_as_pattern(*row) for row in others)}


def _as_pattern(name: str, key: str) -> tuple[str, str]:
    host = answers.pcre_literal(name.removeprefix("*."))
    return (rf"^[^.].*\.{host}$" if name.startswith("*.") else f"^{host}$"), key
