# SPDX-License-Identifier: GPL-3.0-or-later
"""Visitors who take their time: a download, an upload, a connection on which nothing happens for a while."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.e2e.load import TIMEOUT_S, Visitors
from tests.e2e.reply import Reply, parse

_STEP_S = 0.05
_SIP_BYTES = 8192
_BUFFER_BYTES = 65536


@dataclass(frozen=True)
class Outcome:
    """What a slow visitor got, and between which instants (epoch seconds, UTC).

    Attributes:
        begun_at: when the request's head was sent.
        done_at: when the answer was whole, or the connection closed.
        reply: None if the answer was not whole.
    """

    begun_at: float
    done_at: float
    reply: Reply | None

    @property
    def sha256(self) -> str:
        """Of the body; empty without one."""
        return hashlib.sha256(self.reply.body).hexdigest() if self.reply else ""


async def download(visitors: Visitors, path: str, begin_at: float, hurry: asyncio.Event) -> Outcome:
    """Fetch a file in sips until told to hurry; the network's buffers are kept small meanwhile."""
    await sleep_until(begin_at)
    async with _connection(visitors) as (reader, writer):
        begun_at, data = time.time(), bytearray()
        writer.write(visitors.request(path, is_last=True))
        while part := await reader.read(_BUFFER_BYTES if hurry.is_set() else _SIP_BYTES):
            data += part
            if not hurry.is_set():
                await asyncio.sleep(_STEP_S)
    return Outcome(begun_at, time.time(), parse(bytes(data), is_closed=True))


async def upload(visitors: Visitors, path: str, body: bytes, begin_at: float, end_at: float) -> Outcome:
    """Send a body that trickles in between two instants, then take the answer."""
    await sleep_until(begin_at)
    head = f"POST {path} HTTP/1.1\r\nHost: {visitors.name}\r\nContent-Length: {len(body)}\r\n\r\n"
    steps = max(1, int((end_at - begin_at) / _STEP_S))
    size = -(-len(body) // steps)
    async with _connection(visitors) as (reader, writer):
        begun_at = time.time()
        writer.write(head.encode())
        for number in range(steps):
            writer.write(body[number * size : (number + 1) * size])
            await sleep_until(begin_at + (number + 1) * _STEP_S)
        reply = await _answer(reader)
    return Outcome(begun_at, time.time(), reply)


async def pause(visitors: Visitors, first: str, begin_at: float, then_at: float) -> tuple[Outcome, Outcome]:
    """Ask for a page, leave the connection alone, and ask on the same one for the front page."""
    await sleep_until(begin_at)
    async with _connection(visitors) as (reader, writer):
        begun_at = time.time()
        writer.write(visitors.request(first))
        reply = await _answer(reader)
        before = Outcome(begun_at, time.time(), reply)
        await sleep_until(then_at)
        begun_at = time.time()
        writer.write(visitors.request())
        reply = await _answer(reader)
    return before, Outcome(begun_at, time.time(), reply)


async def sleep_until(instant: float) -> None:
    """Wait for an instant, epoch seconds."""
    await asyncio.sleep(max(0.0, instant - time.time()))


async def _answer(reader: asyncio.StreamReader) -> Reply | None:
    """The answer once it is whole; None if the connection is closed before."""
    data, reply = b"", None
    while reply is None and (part := await asyncio.wait_for(reader.read(_BUFFER_BYTES), TIMEOUT_S)):
        data += part
        reply = parse(data, is_closed=False)
    return reply or parse(data, is_closed=True)


@contextlib.asynccontextmanager
async def _connection(
    visitors: Visitors,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A plain connection that takes in little before it is read."""
    plain = socket.socket(socket.AF_INET)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (visitors.address, visitors.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=_BUFFER_BYTES)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
