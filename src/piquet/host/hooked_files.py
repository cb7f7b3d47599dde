# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with our line in them, and what takes it out of each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Set

from piquet.host.machine import Machine
from piquet.host.servers.nginx import hook_line
from piquet.host.state import store
from piquet.host.system import files
from piquet.host.system.files import Change


def removals(machine: Machine) -> List[Change]:
    """What takes every line of ours out: in files that we hooked, and wherever else a copy of the line is."""
    include = machine.paths.hook_include
    changes = []
    for path in sorted(hooked_files(machine)):
        text = path.read_bytes()
        changes.append(
            Change(path, files.FILE, hook_line.remove_hook(text, include), origin=files.sha256(text))
        )
    return changes


def hooked_files(machine: Machine) -> Set[Path]:
    """Files with a line of ours in them, whether nginx reads them (still) or not."""
    record = store.hooked(machine.paths)
    texts = machine.nginx.configuration().files if machine.nginx.is_present() else {}
    candidates = {Path(name) for name in record["files"]} | set(texts)
    existing = {Path(os.path.realpath(str(path))) for path in candidates if path.is_file()}
    return {path for path in existing if hook_line.has_ours(path.read_bytes(), machine.paths.hook_include)}
