# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that can be armed, and one that dies before a write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.host.folder_host import FolderHost

CALLS = ("fsync", "rename", "replace", "unlink", "symlink", "mkdir", "rmdir", "chmod", "fchmod", "write")


DIED, DONE = 77, 0


def dies_before(count: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that ends before its count-th call; tell whether it got there."""
    child = os.fork()
    if child == 0:
        left = count
        try:
            for name in CALLS:
                real = getattr(os, name)

                def counted(
                    *arguments: object, _real: Callable[..., object] = real, **named: object
                ) -> object:
                    nonlocal left
                    left -= 1
                    if left == 0:
                        os._exit(DIED)
                    return _real(*arguments, **named)

                setattr(os, name, counted)
            act()
            os._exit(DONE)
        except BaseException:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (DIED, DONE), "the verb failed by itself"
    return code == DIED


def armable(root: Path) -> FolderHost:
    """A host with everything staged."""
    host = FolderHost(root)
    host.hook()
    host.stage()
    return host


def arm(host: FolderHost) -> None:
    """Arm without the checks that need a running server."""
    from piquet.host.system.lock import locked
    from piquet.host.verbs import arm as verb

    digest = str((host.paths.installed).read_text().split('"plan_digest":"')[1][:64])
    with locked(host.paths):
        assert verb._arm(host.machine(), "arm", digest) == []
