# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with our line in them, and what takes it out of each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List, Set

from piquet.host.machine import Machine
from piquet.host.state import store
from piquet.host.system import files
from piquet.host.system.files import Change


def removals(machine: Machine) -> List[Change]:
    """What takes every line of ours out: in files that we hooked, and wherever else a copy of the line is."""
    server = machine.hooked_server
    changes = []
    for path, text in sorted(_texts(machine).items()):
        left = server.without_hook(text)
        kind = files.FILE if left or not server.is_own_file(path) else files.GONE
        changes.append(Change(path, kind, left, origin=files.sha256(text)))
    return changes


def hooked_files(machine: Machine) -> Set[Path]:
    """Files with a line of ours in them, whether their server reads them (still) or not."""
    return set(_texts(machine))


def _texts(machine: Machine) -> Dict[Path, bytes]:
    """What they hold, by real path; what their server reads is not read again."""
    record, server = store.hooked(machine.paths), machine.hooked_server
    texts = dict(server.configuration().files) if server.is_present() else {}
    others = (Path(os.path.realpath(name)) for name in record["files"] if Path(name) not in texts)
    texts.update({path: path.read_bytes() for path in others if path.is_file()})
    return {path: text for path, text in texts.items() if server.has_hook(text)}
