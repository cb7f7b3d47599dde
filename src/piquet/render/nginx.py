# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx by the one include line: what stands at http level, and what the line brings into each server block.

At http level, maps decide (site, lease, door, language); in the server block one `if` asks for the flag
and one location, whose name no client can send, answers. What the host's nginx lacks is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from piquet import answers
from piquet.fleet.model import ServerFacts
from piquet.plan import HostPlan, entry_key, match_site
from piquet.render.environment import render
from piquet.render.view import CampaignView

Rows = tuple[tuple[str, str], ...]
HOOK_DIR = "/etc/piquet/nginx/server"
_HTTP_DIR = "/etc/piquet/nginx/http"
_HASH_MAX_SIZE = 16384
_HASH_BUCKET_SIZE = 256
_DEFAULT_BUCKET_SIZE = 64
_MANY_NAMES = 400
"""Above this, nginx's default table warns at every test that it is not optimal."""


def files(view: CampaignView, host: HostPlan, server: ServerFacts) -> Mapping[str, tuple[str, str]]:
    """Path → (mode, text) of the nginx side of one host."""
    values = _values(view, host, server)
    texts = {
        f"{server.dropin_dir}/00-piquet.conf": ("0644", _text("dropin", "What nginx reads first.", values)),
        f"{_HTTP_DIR}/20-decide.conf": (
            "0644",
            _text("http", "Decides who is shown what.", values),
        ),
        f"{HOOK_DIR}/piquet.conf": ("0644", _text("server", "Answers in the place of a site.", values)),
    }
    if view.secret:
        texts[f"{_HTTP_DIR}/30-bypass.conf"] = ("0600", _text("bypass", "The testers' way in.", values))
    return texts


def site_rows(host: HostPlan) -> Rows:
    """Rows of the map from host name to key; an unselected name below a wildcard maps to nothing."""
    selected = {entry.name for entry in host.entries if entry.provider == "nginx"}
    wildcards = [name for name in selected if name.startswith("*.")]
    passed = [name for name in host.known if name not in selected and _is_below(name, wildcards)]
    rows = [(name, entry_key(name)) for name in selected] + [(name, "") for name in passed]
    return tuple(sorted(rows))


def _is_below(name: str, wildcards: Iterable[str]) -> bool:
    return match_site(name.replace("*", "any", 1), tuple(wildcards)) is not None


def _text(template: str, purpose: str, values: Mapping[str, Any]) -> str:
    return render(f"nginx/{template}.conf.j2", purpose=purpose, **values)


def _values(view: CampaignView, host: HostPlan, server: ServerFacts) -> dict[str, Any]:
    rows = site_rows(host)
    longest = _longest_key(server.map_hash_bucket_size or _DEFAULT_BUCKET_SIZE)
    is_large = len(rows) > _MANY_NAMES or any(len(name) > longest for name, _ in rows)
    is_ours = not (server.map_hash_max_size or server.map_hash_bucket_size)
    return {
        **view.values(),
        "hash_sizes": (_HASH_MAX_SIZE, _HASH_BUCKET_SIZE) if is_large and is_ours else None,
        **_site_tables(rows, sys.maxsize if is_ours else longest),
        "modules": server.modules,
        "headers": _headers(view),
    }


def _longest_key(bucket_size_bytes: int) -> int:
    """Longest name that fits the table; a longer one would be an [emerg].

    Source: nginx `NGX_HASH_ELT_SIZE`: a pointer, two bytes, the name, aligned; and a pointer per bucket.
    """
    return bucket_size_bytes - 2 * 8 - 2


def _site_tables(rows: Rows, longest: int) -> dict[str, Rows]:
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


def _headers(view: CampaignView) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Header, its variable, and (pattern on `$uri`, value) rows; the URI of an answer names its phase."""
    signs = [(f"^piquet:(?:page|asset)/{phase.number}/", phase.sign) for phase in view.phases]
    ends = [(f"^piquet:page/{phase.number}/", phase.retry_after) for phase in view.phases]
    return [(answers.SIGN_HEADER, "piquet_sign", signs), ("Retry-After", "piquet_retry_after", ends)]
