# SPDX-License-Identifier: GPL-3.0-or-later
"""Noticing that somebody, or their deploy, has taken our line out of a selected site's server block.

A person who stops a site and a configuration management cannot be told apart, so it is a stop: once two looks a minute
apart find the line missing, and the server's own test passes, the site's flag goes for good. A file that is missing or
cannot be read is none, nor is a block that is new. Only `hook`, with an operator behind it, writes into foreign files.

Reading thousands of files every minute would be rude: a stat per hooked file says when to look.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional

from piquet.host import stops
from piquet.host.machine import Machine
from piquet.host.servers.hooked_server import HookedBlock
from piquet.host.state import armed, documents, manifest, store
from piquet.host.state.armed import Armed
from piquet.host.state.manifest import Manifest, StagedEntry
from piquet.protocol.findings import Finding, Severity

_APART_S = 50.0
"""Between two looks; the timer's minutes are some seconds longer or shorter on a busy machine."""


def look_at_hooks(machine: Machine, verb: str) -> List[Finding]:
    """While armed, look again when a file's stamp has changed, and a minute after a line was found missing."""
    current = armed.current_arming(machine.paths)
    if current is None:
        return []
    stamps, seen = stamps_of(current.watch), store.sightings(machine.paths, current.armed_at)
    before = _missing_since(seen.get("absent"))
    if stamps == seen.get("stamps", dict(current.watch)) and not before:
        return []
    unhooked, later = missing_blocks(machine), late_blocks(machine)
    found = {"missing": [place(block) for block in unhooked], "late": [place(block) for block in later]}
    for name, event in (("missing", "hook-missing"), ("late", "hook-not-first")):
        if found[name] and found[name] != seen.get(name):
            machine.log(verb, event, blocks=found[name])
    since = _absent_since(machine, current, before) if unhooked else {}
    told = {**seen, **found, "stamps": stamps, "absent": since}
    with contextlib.suppress(OSError, *documents.FAULTS):
        store.write_state(machine.paths.boundaries, told)
    over = frozenset(key for key, at in since.items() if machine.now() - at >= _APART_S)
    told_of = [*map(unreached, found["missing"]), *map(not_first, later)]
    return [*told_of, *stops.unhooked(machine, verb, over)]


def _missing_since(value: Any) -> Dict[str, float]:
    """When lines were first found missing, by key; nothing where that cannot be read."""
    try:
        return documents.instants(value)
    except documents.FAULTS:
        return {}


def _absent_since(machine: Machine, current: Armed, before: Mapping[str, float]) -> Dict[str, float]:
    """The same, now. While the server's own test fails somebody is at work, and no look counts."""
    if not machine.hooked_server.test().ok:
        return dict(before)
    now = machine.now()
    return {key: min(before.get(key, now), now) for key in absent(machine, current)}


def absent(machine: Machine, current: Armed) -> FrozenSet[str]:
    """Entries that are not stopped, whose line is in fewer blocks than when the host was armed, and not in some.

    Or in no panel's place any more, where it was in one: a rebuild does not take it out of there.
    """
    blocks = _by_key(machine)
    lost = current.kept - kept_keys(machine) & frozenset(blocks)
    found = {key: blocks[key] if key in lost else _lasting_blocks(blocks[key]) for key in blocks}
    fewer = {key for key in found if len(_hooked_blocks(found[key])) < current.hooks.get(key, 0)}
    return frozenset((fewer | lost) & _with_unhooked(found) & current.expected(machine.now()))


def kept_keys(machine: Machine) -> FrozenSet[str]:
    """Entries with a line in a panel's place."""
    blocks = _by_key(machine)
    return frozenset(key for key in blocks if any(block.kept_in for block in _hooked_blocks(blocks[key])))


def unhooked_keys(machine: Machine) -> FrozenSet[str]:
    """Entries with a server block that has no line, or not as the first, however it came."""
    late = {name for block in late_blocks(machine) for name in block.names}
    staged = manifest.staged(machine.paths)
    keys = {entry.key for entry in _hooked_entries(machine, staged) if entry.name in late}
    return _with_unhooked(_by_key(machine)) | keys


def lines(machine: Machine) -> Dict[str, int]:
    """How many blocks with our line serve an entry, by key, where what is staged needs one.

    Where a panel generates an entry's blocks, those with the line in its place count: a line in what it generates is
    gone with the next rebuild, and nobody has stopped anything by that.
    """
    counts = {key: len(_hooked_blocks(_lasting_blocks(found))) for key, found in _by_key(machine).items()}
    return {key: count for key, count in counts.items() if count}


def _by_key(machine: Machine) -> Dict[str, List[HookedBlock]]:
    """Blocks that serve an entry, by key, one for each of its names; none where what is staged needs no line."""
    staged = manifest.staged(machine.paths)
    found: Dict[str, List[HookedBlock]] = {}
    if staged is None or not staged.needs_hooks:
        return found
    keys = {entry.name: entry.key for entry in _hooked_entries(machine, staged)}
    for block in selected_blocks(machine):
        for name in (name for name in block.names if name in keys):
            found.setdefault(keys[name], []).append(block)
    return found


def _with_unhooked(blocks: Mapping[str, List[HookedBlock]]) -> FrozenSet[str]:
    """Keys with a block that has no line."""
    return frozenset(key for key, found in blocks.items() if len(_hooked_blocks(found)) < len(found))


def _lasting_blocks(blocks: List[HookedBlock]) -> List[HookedBlock]:
    """Those with a place in which the line outlives a rebuild; all, where none has one."""
    return [block for block in blocks if block.kept_in] or blocks


def _hooked_blocks(blocks: List[HookedBlock]) -> List[HookedBlock]:
    return [block for block in blocks if block.hooked is not None]


def stamps_of(paths: Iterable[str]) -> Dict[str, Any]:
    """Per file what changes when the file does; None where it is gone."""
    found: Dict[str, Any] = {}
    for path in paths:
        try:
            status = Path(path).stat()
            found[path] = [status.st_mtime_ns, status.st_size, status.st_ino]
        except OSError:
            found[path] = None
    return found


def selected_blocks(machine: Machine) -> List[HookedBlock]:
    """Blocks of the hooked server that serve a selected site of the staged bundle."""
    names = {entry.name for entry in _hooked_entries(machine, manifest.staged(machine.paths))}
    server = machine.hooked_server
    return server.serving(names) if names and server.is_present() else []


def _hooked_entries(machine: Machine, staged: Optional[Manifest]) -> List[StagedEntry]:
    """Those of what is staged that the hooked server answers for."""
    return [e for e in staged.entries if e.provider == machine.hooked_server.name] if staged else []


def missing_blocks(machine: Machine) -> List[HookedBlock]:
    """Those without a hook, where what is staged needs one."""
    staged = manifest.staged(machine.paths)
    blocks = selected_blocks(machine) if staged and staged.needs_hooks else []
    return [block for block in blocks if block.hooked is None]


def late_blocks(machine: Machine) -> List[HookedBlock]:
    """Those in which something, a redirect of certbot's say, has come to stand before our line."""
    staged = manifest.staged(machine.paths)
    blocks = selected_blocks(machine) if staged and staged.needs_hooks else []
    return [block for block in blocks if block.hooked and block.before_hook]


def unread(machine: Machine) -> List[Finding]:
    """Our drop-in is there and not read: what the hook line reads is no error then, and shows nothing."""
    staged = manifest.staged(machine.paths)
    server = machine.hooked_server
    if staged is None or server.name not in staged.providers or not server.is_present():
        return []
    read = server.configuration().files
    names = (name for name in staged.server_files() if name.endswith(f"/{server.dropin}"))
    there = [path for path in map(machine.paths.at, names) if path.is_file()]
    message = f"{server.name} does not read it any more, so no site would go on strike."
    hint = f"whoever took its folder out of {server.name}.conf must include it again; or survey, plan and stage anew"
    return [
        Finding("warning", "dropin-not-read", str(path), message, f"include {path.parent}/*.conf", hint=hint)
        for path in there
        if path.resolve() not in read
    ]


def place(block: HookedBlock) -> Dict[str, Any]:
    """Where a block is."""
    return {"file": str(block.file), "line": block.line, "names": list(block.names)}


def unreached(record: Dict[str, Any]) -> Finding:
    """One selected site that the strike does not reach."""
    message = "A selected site's server block has no hook, so the strike does not reach it."
    hint = "run hook (it reloads the server), then arm"
    return Finding("warning", "hook-missing", f"{record['file']}:{record['line']}", message, hint=hint)


def not_first(block: HookedBlock, severity: Severity = "warning") -> Finding:
    """One selected site where the owner's own words win over the strike."""
    message = "The hook is not the first thing in its block: what stands before it wins."
    got = ", ".join(block.before_hook)
    hint = "run hook, then arm" if block.is_late else "its owner wrote that line, and must move it; then arm"
    place = f"{block.file}:{block.line}"
    return Finding(severity, "hook-not-first", place, message, "the include line first", got, hint)
