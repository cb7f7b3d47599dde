# SPDX-License-Identifier: GPL-3.0-or-later
"""When a file was born: what no restore of files can give back.

Python's own `os.stat` tells none on Linux, so the C library is asked.

Source: statx(2) for the call, the mask and the layout of `struct statx`, which is the same on every architecture.
"""

from __future__ import annotations

import struct
from typing import Optional

_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_SIZE_BYTES = 256
_BTIME_OFFSET = 80
_NS = 10**9


def born_ns(descriptor: int) -> Optional[int]:
    """Birth time of an open file in nanoseconds since the epoch; None where kernel or file system tells none."""
    try:
        import ctypes

        buffer = ctypes.create_string_buffer(_SIZE_BYTES)
        statx = ctypes.CDLL(None, use_errno=True).statx
        failed = statx(descriptor, b"", _AT_EMPTY_PATH, ctypes.c_uint(_STATX_BTIME), buffer)
    except (ImportError, OSError, AttributeError):  # a Python without ctypes, a C library from before 2018
        return None
    (mask,) = struct.unpack_from("=I", buffer.raw)
    if failed or not mask & _STATX_BTIME:
        return None
    seconds, part = struct.unpack_from("=qI", buffer.raw, _BTIME_OFFSET)
    return int(seconds) * _NS + int(part)
