# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of code that a server's workers read while they answer: missing, they would fail every request of it.

So they take no part in a transaction. One is written before the configuration that names it, and deleted some time
after nobody does; each is called by the sha256 of what is in it, so that none is ever changed. They lie apart from all
that people delete when they mean to stop a strike.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Collection, List, Mapping

from piquet.host.system import files
from piquet.host.system.paths import Paths
from piquet.protocol.places import CODE_DIR

_UNREAD_S = 600
"""Longer than workers of an earlier configuration live that still answer a request."""


def is_code(path: str) -> bool:
    """Whether a file, as a manifest names it, is one of these."""
    return path.startswith(f"{CODE_DIR}/")


def missing_code(paths: Paths, records: Collection[Mapping[str, Any]]) -> List[Mapping[str, Any]]:
    """Those of a manifest's records that are not there as they should be."""
    own = [record for record in records if is_code(str(record["path"]))]
    return [record for record in own if not is_intact(paths.at(str(record["path"])))]


def is_intact(path: Path) -> bool:
    """Whether it is there, and what its name says."""
    try:
        return files.sha256(path.read_bytes()) == path.stem
    except OSError:
        return False


def write_code(paths: Paths, record: Mapping[str, Any], data: bytes) -> None:
    """Put one in its place, durably; nobody reads it yet.

    Raises:
        OSError: it cannot be written.
    """
    path = paths.at(str(record["path"]))
    files.make_folder(path.parent, paths.folder_mode(path.parent))
    files.write_now(path, data, int(record["mode"], 8))


def touch_others(paths: Paths, records: Collection[Mapping[str, Any]]) -> None:
    """From now on the others are not named any more: `sweep_code` counts from here.

    Raises:
        OSError: that cannot be written.
    """
    named = {paths.at(str(record["path"])) for record in records}
    for path in paths.code.iterdir() if paths.code.is_dir() else ():
        if path not in named:
            os.utime(str(path))


def sweep_code(paths: Paths, named: Collection[Path]) -> None:
    """Delete those that no configuration has named for a while.

    Raises:
        OSError: one cannot be deleted.
    """
    if not paths.code.is_dir():
        return
    for path in paths.code.iterdir():
        if path not in named and time.time() - path.stat().st_mtime > _UNREAD_S:
            files.remove(path)
    files.remove_empty([paths.code])
