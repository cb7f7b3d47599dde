# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and directives of the web servers that both sides look for."""

from __future__ import annotations

from typing import Mapping, Tuple

NEEDED: Mapping[str, Tuple[str, ...]] = {
    "nginx": ("http_geo", "http_map", "http_rewrite"),
    "apache": ("alias_module", "headers_module"),
}
"""Server → modules without which nothing of ours works there."""
HEADERS_MORE = "http_headers_more_filter"
EARLY_LUA = "server_rewrite_by_lua"
"""Beginning of the names of directives of the owner's that act before the hook, wherever it stands, and that take the
place of ours (or ours of it), so that `auto` leaves it its place."""
