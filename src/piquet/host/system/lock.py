# SPDX-License-Identifier: GPL-3.0-or-later
"""One agent at a time: an flock that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import Iterator

from piquet.host.errors import LockedError
from piquet.host.system import files
from piquet.host.system.paths import Paths
from piquet.host.system.pause import pause
from piquet.protocol.findings import Finding

WAIT_S = 20.0
_POLL_S = 0.05


@contextlib.contextmanager
def locked(paths: Paths, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock for the length of a `with` block.

    Raises:
        LockedError: somebody else held it for `wait_s`; the message names the process.
    """
    files.make_folder(paths.lock.parent, 0o755)
    descriptor = _locked_descriptor(paths, time.monotonic() + wait_s, wait_s)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def _locked_descriptor(paths: Paths, deadline: float, wait_s: float) -> int:
    """The lock file, locked. `remove` deletes it while others wait: a lock without its name is nobody's."""
    while True:
        descriptor = os.open(str(paths.lock), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _acquire(descriptor, paths, deadline, wait_s)
            if os.path.samestat(os.fstat(descriptor), paths.lock.lstat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _acquire(descriptor: int, paths: Paths, deadline: float, wait_s: float) -> None:
    """Poll, since a blocking flock cannot time out."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                raise _refusal(paths, wait_s) from None
            pause(_POLL_S)
        else:
            return


def _refusal(paths: Paths, wait_s: float) -> LockedError:
    """Say who has it."""
    try:
        holder = paths.lock.read_text(encoding="ascii").strip() or "?"
    except OSError:
        holder = "?"
    message = f"Another piquet-host (process {holder}) has held the lock for {wait_s:.0f} s."
    hint = f"look at it with `ps -fp {holder}`; rollback takes the flags away even while it is held"
    return LockedError(message, [Finding("error", "locked", str(paths.lock), message, hint=hint)])
