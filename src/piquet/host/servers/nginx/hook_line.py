# SPDX-License-Identifier: GPL-3.0-or-later
"""The one line that we put into other people's files, and its exact removal. Bytes in, bytes out.

The line is an include of a glob, so it stays valid when nothing of ours is left, and it is the first thing in the
block, because what the owner wrote there (`return`, `if`) would win otherwise. It is put directly after the brace:

* before a line break, as that line break, four spaces and the line; the owner's own break then ends it;
* before anything else, as a line of its own, marked `inline`, with line feeds that are ours.

Both come out again byte for byte, wherever the owner has edited since. A line that the owner re-indented is
recognised by its text and taken out as a line.
"""

from __future__ import annotations

import functools
import re
from typing import Collection, Optional, Tuple

from piquet.host.servers.nginx.tokens import Directive, ServerBlock, parse_directives, servers_in
from piquet.host.system.paths import Paths
from piquet.protocol.places import HOOK_MARK

INCLUDE = Paths().hook_include


class RemainsError(ValueError):
    """The text already holds our line somewhere that is not the head of a server block."""


def insert_hook(
    text: bytes,
    context: str = "main",
    include: str = INCLUDE,
    elsewhere: Collection[str] = (),
    said: Optional[Tuple[Directive, ...]] = None,
) -> bytes:
    """Put the line into every server block of http that has none.

    Args:
        text: a configuration file.
        context: `main` for nginx.conf, `http` for a file included inside http.
        include: the glob.
        elsewhere: includes that bring the line in from another file; a block with one of them needs no other.
        said: what the text says, where it was parsed already.

    Raises:
        ConfigSyntaxError: the text cannot be read.
        RemainsError: remains of a hook are in the text, so that removal would take out too much.
    """
    blocks = tuple(servers_in(parse_directives(text) if said is None else said, context))
    if len(_removal(include).findall(text)) != sum(is_ours(text, block, include) for block in blocks):
        raise RemainsError("our line stands where no server block begins")
    places = sorted(block.body for block in blocks if not is_included(block, include, elsewhere))
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)])]
    additions = [_addition(text, place, include) for place in places]
    return b"".join(piece for pair in zip(pieces, [*additions, b""]) for piece in pair)


def insert_first(
    text: bytes, context: str = "main", include: str = INCLUDE, elsewhere: Collection[str] = ()
) -> bytes:
    """The same, and lines of ours that something has come to stand before are put first again.

    Raises:
        ConfigSyntaxError, RemainsError: as `insert`.
    """
    insert_hook(text, context, include, elsewhere)
    return insert_hook(remove_hook(text, include), context, include, elsewhere)


def remove_hook(text: bytes, include: str = INCLUDE) -> bytes:
    """Take every line of ours out; all other bytes stay, also when the file is broken or was edited."""
    return _removal(include).sub(b"", text)


def has_ours(text: bytes, include: str = INCLUDE) -> bool:
    """Whether a line of ours is anywhere in the text."""
    return _removal(include).search(text) is not None


def is_included(block: ServerBlock, include: str = INCLUDE, elsewhere: Collection[str] = ()) -> bool:
    """Whether the block itself includes our file, by our line or by its owner's, or what brings it in."""
    names = {*elsewhere, include, include.replace("*.conf", "piquet.conf"), include.replace("*.conf", "*")}
    return any(d.name == "include" and names.intersection(d.arguments) for d in block.directive.children)


def is_ours(text: bytes, block: ServerBlock, include: str = INCLUDE) -> bool:
    """Whether the block holds our line, and not one that its owner wrote."""
    return any(text.startswith(line(include), child.offset) for child in block.directive.children)


def line(include: str = INCLUDE) -> bytes:
    """The line itself, without indentation."""
    return b"include " + include.encode("utf-8") + b"; " + HOOK_MARK.encode()


def _addition(text: bytes, place: int, include: str) -> bytes:
    if text[place : place + 2] == b"\r\n":
        return b"\r\n    " + line(include)
    if text[place : place + 1] == b"\n":
        return b"\n    " + line(include)
    return b"\n    " + line(include) + b", inline\n"


@functools.lru_cache(maxsize=None)
def _removal(include: str) -> re.Pattern[bytes]:
    """The exact forms first; then the line however it is indented now."""
    ours = re.escape(line(include))
    exact: Tuple[bytes, ...] = (
        rb"\r?\n    " + ours + rb", inline\r?\n",
        rb"\r?\n    " + ours + rb"(?=\r?\n)",
    )
    loose = rb"(?m:^)[ \t]*" + ours + rb"(?:, inline)?[ \t]*(?:\r?\n|\Z)"
    return re.compile(b"|".join((*exact, loose)))
