# SPDX-License-Identifier: GPL-3.0-or-later
"""Noticing that somebody's deploy has taken our line out of a selected site's server block.

Reading thousands of files every minute would be rude: a stat per hooked file says when to look. What is found is
journalled once and never mended, since only `hook`, with an operator behind it, writes into foreign files.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, Iterable, List

from piquet.host import armed, manifest, nginx, state
from piquet.host.findings import Finding
from piquet.host.machine import Machine
from piquet.host.nginx_config import Block


def look(machine: Machine, verb: str) -> List[Finding]:
    """Inside a window, look again when a file's stamp has changed."""
    current = armed.current(machine.paths)
    now = machine.now()
    if current is None or not any(p.start <= now < p.end for p in current.phases):
        return []
    stamps, seen = stamp(current.watch), state.sightings(machine.paths, current.armed_at)
    if stamps == seen.get("stamps", dict(current.watch)):
        return []
    missing = [place(block) for block in missing_blocks(machine)]
    if missing and missing != seen.get("missing"):
        machine.log(verb, "hook-missing", blocks=missing)
    with contextlib.suppress(OSError):
        state.write(machine.paths.boundaries, {**seen, "stamps": stamps, "missing": missing})
    return [finding(record) for record in missing]


def stamp(paths: Iterable[str]) -> Dict[str, Any]:
    """Per file what changes when the file does; None where it is gone."""
    found: Dict[str, Any] = {}
    for path in paths:
        try:
            status = Path(path).stat()
            found[path] = [status.st_mtime_ns, status.st_size, status.st_ino]
        except OSError:
            found[path] = None
    return found


def selected_blocks(machine: Machine) -> List[Block]:
    """Server blocks that serve a selected nginx site of the staged bundle."""
    staged = manifest.staged(machine.paths)
    names = {e.name for e in staged.entries if e.provider == "nginx"} if staged else set()
    return nginx.covering(machine.nginx.blocks(), names) if names and machine.nginx.is_present() else []


def missing_blocks(machine: Machine) -> List[Block]:
    """Those without a hook, where what is staged needs one."""
    staged = manifest.staged(machine.paths)
    blocks = selected_blocks(machine) if staged and staged.needs_hooks else []
    return [block for block in blocks if block.hooked is None]


def unread(machine: Machine) -> List[Finding]:
    """Our drop-in is there and nginx does not read it: what the hook line reads is no error then, and shows nothing."""
    staged = manifest.staged(machine.paths)
    if staged is None or "nginx" not in staged.providers or not machine.nginx.is_present():
        return []
    read = machine.nginx.configuration().files
    names = (name for name in staged.server_files() if name.endswith(f"/{nginx.DROPIN}"))
    there = [path for path in map(machine.paths.at, names) if path.is_file()]
    message = "nginx does not read it any more, so no site would go on strike."
    hint = "whoever took its folder out of nginx.conf must include it again; or survey, plan and stage anew"
    return [
        Finding("warning", "dropin-not-read", str(path), message, f"include {path.parent}/*.conf", hint=hint)
        for path in there
        if path.resolve() not in read
    ]


def place(block: Block) -> Dict[str, Any]:
    """Where a block is."""
    return {"file": str(block.file), "line": block.line, "names": list(block.names)}


def finding(record: Dict[str, Any]) -> Finding:
    """One selected site that stays as usual."""
    message = "A selected site's server block has no hook, so it stays as usual."
    hint = "run hook (it reloads nginx)"
    return Finding("warning", "hook-missing", f"{record['file']}:{record['line']}", message, hint=hint)
