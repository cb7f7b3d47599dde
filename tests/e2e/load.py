# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady load on some sites: connections that are kept open, and every answer judged to its last byte.

Plain sockets, so that nothing is asked a second time behind our back: a request that the server leaves without an
answer is a failure here. One thread of its own; bounded in time and in count.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeVar

from tests.e2e.reply import Reply, parse

TIMEOUT_S = 10.0
"""Without a whole answer after this long, a request counts as failed."""

LONGEST_S = 1800.0
MOST_ANSWERS = 1_000_000
_PAUSE_S = 0.05

Kind = Literal["normal", "strike", "failed"]
T = TypeVar("T")


@dataclass(frozen=True)
class Visitors:
    """Some connections that ask for the front page of one site on one host.

    Attributes:
        host: its name.
        address: where we connect.
        name: of the site, for Host and SNI.
        port: where we connect.
        tls: whether over TLS.
        connections: how many are kept open.
        think_s: between a usual answer and the next request; 0 for the very moment in which it is whole.
    """

    host: str
    address: str
    name: str
    port: int = 80
    tls: bool = False
    connections: int = 2
    think_s: float = 0.06

    def request(self, path: str = "/", is_last: bool = False) -> bytes:
        """The bytes of a GET; after the last one the server is asked to close."""
        close = "Connection: close\r\n" if is_last else ""
        return f"GET {path} HTTP/1.1\r\nHost: {self.name}\r\nUser-Agent: load\r\n{close}\r\n".encode()


class Answer(NamedTuple):
    """What came of one request; times are epoch seconds, UTC, of our clock."""

    visitors: Visitors
    connection: int
    sent_at: float
    first_byte_at: float
    done_at: float
    kind: Kind
    reason: str = ""


@dataclass
class Load:
    """Visitors who come from entering until leaving this context.

    Attributes:
        visitors: who comes.
        ca_file: of the authority that signed the sites' certificates; None for the system's.
        answers: in the order in which they were done.
        strikes: every strike page seen, by the end that it promised (Retry-After).
    """

    visitors: Sequence[Visitors]
    ca_file: str | None
    answers: list[Answer] = field(default_factory=list)
    strikes: dict[bytes, set[bytes]] = field(default_factory=dict)
    is_over: bool = False

    def __post_init__(self) -> None:
        """Prepare a loop of our own."""
        self.loop = asyncio.new_event_loop()
        self.tls = ssl.create_default_context(cafile=self.ca_file)
        self._usual: dict[Visitors, object] = {}
        self._opened = 0
        self._transports: set[asyncio.Transport] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self.loop.run_forever, name="load", daemon=True)

    def __enter__(self) -> Load:
        """Open all connections."""
        self._thread.start()
        for visitors in self.visitors:
            for _ in range(visitors.connections):
                self.loop.call_soon_threadsafe(self.open, visitors)
        self.loop.call_soon_threadsafe(self.loop.call_later, LONGEST_S, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections; what is under way then is not judged."""
        self.loop.call_soon_threadsafe(self._stop)
        self.loop.call_soon_threadsafe(self.loop.call_later, _PAUSE_S, self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, task: Coroutine[Any, Any, T]) -> Future[T]:
        """Let something else happen in the same thread."""
        return asyncio.run_coroutine_threadsafe(task, self.loop)

    def open(self, visitors: Visitors) -> None:
        """Open one more connection and let it ask."""
        if not self.is_over:
            task = self.loop.create_task(self._open(visitors))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self, visitors: Visitors) -> None:
        self._opened += 1
        number, begin = self._opened, time.time()
        try:
            await asyncio.wait_for(
                self.loop.create_connection(
                    lambda: Connection(self, visitors, number),
                    visitors.address,
                    visitors.port,
                    ssl=self.tls if visitors.tls else None,
                    server_hostname=visitors.name if visitors.tls else None,
                ),
                TIMEOUT_S,
            )
        except OSError as error:
            now = time.time()
            self.note(Answer(visitors, number, begin, now, now, "failed", f"no connection: {error!r}"))
            self.loop.call_later(_PAUSE_S, self.open, visitors)

    def opened(self, connection: Connection) -> None:
        """A connection is there; one that comes too late goes at once."""
        self._transports.add(connection.transport)
        if self.is_over:
            connection.transport.abort()

    def closed(self, connection: Connection) -> None:
        """A connection is gone: another comes in its place."""
        self._transports.discard(connection.transport)
        self.loop.call_later(connection.visitors.think_s or _PAUSE_S, self.open, connection.visitors)

    def judge(self, visitors: Visitors, reply: Reply) -> tuple[Kind, str]:
        """Strike, normal (the bytes of the first answer), or failed and why."""
        if reply.sign:
            self.strikes.setdefault(reply.fields.get(b"retry-after", b""), set()).add(reply.body)
            return ("strike", "") if reply.status == 503 else ("failed", f"a strike with {reply.status}")
        if self._usual.setdefault(visitors, reply.constant) == reply.constant:
            return "normal", ""
        return "failed", f"another answer: {reply.lines[0]!r}, {len(reply.body)} bytes"

    def note(self, answer: Answer) -> None:
        """Keep one answer."""
        if not self.is_over:
            self.answers.append(answer)
        if len(self.answers) >= MOST_ANSWERS:
            self._stop()

    def _stop(self) -> None:
        self.is_over = True
        for transport in tuple(self._transports):
            transport.abort()


class Connection(asyncio.Protocol):
    """One connection: asks, takes the answer, thinks, asks again, until it is closed."""

    transport: asyncio.Transport

    def __init__(self, load: Load, visitors: Visitors, number: int) -> None:
        """Belong to a load."""
        self.load, self.visitors, self.number = load, visitors, number
        self._request = visitors.request()
        self._data = bytearray()
        self._sent_at: float | None = None
        self._first_byte_at = 0.0
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.load.opened(self)
        self.ask()

    def ask(self) -> None:
        """Send the next request, unless the server has closed in the meantime."""
        if self.transport.is_closing() or self.load.is_over:
            return
        self._data.clear()
        self._first_byte_at = 0.0
        self._limit = self.load.loop.call_later(TIMEOUT_S, self.transport.abort)
        self._sent_at = time.time()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; the next request follows once it is whole."""
        self._first_byte_at = self._first_byte_at or time.time()
        self._data += data
        if self._sent_at is None:
            self._failed("an answer that nobody asked for")
            self.transport.abort()
        elif reply := parse(bytes(self._data), is_closed=False):
            self._done(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """The server closed, or we did; what was asked and not answered is a failure."""
        if self._sent_at is not None:
            if reply := parse(bytes(self._data), is_closed=True):
                self._done(reply)
            else:
                self._failed(f"closed after {len(self._data)} bytes of an answer: {error!r}")
        self.load.closed(self)

    def _done(self, reply: Reply) -> None:
        kind, reason = self.load.judge(self.visitors, reply)
        self._note(kind, reason)
        if reply.is_last:
            self.transport.abort()
        elif self.visitors.think_s or kind != "normal":
            self.load.loop.call_later(self.visitors.think_s or _PAUSE_S, self.ask)
        else:
            self.ask()

    def _failed(self, reason: str) -> None:
        self._note("failed", reason)

    def _note(self, kind: Kind, reason: str) -> None:
        now = time.time()
        sent_at, self._sent_at = self._sent_at or now, None
        if self._limit:
            self._limit.cancel()
        first_byte_at = self._first_byte_at or now
        self.load.note(Answer(self.visitors, self.number, sent_at, first_byte_at, now, kind, reason))
