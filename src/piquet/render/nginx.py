# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx by the one include line: what stands at http level, and what the line brings into each server block.

At http level, maps decide (site, lease, door, language); in the server block one `if` asks for the flag
and one location, whose name no client can send, answers. What the host's nginx lacks is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from piquet import answers
from piquet.fleet.model import ServerFacts
from piquet.plan import HostPlan, entry_key, match_site
from piquet.render.environment import render
from piquet.render.view import CampaignView

HOOK_DIR = "/etc/piquet/nginx/server"
_HTTP_DIR = "/etc/piquet/nginx/http"
_HASH_MAX_SIZE = 16384
_HASH_BUCKET_SIZE = 256


def files(view: CampaignView, host: HostPlan, server: ServerFacts) -> Mapping[str, tuple[str, str]]:
    """Path → (mode, text) of the nginx side of one host."""
    values = _values(view, host, server)
    texts = {
        f"{server.dropin_dir}/00-piquet.conf": ("0644", _text("dropin", "What nginx reads first.", values)),
        f"{_HTTP_DIR}/20-decide.conf": ("0644", _text("http", "Decides which request is shown what.", values)),
        f"{HOOK_DIR}/piquet.conf": ("0644", _text("server", "Answers in the place of a site.", values)),
    }
    if view.secret:
        texts[f"{_HTTP_DIR}/10-bypass.conf"] = ("0600", _text("bypass", "The testers' way in.", values))
    return texts


def site_rows(host: HostPlan) -> tuple[tuple[str, str], ...]:
    """Rows of the map from host name to key; a served but unselected name below a wildcard maps to nothing."""
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
    return {
        **view.values(),
        "sites": site_rows(host),
        "modules": server.modules,
        "hash_max_size": None if server.map_hash_max_size else _HASH_MAX_SIZE,
        "hash_bucket_size": None if server.map_hash_bucket_size else _HASH_BUCKET_SIZE,
        "headers": _headers(view),
    }


def _headers(view: CampaignView) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Header, its variable, and (pattern on `$uri`, value) rows; the URI of an answer names its phase."""
    signs = [(f"^piquet:(?:page|asset)/{phase.number}/", phase.sign) for phase in view.phases]
    ends = [(f"^piquet:page/{phase.number}/", phase.retry_after) for phase in view.phases]
    return [(answers.SIGN_HEADER, "piquet_sign", signs), ("Retry-After", "piquet_retry_after", ends)]
