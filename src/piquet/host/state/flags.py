# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags: one empty file per selected entry, in a folder that `/run/piquet/live` points to.

Putting them all up is one rename, taking them all down one unlink; taking one down is one unlink. They live in
`/run`, which a reboot empties. Only `put_up` makes flags, and only `arm` and the first reconcile after a boot
call it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import FrozenSet, Iterable, Optional

from piquet.host.system import files
from piquet.host.system.paths import Paths

_PREFIX = "flags."


def up(paths: Paths) -> Optional[FrozenSet[str]]:
    """Keys whose flag is up, or None if `live` leads to no folder."""
    try:
        return frozenset(entry.name for entry in os.scandir(str(paths.live)) if entry.is_file())
    except OSError:
        return None


def make_flags(paths: Paths, keys: Iterable[str]) -> None:
    """Make a new folder with all flags, then let `live` point to it by one rename.

    Raises:
        OSError: nothing is live that was not live before.
    """
    files.make_folder(paths.run, 0o711)
    paths.run.chmod(0o711)
    folder = paths.run / f"{_PREFIX}{_next_number(paths)}"
    folder.mkdir()
    folder.chmod(0o711)
    for key in keys:
        path = folder / key
        path.touch(exist_ok=False)
        path.chmod(0o644)
    files.make_link(paths.live, folder.name)
    _sweep(paths, keep=folder.name)


def take_down(paths: Paths, keys: Iterable[str]) -> None:
    """Take single flags away.

    Raises:
        OSError: one of them cannot be removed.
    """
    for key in keys:
        files.remove(paths.live / key)


def take_all_down(paths: Paths) -> None:
    """Take everything away: first the one link (this is the release), then the folders.

    Raises:
        OSError: the link is still there.
    """
    if paths.live.is_dir() and not paths.live.is_symlink():
        shutil.rmtree(str(paths.live))
    files.remove(paths.live)
    with contextlib.suppress(OSError):
        _sweep(paths, keep="")


def _next_number(paths: Paths) -> int:
    """A number that no folder has."""
    numbers = [p.name[len(_PREFIX) :] for p in paths.run.glob(_PREFIX + "*")]
    return 1 + max((int(n) for n in numbers if n.isdigit()), default=0)


def _sweep(paths: Paths, keep: str) -> None:
    """Delete flag folders that nothing points to any more."""
    for folder in paths.run.glob(_PREFIX + "*"):
        if folder.name != keep:
            shutil.rmtree(str(folder), ignore_errors=True)
    files.remove(files.temporary(paths.live))
