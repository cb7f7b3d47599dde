# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody has looked in this boot already: flags go up in the first look of a boot or not at all.

The mark lies beside `/run/piquet`, which people delete to stop a picket, and is written before the first flag.
"""

from __future__ import annotations

from piquet.host.state import store
from piquet.host.system import files
from piquet.host.system.paths import Paths


def is_marked(paths: Paths) -> bool:
    """Whether it is, and of this boot: a `/run` may outlive one. What cannot be read counts as there."""
    try:
        return paths.boot_mark.read_bytes() == _text(paths)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def make(paths: Paths) -> None:
    """Leave it.

    Raises:
        OSError: it is not there, so that no flag may go up.
    """
    files.write(paths.boot_mark, _text(paths), 0o600)


def _text(paths: Paths) -> bytes:
    return f"{store.boot_id(paths)}\n".encode("ascii", "replace")
