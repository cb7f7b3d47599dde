# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and directives of nginx that both sides look for."""

from __future__ import annotations

HEADERS_MORE = "http_headers_more_filter"
EARLY_LUA = "server_rewrite_by_lua"
"""Beginning of the names of directives of the owner's that act before the hook, wherever it stands, and that take the
place of ours (or ours of it), so that `auto` leaves it its place."""
