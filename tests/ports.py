# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports for servers that a test stops and starts again: below those that the kernel gives to outgoing connections.

A port of that range may be somebody's by the next start; and whoever waits for a server on one of them is connected
to himself now and then, and takes that for the server.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

_FIRST = 10_240
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ANY = random.SystemRandom()
"""Of the system, so that runs beside each other do not try the same ports."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nothing listens on now.

    Args:
        count: how many, all different.
    """
    end = int(_RANGE.read_text(encoding="ascii").split()[0])
    found: set[int] = set()
    while len(found) < count:
        port = _ANY.randrange(_FIRST, end)
        if _is_free(port):
            found.add(port)
    return list(found)


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
