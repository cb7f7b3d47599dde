# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's answer as bytes: whole, or none."""

from __future__ import annotations

from dataclasses import dataclass

from piquet.protocol.http import SIGN_HEADER

_CHANGING = frozenset({b"date", b"connection", b"keep-alive", b"upgrade"})
"""Headers that differ between two answers which are the same; Apache offers an upgrade once per connection."""


@dataclass(frozen=True)
class Reply:
    """A whole answer of a server."""

    lines: tuple[bytes, ...]
    fields: dict[bytes, bytes]
    body: bytes

    @property
    def status(self) -> int:
        """As a number."""
        return int(self.lines[0].split()[1])

    @property
    def is_last(self) -> bool:
        """Whether the server announced that it closes the connection."""
        return b"close" in self.fields.get(b"connection", b"").lower().replace(b" ", b"").split(b",")

    @property
    def sign(self) -> bytes:
        """The header by which an answer of ours is known; empty on everybody else's."""
        return self.fields.get(SIGN_HEADER.lower().encode(), b"")

    @property
    def constant(self) -> tuple[tuple[bytes, ...], bytes]:
        """All of it but the headers that differ each time."""
        return tuple(n for n in self.lines if n.partition(b":")[0].lower() not in _CHANGING), self.body


def parse(data: bytes, is_closed: bool) -> Reply | None:
    """The answer in these bytes once it is whole; None while some are missing.

    Args:
        data: everything received since the request.
        is_closed: whether nothing more can come.
    """
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    lines = tuple(head.split(b"\r\n"))
    pairs = (line.partition(b":") for line in lines[1:])
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = _body(fields, rest, is_closed)
    return None if body is None else Reply(lines, fields, body)


def _body(fields: dict[bytes, bytes], rest: bytes, is_closed: bool) -> bytes | None:
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _chunks(rest)
    if b"content-length" in fields:
        return rest if len(rest) >= int(fields[b"content-length"]) else None
    return rest if is_closed and b"close" in fields.get(b"connection", b"").lower() else None


def _chunks(rest: bytes) -> bytes | None:
    body = b""
    while True:
        size, separator, rest = rest.partition(b"\r\n")
        if not separator:
            return None
        length = int(size.partition(b";")[0], 16)
        if len(rest) < length + 2:
            return None
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body
