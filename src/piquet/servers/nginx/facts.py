# SPDX-License-Identifier: GPL-3.0-or-later
"""What a survey says of an nginx, and which of the owner's directives decide what ours can do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from piquet.fleet.form import optional, typed, words
from piquet.fleet.model import ServerFacts
from piquet.fleet.read import inherited_directives
from piquet.fleet.surveyed_server import Part
from piquet.printable import printable_line
from piquet.protocol.modules import EARLY_LUA, HEADERS_MORE
from piquet.protocol.places import BY_HOOK

_ALTERING = re.compile(
    r"(?:http|server) (?:sub_filter|subs_filter|add_before_body|add_after_body|header_filter_by_lua|body_filter_by_lua"
    r"|limit_rate|add_trailer|more_headers:.+)"
)
_KEEPING = re.compile(r"(?:http|server) (?:expires|(?:add_header|more_set_headers):(?!vary$).+)")
"""What would tell caches to keep an answer of ours; of headers, surveys name no others but `Vary`."""
_VARYING = re.compile(r"(?:http|server) (?:gzip_vary|(?:add_header|more_set_headers):vary)")
"""What would put another name beside the star of our `Vary`."""
_ADDING = re.compile(r"(?:http|server|location) (?:add_before_body|add_after_body)")
_REQUEST_HEADERS = frozenset({"more_set_input_headers", "more_clear_input_headers"})


@dataclass(frozen=True)
class PanelFacts:
    """A hosting panel that writes server blocks anew.

    Attributes:
        title: of it.
        place: what its owner may write for a site, for people.
        rebuild: what writes the blocks anew, for people.
        is_used: whether hook puts the line there.
        apart: if so, blocks in whose own text the line has to stand all the same, with what acts before the place.
    """

    title: str
    place: str
    rebuild: str
    is_used: bool
    apart: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class NginxFacts(ServerFacts):
    """What a host's nginx is like.

    Attributes:
        map_hash_max_size: if the owner sets it.
        map_hash_bucket_size: if the owner sets it.
        timer_resolution_ms: for how long its clock stands still, if the owner sets it.
        flag_lag_s: by the hook, for how long some block may go on seeing a flag that is gone.
        has_lua: whether a Lua module that can do what we need is loaded already.
        own: directives of the owner that decide what ours can do, with their level in front: `http`, `server` or
            `location` (`server server_rewrite_by_lua`, `location sub_filter`).
        inherited: names of other people's directives at http or server level, not switched off everywhere.
        panels: hosting panels of that host.
    """

    map_hash_max_size: int | None = None
    map_hash_bucket_size: int | None = None
    timer_resolution_ms: int | None = None
    flag_lag_s: int = 0
    has_lua: bool = False
    own: frozenset[str] = frozenset()
    inherited: frozenset[str] = frozenset()
    panels: tuple[PanelFacts, ...] = ()

    @property
    def needs_hook(self) -> bool:
        """Whether it acts by our line in each server block."""
        return self.variant == BY_HOOK

    @property
    def keeping(self) -> frozenset[str]:
        """Directives of the owner's by which a cache would keep our answers."""
        return self._words_found(_KEEPING)

    @property
    def varying(self) -> frozenset[str]:
        """Those by which our `Vary` would not stand alone."""
        return self._words_found(_VARYING)

    @property
    def altering(self) -> frozenset[str]:
        """Those that would change our answers by Lua too, since these have no location of their own."""
        return self.keeping | self.varying | self._words_found(_ALTERING)

    @property
    def adding(self) -> frozenset[str]:
        """Those that add a body to pages: behind a banner by Lua these are never sent to their end."""
        return self._words_found(_ADDING)

    @property
    def is_lua_taken(self) -> bool:
        """Whether the owner's own Lua stands where ours would have to."""
        return any(name.rpartition(" ")[2] == EARLY_LUA for name in self.own)

    @property
    def asks_whole(self) -> bool:
        """Whether pages can be asked for whole and readable by headers-more.

        Not beside an owner who uses headers-more for requests too, nor beside Lua that is loaded and not ours. What
        they make of a request's type could be undone: the variable that we read it from remembers its first value.
        """
        is_used = any(word.rpartition(" ")[2] in _REQUEST_HEADERS for word in self.own)
        return self.needs_hook and HEADERS_MORE in self.modules and not (self.has_lua or is_used)

    def _words_found(self, pattern: re.Pattern[str]) -> frozenset[str]:
        found = (word for word in self.own if pattern.fullmatch(word))
        return frozenset(word.rpartition(" ")[2].replace(":", " ") for word in found)


def nginx_facts(part: Part, common: Mapping[str, Any]) -> NginxFacts:
    """What a survey says of it.

    Args:
        part: of the survey.
        common: what is asked of every server.

    Raises:
        KeyError, TypeError: it is not in the agreed form.
    """
    http, lua = part.get("http") or {}, part.get("lua") or {}
    return NginxFacts(
        **common,
        map_hash_max_size=optional(http.get("map_hash_max_size"), int),
        map_hash_bucket_size=optional(http.get("map_hash_bucket_size"), int),
        timer_resolution_ms=optional(http.get("timer_resolution_ms"), int),
        flag_lag_s=typed(http.get("flag_lag_s", 0), int),
        has_lua=typed(lua.get("usable", False), bool),
        own=words(part, "own"),
        inherited=frozenset(one.name for block in whole_blocks(part) for one in inherited_directives(block)),
        panels=tuple(map(_panel, part.get("panels") or ())),
    )


def _panel(record: Mapping[str, Any]) -> PanelFacts:
    title, place, rebuild = (printable_line(typed(record[key], str)) for key in ("title", "place", "rebuild"))
    apart = tuple(
        (
            printable_line(typed(one["block"], str)),
            tuple(printable_line(typed(word, str)) for word in one["before"]),
        )
        for one in record["apart"]
    )
    return PanelFacts(title, place, rebuild, typed(record["used"], bool), apart)


def whole_blocks(part: Part) -> Iterator[Part]:
    """Server blocks, each with what http hands down to it unless it says otherwise itself."""
    above = part.get("inherited") or ()
    for block in part.get("blocks") or ():
        own = block.get("inherited") or ()
        said = {record["name"] for record in own}
        yield {**block, "inherited": [*own, *(record for record in above if record["name"] not in said)]}
