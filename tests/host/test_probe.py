# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a site that does not want to answer: the agent holds the lock meanwhile, so it must not wait for long."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

from piquet.host.servers.probe import ProbeAnswer, probe


@contextmanager
def site(parts: Sequence[bytes], pause_s: float = 0.0) -> Iterator[dict[str, object]]:
    """A site that says its parts one after the other; yields where to ask."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                for part in parts:
                    try:
                        connection.sendall(part)
                    except OSError:
                        return
                    time.sleep(pause_s)

        Thread(target=serve, daemon=True).start()
        yield {"address": "127.0.0.1", "port": listener.getsockname()[1], "tls": False, "host": "a.test"}


def test_an_answer_that_drips_has_one_time_limit() -> None:
    """Not one for each drop: a site that sends a header line now and then cannot keep the lock."""
    drops = [b"HTTP/1.1 200 OK\r\n", *[b"X-Drop: y\r\n"] * 30]
    with site(drops, pause_s=0.1) as target:
        began = time.monotonic()
        answer = probe(target, timeout_s=0.3)
    assert time.monotonic() - began < 1.5
    assert answer.status is None and answer.error


def test_heads_without_end_are_cut() -> None:
    """What is no head after 64 KiB is not read on."""
    with site([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 60_000] * 100]) as target:
        assert probe(target, timeout_s=5).status in (None, 200)


def test_an_answer_in_pieces_is_one_answer() -> None:
    """Status and our header are read however the head is cut into packets; the body is not waited for."""
    parts = (b"HTTP/1.1 5", b"03 Service Unavailable\r\nX-Piquet: te", b"st/1/block\r\n\r", b"\nbody")
    with site(parts, pause_s=0.02) as target:
        assert probe(target) == ProbeAnswer(503, "test/1/block")
