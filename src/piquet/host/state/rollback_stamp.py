# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback wins over whatever began before it, also over an arm that hangs with the lock and goes on afterwards.

Rollback stamps one empty file before it does anything else. Whoever puts flags up compares the stamp, after its last
write, with what it was when the process began: either it sees the stamp, or the rollback still takes everything away.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Optional

from piquet.host.system.paths import Paths


class RecalledError(OSError):
    """Somebody rolled the host back while flags were being put up; answered as a flag that cannot be written is."""


def stamp_rollback(paths: Paths) -> None:
    """Call back whatever is under way; the file needs no space, and failing must not stop a release."""
    with contextlib.suppress(OSError):
        descriptor = os.open(str(paths.recall), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.utime(descriptor, ns=(time.time_ns(), time.time_ns()))
        finally:
            os.close(descriptor)


def stamped(paths: Paths) -> Optional[int]:
    """The last stamp, None if there is none."""
    try:
        return paths.recall.lstat().st_mtime_ns
    except OSError:
        return None


def require_none_since(paths: Paths, begun: Optional[int]) -> None:
    """Go on only if nobody has rolled back.

    Raises:
        RecalledError: somebody has.
    """
    if stamped(paths) != begun:
        raise RecalledError("Somebody rolled this host back meanwhile.")
