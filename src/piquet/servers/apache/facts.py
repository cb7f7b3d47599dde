# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey says of an Apache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from piquet.fleet.form import typed, words
from piquet.fleet.model import ServerFacts
from piquet.fleet.surveyed_server import Part

LUA_INLINE = ("5.1", "5.2", "5.3")
"""Versions of Lua with which mod_lua runs code that stands in the configuration."""


@dataclass(frozen=True)
class ApacheFacts(ServerFacts):
    """What a host's Apache is like.

    Attributes:
        use_canonical_name: whether it is on anywhere.
        quick_handler_cache: whether mod_cache answers before everything else.
        trace: whether TRACE is answered.
        server_rules: whether others have rewrite rules at server level.
        has_lua: whether a Lua module that can do what we need is loaded already.
        has_own_lua: whether the owner's configuration uses Lua.
        lua_version: of Lua, that its mod_lua is linked with, as `5.3`; "" where that is not known.
        loadable: modules that are not loaded though their file is there: name → path of the .so.
        conditional: modules for whose presence some section of the owner's waits (`<IfModule>`): loading one would
            wake that section.
        substitutes: names of virtual hosts that use mod_substitute themselves; `*` if all may.
        recached: names of virtual hosts that say how long answers are kept in so many `<If>` within others that it
            stands on ours; `*` if all may.
        retyped: names of virtual hosts whose own headers make another type of a page; `*` if all may.
        stores_no_store: names of virtual hosts for which mod_cache stores what it is asked not to; `*` if all.
        headers_first: whether mod_headers was loaded before mod_dir, so that it acts before it, too.
        own_rules_first: names of virtual hosts whose own rewrite rules act before those that come down to them.
        filtered: names of virtual hosts whose answers mod_security2 judges; `*` for all of them.
        filtered_strictly: whether rules are loaded by which it refuses a 503.
        encoded_slashes: names of virtual hosts that take `%2F` in a path; every other one answers it with 404 before
            any rule is asked (the quick handler of Lua comes first there, too).
        told: whether the server told its configuration; else the facts are those of its texts.
    """

    use_canonical_name: bool = False
    quick_handler_cache: bool = False
    trace: bool = False
    server_rules: bool = False
    has_lua: bool = False
    has_own_lua: bool = False
    lua_version: str = ""
    loadable: Mapping[str, str] = field(default_factory=dict, hash=False)
    conditional: frozenset[str] = frozenset()
    substitutes: frozenset[str] = frozenset()
    recached: frozenset[str] = frozenset()
    retyped: frozenset[str] = frozenset()
    stores_no_store: frozenset[str] = frozenset()
    headers_first: bool = False
    own_rules_first: frozenset[str] = frozenset()
    filtered: frozenset[str] = frozenset()
    filtered_strictly: bool = False
    encoded_slashes: frozenset[str] = frozenset()
    told: bool = True

    @property
    def is_by_lua(self) -> bool:
        """Whether it acts by mod_lua's quick handler."""
        return self.variant == "lua"

    @property
    def takes_lua_inline(self) -> bool:
        """Whether its mod_lua runs code that stands in the configuration: with another Lua every request gets a 500.

        Source: from Lua 5.4.3 on `luaL_buffinit` pushes a value onto the stack, and mod_lua (2.4.69) then dumps that
        in the place of the function (AH01482, AH01477). Run on Debian 11, 12 (5.3), 13 and forky (5.4).
        """
        return self.lua_version in LUA_INLINE

    @property
    def barred(self) -> frozenset[str]:
        """Names of virtual hosts whose pages carry no banner; `*` for all of them."""
        return self.substitutes | self.recached | self.retyped | self.stores_no_store


def apache_facts(part: Part, common: Mapping[str, Any]) -> ApacheFacts:
    """What a survey says of it.

    Args:
        part: of the survey.
        common: what is asked of every server.

    Raises:
        KeyError, TypeError: it is not in the agreed form.
    """
    lua = part.get("lua") or {}
    return ApacheFacts(
        **common,
        https_first=words(part, "https_first"),
        use_canonical_name=typed(part.get("use_canonical_name", False), bool),
        quick_handler_cache=typed(part.get("quick_handler_cache", False), bool),
        trace=typed(part.get("trace", False), bool),
        server_rules=typed(part.get("server_rules", False), bool),
        has_lua=typed(lua.get("usable", False), bool),
        has_own_lua=typed(lua.get("own", False), bool),
        lua_version=typed(lua.get("version", ""), str),
        loadable={typed(k, str): typed(v, str) for k, v in (part.get("loadable") or {}).items()},
        conditional=words(part, "conditional"),
        substitutes=words(part, "substitutes"),
        recached=words(part, "recached"),
        retyped=words(part, "retyped"),
        stores_no_store=words(part, "stores_no_store"),
        headers_first=typed(part.get("headers_first", False), bool),
        own_rules_first=words(part, "own_rules_first"),
        filtered=words(part, "filtered"),
        filtered_strictly=typed(part.get("filtered_strictly", False), bool),
        encoded_slashes=words(part, "encoded_slashes"),
        told=typed(part.get("told", True), bool),
    )
