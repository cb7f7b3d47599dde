# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration language, read with byte offsets: text in, directives out. No file, no network.

The rules are those of `ngx_conf_read_token`: quotes and `#` count only where a word begins, a backslash protects
any byte, `${name}` does not open a block, `}` inside a bare word does not close one. `*_by_lua_block { … }` holds
Lua and is skipped by Lua's own rules for strings, comments and long brackets.

Source: nginx 1.22 src/core/ngx_conf_file.c; lua-nginx-module src/ngx_http_lua_lex.rl for the Lua blocks.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from dataclasses import dataclass
from typing import Iterator, List, NamedTuple, Optional, Tuple

_NEXT = re.compile(
    rb"(?:[ \t\r\n]+|#[^\n]*)*"
    rb"(?:([;{}])"
    rb"|((?![;{}\"'])(?:\\.|\$\{+|[^ \t\r\n;{\\])+)"
    rb'|("(?:\\.|[^"\\])*"'
    rb"|'(?:\\.|[^'\\])*'))?",
    re.DOTALL,
)
"""What is skipped, then one of `;{}`, a bare word or a quoted one; none of them at the end or where no quote ends."""
_SIGN, _BARE = 1, 2
_LUA = re.compile(
    rb"--\[(?P<comment>=*)\[|--[^\n]*|\[(?P<long>=*)\[" rb'|"(?:\\.|[^"\\])*"' rb"|'(?:\\.|[^'\\])*'|[{}]",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPES = {b"t": b"\t", b"r": b"\r", b"n": b"\n", b'"': b'"', b"'": b"'", b"\\": b"\\"}


class ConfigSyntaxError(Exception):
    """The text is no complete nginx configuration; `line` is 1-based."""

    def __init__(self, message: str, line: int) -> None:
        """Keep message and line."""
        super().__init__(f"line {line}: {message}")
        self.line = line


class Directive(NamedTuple):
    """One directive, with the bytes it stands on.

    Attributes:
        name: first word.
        arguments: the other words, without quotes and escapes.
        offset: of the first byte of the name.
        line: 1-based, of the name.
        body: offset of the byte after `{`, or None for a simple directive.
        end: offset after `;` or after the closing `}`.
        children: what the block holds.
    """

    name: str
    arguments: Tuple[str, ...]
    offset: int
    line: int
    body: Optional[int]
    end: int
    children: Tuple[Directive, ...]


class ServerBlock(NamedTuple):
    """A `server { … }` of http: where it begins and what it holds."""

    directive: Directive
    body: int


@dataclass
class _Open:
    """A block that is still being read."""

    words: List[str]
    offset: int
    body: int
    children: List[Directive]


def parse_directives(text: bytes) -> Tuple[Directive, ...]:
    """Read a whole file.

    Raises:
        ConfigSyntaxError: braces do not match, a quote or a directive does not end.
    """
    return _Parser(text).run()


def server_blocks(text: bytes, context: str = "main") -> Tuple[ServerBlock, ...]:
    """The server blocks of http, in file order; `context` is `main`, or `http` for a file included there.

    Raises:
        ConfigSyntaxError: as `parse`.
    """
    return tuple(servers_in(parse_directives(text), context))


def servers_in(directives: Tuple[Directive, ...], context: str) -> Iterator[ServerBlock]:
    """The server blocks among already read directives."""
    for directive in directives:
        if directive.body is None:
            continue
        if context == "main" and directive.name == "http":
            yield from servers_in(directive.children, "http")
        elif context == "http" and directive.name == "server" and not directive.arguments:
            yield ServerBlock(directive, directive.body)


class _Parser:
    """One pass over the bytes with an explicit stack, so that depth costs no recursion."""

    def __init__(self, text: bytes) -> None:
        """Index the lines, start before the first byte."""
        self.text = text
        self.line_starts = [0, *(m.end() for m in re.finditer(rb"\n", text))]
        self.at = 0
        self.words: List[str] = []
        self.start = 0
        self.stack: List[_Open] = [_Open([], 0, 0, [])]

    def line(self, offset: int) -> int:
        """1-based line of an offset."""
        return bisect_right(self.line_starts, offset)

    def run(self) -> Tuple[Directive, ...]:
        """Read words until the end."""
        text, following = self.text, _NEXT.match
        # Not kept on the parser, which would then refer to itself: nobody collects such circles here.
        signs = {b";": self._close_simple, b"{": self._open_block, b"}": self._close_block}
        while True:
            match = following(text, self.at)
            kind = match.lastindex if match else None
            if match is None or kind is None:
                return self._end(match.end() if match else self.at)
            self.at = match.end()
            if kind == _SIGN:
                signs[match.group(_SIGN)](match.start(_SIGN))
                continue
            if not self.words:
                self.start = match.start(kind)
            word = match.group(kind)
            is_plain = kind == _BARE and b"\\" not in word
            said = word.decode("utf-8", "surrogateescape") if is_plain else _plain_word(word)
            self.words.append(sys.intern(said))  # thousands of blocks say much the same

    def _end(self, at: int) -> Tuple[Directive, ...]:
        if at < len(self.text):
            raise ConfigSyntaxError("a quoted word does not end", self.line(at))
        return self._finish()

    def _close_simple(self, start: int) -> None:
        if not self.words:
            raise ConfigSyntaxError('unexpected ";"', self.line(start))
        self._add(self.words, self.start, None, self.at, ())
        self.words = []

    def _open_block(self, start: int) -> None:
        if not self.words:
            raise ConfigSyntaxError('unexpected "{"', self.line(start))
        if self.words[0].endswith("_by_lua_block"):
            end = self._lua_end(self.at)
            self._add(self.words, self.start, self.at, end, ())
            self.at = end
        else:
            self.stack.append(_Open(self.words, self.start, self.at, []))
        self.words = []

    def _close_block(self, start: int) -> None:
        if self.words or len(self.stack) == 1:
            raise ConfigSyntaxError('unexpected "}"', self.line(start))
        block = self.stack.pop()
        self._add(block.words, block.offset, block.body, self.at, tuple(block.children))

    def _finish(self) -> Tuple[Directive, ...]:
        if self.words or len(self.stack) > 1:
            raise ConfigSyntaxError('unexpected end of file, expecting ";" or "}"', len(self.line_starts))
        return tuple(self.stack[0].children)

    def _add(
        self, words: List[str], offset: int, body: Optional[int], end: int, children: Tuple[Directive, ...]
    ) -> None:
        directive = Directive(words[0], tuple(words[1:]), offset, self.line(offset), body, end, children)
        self.stack[-1].children.append(directive)

    def _lua_end(self, at: int) -> int:
        """Offset after the brace that closes a Lua block."""
        depth = 1
        while depth:
            match = _LUA.search(self.text, at)
            if match is None:
                raise ConfigSyntaxError("a Lua block does not end", self.line(self.start))
            at = match.end()
            level = match.group("comment") if match.group("comment") is not None else match.group("long")
            if level is not None:
                closing = self.text.find(b"]" + level + b"]", at)
                at = len(self.text) if closing < 0 else closing + len(level) + 2
            depth += {b"{": 1, b"}": -1}.get(match.group(), 0)
        return at


def _plain_word(word: bytes) -> str:
    """A word without its quotes and escapes; bytes that are no UTF-8 survive as surrogates."""
    if word[:1] in b"\"'":
        word = word[1:-1]
    unescaped = _ESCAPE.sub(lambda m: _ESCAPES.get(m.group(1), m.group()), word)
    return unescaped.decode("utf-8", "surrogateescape")
