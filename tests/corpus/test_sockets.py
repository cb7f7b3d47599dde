# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSockets: a new one is on strike like every request; one that stands lives on through start, end and rollback."""

from __future__ import annotations

import socket

import pytest

from .chroot import ADDRESS
from .conftest import Planter
from .kinds import Provider
from .picket import picket
from .servers import Server

PATHS = {"nginx": ("/socket/x",), "apache": ("/socket/x", "/ruled/x")}


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_sockets_through_a_whole_campaign(provider: Provider, planted: Planter) -> None:
    """Opened before the start, after the end, and after a release inside: each echoes until the test closes it."""
    server = planted(provider, "websocket")
    strike = picket(server)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        standing = [opened(server, path) for path in PATHS[provider]]
        assert [echo(one) for one in standing] == [b"ping"] * len(standing)
        server.chroot.set_clock(strike.inside_ms)
        assert [refused(server, path) for path in PATHS[provider]] == [True] * len(standing)
        assert [echo(one) for one in standing] == [b"ping"] * len(standing)
        server.chroot.set_clock(strike.after_ms)
        standing += [opened(server, path) for path in PATHS[provider]]
        assert [echo(one) for one in standing] == [b"ping"] * len(standing)
        server.chroot.set_clock(strike.inside_ms)
        server.drop_flags()
        standing += [opened(server, path) for path in PATHS[provider]]
        assert [echo(one) for one in standing] == [b"ping"] * len(standing)
        for one in standing:
            one.close()


def opened(server: Server, path: str) -> socket.socket:
    """A connection that the application has upgraded; it has said hello."""
    connection, head = asked(server, path)
    assert head.startswith(b"HTTP/1.1 101 "), head
    while b"hello\n" not in head:
        head += connection.recv(4096)
    return connection


def refused(server: Server, path: str) -> bool:
    """Whether an upgrade meets the strike."""
    connection, head = asked(server, path)
    connection.close()
    return head.startswith(b"HTTP/1.1 503 ") and b"\r\nX-Piquet: " in head


def asked(server: Server, path: str) -> tuple[socket.socket, bytes]:
    """A connection with an upgrade sent, and the head of the answer (and what came with it)."""
    connection = socket.create_connection((ADDRESS, server.http), 10)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: websocket.corpus.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(4096)
        assert chunk, head
        head += chunk
    return connection, head


def echo(connection: socket.socket) -> bytes:
    """What comes back for a few bytes."""
    connection.sendall(b"ping")
    return connection.recv(4096)
