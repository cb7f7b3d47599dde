# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the local server for one site and see whether the answer is ours.

Ours is what carries our header; a 503 alone proves nothing. The certificate is not checked: the question is what this
server answers, not whom a visitor would trust.
"""

from __future__ import annotations

import io
import socket
import time
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from piquet.protocol.http import NONCE_HEADER, SIGN_HEADER

PROBE_TIMEOUT_S = 5.0
_MAX_HEAD_BYTES = 65536
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104 - where to ask, not where to listen


@dataclass(frozen=True)
class ProbeAnswer:
    """What the server said.

    Attributes:
        status: of the answer, None if there was none.
        mark: value of our header, None if it is not ours.
        error: why there was no answer.
        is_unasked: nobody listened, or said anything in time; a connection that was closed at once is an answer.
        nonce: what the answer repeats of the question's, None if nothing.
    """

    status: Optional[int]
    mark: Optional[str]
    error: str = ""
    is_unasked: bool = False
    nonce: Optional[str] = None

    def is_of(self, campaign: str, phase: int) -> bool:
        """Whether it is the strike answer of that phase."""
        return self.mark is not None and self.mark.startswith(f"{campaign}/{phase}/")


def probe(
    target: Mapping[str, Any], path: str = "/", timeout_s: float = PROBE_TIMEOUT_S, nonce: str = ""
) -> ProbeAnswer:
    """GET a path as a manifest's `probe` says: address, port, tls, host, and whether to say first for whom.

    The site may be anybody's, and the lock is held meanwhile: its head as a whole has `timeout_s`, however it drips.
    """
    import http.client  # a third of the start of every verb, and most never ask

    address = _LOCAL.get(target["address"], target["address"])
    host, port = str(target["host"]), int(target["port"])
    connection = None
    try:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        name, is_proxied = host if target["tls"] else None, bool(target.get("proxy_protocol"))
        connection.sock = _connect(address, port, name, timeout_s, is_proxied)
        headers = {"Host": host, "Connection": "close", "User-Agent": "piquet-host"}
        connection.request("GET", path, headers={**headers, **({NONCE_HEADER: nonce} if nonce else {})})
        response = http.client.HTTPResponse(_Said(_head(connection.sock, timeout_s)))  # type: ignore[arg-type]
        response.begin()
        return ProbeAnswer(
            response.status, response.getheader(SIGN_HEADER), nonce=response.getheader(NONCE_HEADER)
        )
    except (OSError, ValueError, http.client.HTTPException) as error:
        is_unasked = isinstance(error, OSError) and not isinstance(error, ConnectionResetError)
        return ProbeAnswer(None, None, f"{type(error).__name__}: {error}", is_unasked)
    finally:
        if connection is not None:
            connection.close()


class _Said:
    """Bytes that were read already, as `http.client` wants to read them from a socket."""

    def __init__(self, data: bytes) -> None:
        """Keep the bytes."""
        self.data = data

    def makefile(self, mode: str) -> io.BytesIO:
        """What a socket gives for reading."""
        return io.BytesIO(self.data)


def _head(connection: socket.socket, timeout_s: float) -> bytes:
    """All up to the blank line behind the headers.

    Raises:
        OSError: it was not there in time.
    """
    deadline, data = time.monotonic() + timeout_s, b""
    while b"\r\n\r\n" not in data and len(data) < _MAX_HEAD_BYTES:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"no complete answer within {timeout_s:g} s")
        connection.settimeout(left_s)
        chunk = connection.recv(4096)
        if not chunk:
            break
        data += chunk
    return data


def _connect(
    address: str, port: int, name: Optional[str], timeout_s: float, is_proxied: bool = False
) -> socket.socket:
    """A connection, with TLS and SNI if there is a name for it, behind a PROXY line for ourselves where one is wanted.

    Source: the PROXY protocol, section 2.1.
    """
    plain = socket.create_connection((address, port), timeout_s)
    if is_proxied:
        family = "TCP6" if plain.family == socket.AF_INET6 else "TCP4"
        (from_ip, from_port), (to_ip, to_port) = plain.getsockname()[:2], plain.getpeername()[:2]
        plain.sendall(f"PROXY {family} {from_ip} {to_ip} {from_port} {to_port}\r\n".encode("ascii"))
    if name is None:
        return plain
    import ssl  # as slow, and seldom needed

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=name)
