# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that sends exactly the given bytes and keeps exactly the bytes that come back.

The servers run under a clock that the tests hold still, so `Date`, `Expires` and `Age` must be equal too and nothing
hides them. The one thing that is put into an order is the list of methods in `Allow` (`settled`): Apache walks a hash
table whose seed comes from memory addresses, so two starts of the same Apache with the same files differ in it.
A connection ends when the server closes it; every request therefore asks for that, at the latest its second one.
HTTP/2 is spoken by curl: what it prints is the answer as a text with a status line.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

_TIMEOUT_S = 10.0
_ALLOW = re.compile(rb"(\r\nallow: )([A-Z,]+)(?=\r\n)", re.IGNORECASE)
_CURL_STREAM_ERROR, _TRIES = 92, 5


@dataclass(frozen=True)
class Wire:
    """What one connection gave: the bytes, and how it ended ("" = closed, else the error's name)."""

    received: bytes
    ended: str = ""


@dataclass(frozen=True)
class Response:
    """A response taken apart for the table's checks; header names in lower case, repeated ones kept in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes = field(repr=False)

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for header, value in self.headers if header == name]


def exchange(
    address: str,
    port: int,
    sent: bytes,
    tls_name: str | None = None,
    source: str = "127.0.0.1",
    timeout_s: float = _TIMEOUT_S,
) -> Wire:
    """Send bytes over one connection and read until the server closes it.

    `tls_name` asks for TLS with that name in SNI; the certificate is not checked, it is the test's own. `source` is
    the local address that the server sees, for the doors by network.
    """
    chunks: list[bytes] = []
    try:
        with _opened(address, port, tls_name, source, timeout_s) as connection:
            connection.sendall(sent)
            while chunk := connection.recv(65536):
                chunks.append(chunk)
    except ConnectionResetError:
        return Wire(b"".join(chunks), "reset")
    except ssl.SSLError as err:
        return Wire(b"".join(chunks), f"tls {err.reason}")
    except TimeoutError:
        return Wire(b"".join(chunks), "timeout")
    return Wire(b"".join(chunks))


def exchange_h2(
    address: str, port: int, url: str, method: str, headers: Sequence[tuple[str, str]], body: bytes
) -> Wire:
    """Make one request over HTTP/2 and TLS; the certificate is not checked. `url` names host and path, no port.

    Apache may reset the stream of a request whose body it does not want right behind its answer, and curl then drops
    the answer too: a race that has nothing to do with us, so it is asked again.
    """
    argv = ["curl", "--silent", "--include", "--http2", "--insecure", "--globoff", "--path-as-is"]
    argv += ["--max-time", str(_TIMEOUT_S), "--connect-to", f"::[{address}]:{port}"]
    for name, value in (("Accept", ""), ("User-Agent", ""), ("Expect", ""), ("Content-Type", ""), *headers):
        argv += ["--header", f"{name}: {value}" if value else f"{name}:"]
    argv += ["--head"] if method == "HEAD" else ["--request", method]
    argv += ["--data-binary", "@-"] if body else []
    for _ in range(_TRIES):
        done = subprocess.run([*argv, url], input=body, capture_output=True, check=False)
        if done.returncode != _CURL_STREAM_ERROR:
            break
    return Wire(done.stdout, f"curl {done.returncode}" if done.returncode else "")


def settled(wire: Wire) -> Wire:
    """The same bytes with the methods of `Allow` sorted."""
    return Wire(_ALLOW.sub(_sorted_methods, wire.received), wire.ended)


def _sorted_methods(match: re.Match[bytes]) -> bytes:
    return match[1] + b",".join(sorted(match[2].split(b",")))


def parse(received: bytes) -> Response | None:
    """Take the first response apart; None if there is no complete head. Chunked bodies are put together."""
    head, separator, body = received.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not separator or not lines[0].startswith(b"HTTP/"):
        return None
    headers = tuple(
        (name.decode("latin-1").lower(), value.strip().decode("latin-1"))
        for name, _, value in (line.partition(b":") for line in lines[1:])
    )
    if ("transfer-encoding", "chunked") in headers:
        body = _unchunked(body)
    return Response(int(lines[0].split(b" ")[1]), headers, body, received)


def _opened(address: str, port: int, tls_name: str | None, source: str, timeout_s: float) -> socket.socket:
    plain = socket.create_connection((address, port), timeout_s, (source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _tls().wrap_socket(plain, server_hostname=tls_name) if tls_name else plain


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        whole, body = whole + rest[:length], rest[length + 2 :] if length else b""
    return whole
