# SPDX-License-Identifier: GPL-3.0-or-later
"""The load judges servers rightly: what it calls a failure is one, and nothing else is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.e2e.load import Answer, Load, Visitors
from tests.e2e.reply import parse

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nusual"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nusual"
STRIKE = b"HTTP/1.1 503 Service Unavailable\r\nX-Piquet: drill/1/block\r\nContent-Length: 6\r\n\r\nstrike"

ENOUGH = 6
LONGEST_S = 30.0

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


@pytest.mark.parametrize(
    ("data", "is_closed", "body"),
    [
        (WHOLE, False, b"usual"),
        (WHOLE[:-1], False, None),
        (WHOLE[:-1], True, None),
        (WHOLE + b"x", False, b"usualx"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nusu\r\n2\r\nal\r\n0\r\n\r\n",
            False,
            b"usual",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nusu\r\n2\r\nal\r\n", True, None),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nusual", True, b"usual"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nusual", False, None),
        (b"HTTP/1.1 200 OK\r\n\r\nusual", True, None),
        (b"HTTP/1.1 200 OK\r\nContent-", True, None),
    ],
)
def test_an_answer_is_whole_or_it_is_none(data: bytes, is_closed: bool, body: bytes | None) -> None:
    """By length, by chunks, or to the end of a connection that was announced as closing; never half."""
    reply = parse(data, is_closed)
    assert body == (reply.body if reply else None)


async def _closes_announced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(LAST)


async def _closes_while_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(WHOLE)


async def _goes_on_strike(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    for answer in (WHOLE, STRIKE, WHOLE):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)


async def _is_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    await reader.readuntil(b"\r\n\r\n")
    if number == 1:
        writer.write(WHOLE)
        await reader.readuntil(b"\r\n\r\n")


async def _breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    for answer in (WHOLE, WHOLE[:-2]):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)


async def _changes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    for answer in (WHOLE, WHOLE.replace(b"usual", b"other")):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)


@pytest.mark.parametrize(
    ("server", "kinds"),
    [
        (_closes_announced, {"normal"}),
        (_closes_while_idle, {"normal"}),
        (_goes_on_strike, {"normal", "strike"}),
        (_is_silent, {"normal", "failed"}),
        (_breaks_off, {"normal", "failed"}),
        (_changes, {"normal", "failed"}),
    ],
)
def test_what_counts_as_a_failure(server: Server, kinds: set[str]) -> None:
    """No answer, half of one, another one: failed. An announced close, or one between requests: not."""
    assert kinds == {answer.kind for answer in asyncio.run(_answers(server))}


async def _answers(server: Server) -> list[Answer]:
    """The first answers a load gets of a server that closes each connection when it has done its part."""
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        try:
            await server(reader, writer, seen)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        visitors = Visitors("here", "127.0.0.1", "site.example", port, connections=1, think_s=0.03)
        answers = await asyncio.to_thread(_watch, visitors)
    return answers


def _watch(visitors: Visitors) -> list[Answer]:
    end = time.monotonic() + LONGEST_S
    with Load([visitors], None) as load:
        while len(load.answers) < ENOUGH and time.monotonic() < end:
            time.sleep(0.05)
    return load.answers
