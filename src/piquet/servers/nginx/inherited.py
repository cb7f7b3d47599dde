# SPDX-License-Identifier: GPL-3.0-or-later
"""What directives of other people's nginx modules do to our own location, and how they are switched off there.

One table, from which `auto` chooses, our location is written, and sites are refused. Names that are in none of its rows
cannot be judged: their module may answer in any phase. Every row of what Debian packages was tried on a real server
(`tests/corpus/test_inherited.py`). No file, no network, no clock.

Source: `ngx_command_t` tables of Debian's dynamic modules (bookworm) for what may stand at http or server level, and
each module's own documentation; NGINX Plus by its documentation alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from piquet.fleet.model import Inherited, Variant

_LUA_FORM = re.compile(r"_by_lua(?:_block|_file)?$")
_NOTHING = 'subs_filter "nothing of this page is replaced" ""'
REQUESTS, CONNECTIONS = "piquet_requests", "piquet_connections"
"""Zones of ours that never count, which stand at http level where a site is limited."""
SWITCHES: Mapping[str, tuple[str, ...]] = {
    "limit_req": (f"limit_req zone={REQUESTS}",),
    "limit_conn": (f"limit_conn {CONNECTIONS} 65535",),
    "auth_pam": ("auth_pam off",),
    "modsecurity": ("modsecurity off",),
    "brotli": ("brotli off",),
    "dav_ext_methods": ("dav_ext_methods off",),
    "subs_filter": (_NOTHING, "subs_filter_types text/piquet"),
    "srcache_fetch": ("srcache_fetch_skip 1",),
    "srcache_store": ("srcache_store_skip 1",),
    "add_header_inherit": ("add_header_inherit off",),
    "add_trailer_inherit": ("add_trailer_inherit off",),
}
"""Directive → what our location says in its place."""
LUA_SWITCHES = ("rewrite_by_lua", "access_by_lua", "header_filter_by_lua", "body_filter_by_lua")
"""In the place of each our location has a block of Lua that does nothing."""
HEADERS = frozenset({"more_set_headers", "more_clear_headers"})
"""They are added to what our location says of headers, which comes after them."""
SYMLINKS_DIRECTIVE = "disable_symlinks"
"""Surveyed only where it keeps nginx from seeing our flags."""
_ANSWERING_TEXT = """
nchan_publisher nchan_pubsub nchan_subscriber nchan_publisher_location nchan_pubsub_location
nchan_subscriber_location nchan_redis_upstream_stats push_publisher push_subscriber report_uploads
track_uploads
"""
_ANSWERING = frozenset({SYMLINKS_DIRECTIVE, *_ANSWERING_TEXT.split()})
"""They answer in our location's place, or keep it from being found, and nothing there can switch them off."""
_HARMLESS = re.compile(
    r"js_(?:fetch_.*|import|include|path|preload_object|set|shared_dict_zone|var)"
    r"|set_(?:misc_)?base32_(?:alphabet|padding)|set_(?:en|de)code_(?:base32|base64|base64url|hex)|set_(?:un)?escape_uri"
    r"|set_formatted_(?:gmt|local)_time|set_hashed_upstream|set_hmac_sha(?:1|256)|set_if_empty|set_local_today|set_md5"
    r"|set_sha1|set_quote_(?:json|pgsql|sql)_str|set_random|set_rotate|set_secure_random_(?:lcalpha|alphanum)"
    r"|auth_pam_.*|brotli_.*|(?:proxy|fastcgi|scgi|uwsgi)_cache_purge|dav_ext_lock(?:_zone)?|fancyindex(?:_.*)?"
    r"|geoip2(?:_.*)?|lua_.*|(?:init|init_worker|exit_worker|set|log|server_rewrite)_by_lua"
    r"|ssl_(?:certificate|client_hello|session_fetch|session_store)_by_lua|(?:access|rewrite)_by_lua_no_postpone"
    r"|memc_.*|modsecurity_.*|more_(?:set|clear)_input_headers|srcache_.*|subs_.*|upload_progress(?:_.*)?"
    r"|upstream_(?:list|fair_shm_size)|nchan_.*|push_.*|status_zone|keyval|keyval_zone|match"
)
"""They give values, or act where something else is said that has a row of its own."""


def stem(name: str) -> str:
    """A directive without the form in which its Lua is given."""
    return _LUA_FORM.sub("_by_lua", name)


def is_known(name: str) -> bool:
    """Whether it is known what a directive does to our location."""
    plain = stem(name)
    is_listed = plain in SWITCHES or plain in LUA_SWITCHES or plain in HEADERS or plain in _ANSWERING
    return is_listed or _HARMLESS.fullmatch(plain) is not None


def stands_in_the_way(one: Inherited, variant: Variant) -> bool:
    """Whether a site that inherits it cannot be held; by Lua we answer before any location is found."""
    return variant != "lua" and (stem(one.name) in _ANSWERING or not is_known(one.name))


def switched_off(names: Iterable[str]) -> tuple[str, ...]:
    """What our location says in the place of what some server block uses, in a fixed order."""
    used = {stem(name) for name in names}
    plain = [f"{line};" for name, lines in SWITCHES.items() if name in used for line in lines]
    return (*plain, *(f"{name}_block {{ return }}" for name in LUA_SWITCHES if name in used))
