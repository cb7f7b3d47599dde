# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting: how a value becomes a token of nginx, of Apache, of cron, or a comment; all that is rendered comes by here.

A value that cannot be written safely is an error, never something close to it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from piquet.errors import BundleError

_PRINTABLE = re.compile(r"[\x20-\x7e]*\Z")
_MAP_WORDS = frozenset({"default", "hostnames", "include", "volatile"})


def nginx_token(value: str) -> str:
    r"""A double-quoted nginx token that stands for exactly `value`.

    nginx has no way to write a literal `$` where it expands variables, so templates write variables
    themselves and values with `$` are refused here.

    Source: nginx `ngx_conf_read_token` (only `\"`, `\'`, `\\`, `\t`, `\r`, `\n` are escapes).
    """
    _refuse(value, "nginx", forbidden="$")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def nginx_regex(pattern: str, flags: str = "~") -> str:
    """A map's regular expression as a quoted token; `$` is an anchor there, not a variable."""
    _refuse(pattern, "nginx")
    return '"' + (flags + pattern).replace("\\", "\\\\").replace('"', '\\"') + '"'


def nginx_with(value: str, variable: str) -> str:
    """A token that stands for `value` with a variable of nginx in the place of its one `@`."""
    before, at, after = value.partition("@")
    if not at or "@" in after:
        raise BundleError(f"cannot be written for nginx: {value!r} has not exactly one place for a variable")
    return f"{nginx_token(before)[:-1]}${{{variable}}}{nginx_token(after)[1:]}"


def nginx_map_key(value: str) -> str:
    r"""A literal left side of a `map`: words that `map` reserves get its backslash.

    Source: ngx_http_map_module, "special parameters … should be prefixed by the \ symbol".
    """
    return nginx_token("\\" + value if value in _MAP_WORDS else value)


def lua_string(value: str) -> str:
    r"""A double-quoted Lua string that stands for exactly `value`; also inside a block of nginx's configuration.

    Source: Lua 5.1 reference manual, 2.1; lua-nginx-module ngx_http_lua_lex.rl reads strings by the same rule.
    """
    _refuse(value, "Lua")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def apache_argument(value: str) -> str:
    r"""A double-quoted Apache directive argument; `${…}` would be a Define and is refused.

    Source: `ap_getword_conf` (only `\\` and an escaped quote are escapes).
    """
    _refuse(value, "Apache", forbidden="$")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def apache_regex(pattern: str) -> str:
    """The inside of `m#…#` of an Apache expression that itself stands in double quotes."""
    _refuse(pattern, "Apache", forbidden='#"')
    if "${" in pattern:
        raise BundleError(f"cannot be written for Apache: {pattern!r} holds the start of a Define")
    return pattern


def apache_substitution(pattern: str, replacement: str, flags: str) -> str:
    """The quoted argument of `Substitute`, with backticks around pattern and replacement.

    Source: mod_substitute, set_pattern (the character behind `s` ends both parts, and nothing escapes it);
    ap_varbuf_regsub (`$1` to `$9` and a backslash have a meaning in a replacement).
    """
    _refuse(pattern + replacement, "Apache", forbidden="`")
    if "${" in pattern + replacement or "\\" in replacement:
        raise BundleError(f"cannot be written for Apache: {replacement!r} is not what it would stand for")
    whole = f"s`{pattern}`{replacement}`{flags}"
    return '"' + whole.replace("\\", "\\\\").replace('"', '\\"') + '"'


def cron_command(words: Sequence[str]) -> str:
    r"""The command of a crontab line: words quoted for its shell, `%` kept from being cron's newline.

    Cron takes the backslash away even between quotes, before the shell sees the line.

    Source: crontab(5), "percent-signs (%) in the command, unless escaped with backslash (\)".
    """
    for word in words:
        _refuse(word, "cron", forbidden="\\")
    return shlex.join(words).replace("%", r"\%")


def comment(value: str) -> str:
    """Text for a `#` comment: one line, printable, everything else replaced by `?`."""
    return "".join(char if char.isprintable() else "?" for char in value)


def _refuse(value: str, where: str, forbidden: str = "") -> None:
    if not _PRINTABLE.match(value) or any(char in value for char in forbidden):
        raise BundleError(
            f"cannot be written for {where}: {value!r} holds a character with a meaning of its own"
        )
