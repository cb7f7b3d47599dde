# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask at a door that wants to be told first for whom a connection is made: one new connection for each question.

The line says our own address, so that the site sees what it would see of us without any proxy. This is the IO edge of
such doors, as `probe` is of all others; nothing is judged here.

Source: The PROXY protocol, versions 1 & 2, section 2.1.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from piquet.verify.observation import Observation, Question, Target

_CLOSED = "closed: the connection was closed before the answer was complete"


class Introduced(http.client.HTTPConnection):
    """A connection that begins with a PROXY line; TLS, if any, comes behind it."""

    def __init__(self, target: Target, timeout_s: float, context: ssl.SSLContext | None) -> None:
        """No connection is made yet; without a context it stays plain."""
        super().__init__(target.address, target.port, timeout=timeout_s)
        self._name, self._context = target.name, context

    def connect(self) -> None:
        """Connect, say for whom, then speak TLS."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.sendall(proxy_line(plain.getsockname(), plain.getpeername()))
            self.sock = (
                self._context.wrap_socket(plain, server_hostname=self._name) if self._context else plain
            )
        except BaseException:
            plain.close()
            raise


def proxy_line(source: tuple[Any, ...], target: tuple[Any, ...]) -> bytes:
    """The first line of a connection, version 1: from where, to where."""
    family = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {family} {source[0]} {target[0]} {source[1]} {target[1]}\r\n".encode("ascii")


def ask_by_proxy_line(
    target: Target,
    question: Question,
    headers: Mapping[str, str],
    timeout_s: float,
    context: ssl.SSLContext | None,
    limit_bytes: int,
) -> tuple[Observation, bytes]:
    """One question over a connection of its own: what came, and the body, cut at the limit.

    Raises:
        ssl.SSLCertVerificationError: the certificate is not valid for the name.
    """
    connection, sent_at = Introduced(target, timeout_s, context), time.time()
    try:
        connection.putrequest(question.method, question.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "connection": "close"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        first_byte_at = time.time()
        body = response.read(limit_bytes)
        if response.length and len(body) < limit_bytes:
            return Observation(None, (), "", 0, sent_at, first_byte_at, _CLOSED), b""
        received = tuple((name.lower(), value) for name, value in response.getheaders())
        digest = hashlib.sha256(body).hexdigest()
        return Observation(response.status, received, digest, len(body), sent_at, first_byte_at), body
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        is_connected = connection.sock is not None
        return Observation(None, (), "", 0, sent_at, time.time(), _reason(error, is_connected)), b""
    finally:
        connection.close()


def _reason(error: Exception, is_connected: bool) -> str:
    """`kind: detail`, in the words of `probe`."""
    if isinstance(error, TimeoutError):
        return "timeout: no complete answer within the time limit"
    if isinstance(error, ssl.SSLError):
        return f"tls: {error.reason or error}"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        return _CLOSED
    if isinstance(error, http.client.IncompleteRead):
        return _CLOSED
    if isinstance(error, OSError) and not is_connected:
        return f"connect: {error.strerror or error}"
    return f"protocol: {type(error).__name__}"
