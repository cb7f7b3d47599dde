# SPDX-License-Identifier: GPL-3.0-or-later
"""What the campaign's modes need of an nginx that shows them. No file, no network, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set

from piquet.campaign.model import Mode
from piquet.protocol.findings import Finding
from piquet.servers.nginx.facts import NginxFacts

_BY_INCLUDE = "set piquet_nginx to include for it, and hook it"
_FILTERS = ("header_filter_by_lua", "body_filter_by_lua")


def nginx_mode_findings(host: str, modes: Set[Mode], server: NginxFacts) -> Iterator[Finding]:
    """What it lacks for them, and what stands in their way."""
    if not server.needs_hook:
        yield from _lua(host, server)
    for mode in sorted(modes & _GATES.keys()):
        yield from _GATES[mode](host, server)


def _lua(host: str, server: NginxFacts) -> Iterator[Finding]:
    if not server.has_lua and "http_lua" in server.modules:
        message = "nginx's Lua module is loaded and does not know server_rewrite_by_lua: it is too old"
        expected, got = "a newer lua-nginx-module", f"the one of nginx {server.version}"
        yield Finding("error", "lua-too-old", host, message, expected, got, _BY_INCLUDE)
    elif not server.has_lua:
        message = "nginx has no Lua module loaded that knows server_rewrite_by_lua"
        hint = "have its owner install it (Debian: libnginx-mod-http-lua), or set piquet_nginx to auto"
        yield Finding("error", "lua-missing", host, message, "lua loaded", "piquet_nginx: lua", hint)
    if server.is_lua_taken:
        message = "server_rewrite_by_lua is the owner's here, so that ours cannot act or must not stand"
        yield Finding("error", "lua-taken", host, message, hint=_BY_INCLUDE)
    if names := sorted(server.altering):
        message = "what the owner has set would change our answers too, since by Lua these have no place of their own"
        yield Finding("warning", "lua-filtered", host, message, got=", ".join(names), hint=_BY_INCLUDE)


def _occupy(host: str, server: NginxFacts) -> Iterator[Finding]:
    if not server.needs_hook and (names := sorted(server.keeping)):
        message = "what the owner tells caches would let them keep the occupied page beyond its end"
        yield Finding("error", "occupy-expires", host, message, got=", ".join(names), hint=_BY_INCLUDE)


def _block(host: str, server: NginxFacts) -> Iterator[Finding]:
    """A 503 knows no `expires`, but every header by which a cache in front is told to keep it."""
    names = sorted(server.keeping - {"expires"})
    if not server.needs_hook and names:
        message = "what the owner tells caches would let them keep the strike page beyond its end"
        yield Finding("error", "block-kept", host, message, got=", ".join(names), hint=_BY_INCLUDE)


def _banner(host: str, server: NginxFacts) -> Iterator[Finding]:
    is_lua = not server.needs_hook
    names = _FILTERS if is_lua else ("sub_filter",)
    if is_lua and server.own & _names_at_levels(*names, levels=("http",)):
        message = "the owner's own Lua filter stands at http level, where ours would have to"
        yield Finding("error", "banner-taken", host, message, ", ".join(names), hint=_BY_INCLUDE)
    if is_lua and (adding := sorted(server.adding)):
        message = "where the owner adds a body to pages, a banner by Lua leaves visitors waiting for the rest of them"
        yield Finding("error", "banner-hangs", host, message, "none of them", ", ".join(adding), _BY_INCLUDE)
    if not is_lua and "http_sub" not in server.modules:
        message = "nginx was built without http_sub, which puts the banner into pages"
        yield Finding(
            "error", "banner-needs-module", host, message, "http_sub", hint="use a build that has it"
        )
    if not is_lua and server.own & _names_at_levels(
        "sub_filter_last_modified", levels=("http", "server", "location")
    ):
        message = (
            "`sub_filter_last_modified` is on, so that browsers would keep pages with a banner beyond its end"
        )
        yield Finding("error", "banner-kept", host, message, "off", "on", "have its owner switch it off")
    if partial := sorted(server.own & _names_at_levels(*names, levels=("server", "location"))):
        message = f"where the owner's own {' or '.join(names)} stands, pages show no banner"
        hint = (
            f"nginx -T | grep -nE '{'|'.join(names)}' shows where; piquet verify --during counts these pages"
        )
        yield Finding("warning", "banner-partial", host, message, "none of them", ", ".join(partial), hint)


def _names_at_levels(*names: str, levels: tuple[str, ...] = ("http", "server")) -> frozenset[str]:
    return frozenset(f"{level} {name}" for level in levels for name in names)


_GATES: Mapping[Mode, Callable[[str, NginxFacts], Iterator[Finding]]] = {
    "block": _block,
    "occupy": _occupy,
    "banner": _banner,
}
