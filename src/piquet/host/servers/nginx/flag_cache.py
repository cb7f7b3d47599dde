# SPDX-License-Identifier: GPL-3.0-or-later
"""What can hide that a flag is gone: nginx's open_file_cache, for as long as its owner says.

The hook asks `-f` in the server block itself, so what http or that block says counts, and no location of it. A
missing flag is remembered as well where `open_file_cache_errors` is on. `open_file_cache_min_uses` is about open
files, not about this. Lua asks the file system itself, and so does Apache at every request (mod_file_cache keeps
contents, and only of files that its owner names).

Source: nginx, src/core/ngx_open_file_cache.c; ngx_http_core_module, `open_file_cache_valid`; measured with 1.22.
"""

from __future__ import annotations

import math
from typing import Mapping, Tuple

from piquet.host.servers.nginx import times as nginx_times
from piquet.host.servers.nginx.config import Block, Configuration

_VALID_S = 60
_UNKNOWN_S = 31_536_000
CacheWords = Tuple[str, ...]


def lag_s(block: Block, http: Mapping[str, CacheWords]) -> int:
    """For how many seconds the block may go on seeing a flag that is gone; 0 where it asks every time.

    Args:
        block: with what it says itself.
        http: what stands at http level, by name.
    """
    said = {**http, **{d.name: d.arguments for _, d in block.directives}}
    words = said.get("open_file_cache", ())
    if not words or words[0] == "off":
        return 0
    return _seconds(said.get("open_file_cache_valid", ()))


def _seconds(words: CacheWords) -> int:
    """As nginx reads a time; what cannot be read may be anything."""
    if not words:
        return _VALID_S
    found_ms = nginx_times.milliseconds(words[0])
    return _UNKNOWN_S if found_ms is None else math.ceil(found_ms / 1000)


def longest_s(configuration: Configuration, http: Mapping[str, CacheWords]) -> int:
    """The longest of all blocks."""
    return max((lag_s(block, http) for block in configuration.blocks), default=0)
