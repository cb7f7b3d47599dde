# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses are this machine's own. Nothing is sent, no name is looked up."""

from __future__ import annotations

import functools
import socket


@functools.lru_cache(maxsize=None)
def is_own_address(address: str) -> bool:
    """Whether an IP address belongs to this machine: only then can a socket be bound to it; False for a name."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
