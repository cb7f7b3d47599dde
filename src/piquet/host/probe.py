# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the local server for one site and see whether the answer is ours.

Ours is what carries our header; a 503 alone proves nothing. The certificate is not checked: the question is what this
server answers, not whom a visitor would trust.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Mapping, Optional

HEADER = "X-Piquet"
TIMEOUT_S = 5.0
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104 - where to ask, not where to listen


@dataclass(frozen=True)
class Answer:
    """What the server said.

    Attributes:
        status: of the answer, None if there was none.
        mark: value of our header, None if it is not ours.
        error: why there was no answer.
    """

    status: Optional[int]
    mark: Optional[str]
    error: str = ""

    def is_of(self, campaign: str, phase: int) -> bool:
        """Whether it is the strike answer of that phase."""
        return self.mark is not None and self.mark.startswith(f"{campaign}/{phase}/")


def ask(target: Mapping[str, Any], timeout_s: float = TIMEOUT_S) -> Answer:
    """GET / as a manifest's `probe` says: address, port, tls, host."""
    address = _LOCAL.get(target["address"], target["address"])
    host, port = str(target["host"]), int(target["port"])
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.sock = _connect(address, port, host if target["tls"] else None, timeout_s)
        connection.request(
            "GET", "/", headers={"Host": host, "Connection": "close", "User-Agent": "piquet-host"}
        )
        response = connection.getresponse()
        return Answer(response.status, response.getheader(HEADER))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(None, None, f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def _connect(address: str, port: int, name: Optional[str], timeout_s: float) -> socket.socket:
    """A connection, with TLS and SNI if there is a name for it."""
    plain = socket.create_connection((address, port), timeout_s)
    if name is None:
        return plain
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=name)
