# SPDX-License-Identifier: GPL-3.0-or-later
"""Several files changed as one step: registered before anything is written, restored if anything fails.

The register (`checkpoint/steps.json`) is one durable file that holds what every path was. It exists from before the
first write until the change is kept (`commit`) or undone (`undo`). Whoever takes the lock next and finds one, from a
crash or a power cut, undoes it first (`recover`). Undoing may itself be interrupted and run again.

A foreign file is only ever put back if it still holds what we wrote: what its owner wrote in between stays.

Source: certbot's reverter.py for register-before-write and recovery at start.
"""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from piquet.host.state import store
from piquet.host.system import files
from piquet.host.system.files import FILE, GONE, LINK, Change
from piquet.host.system.paths import Paths
from piquet.protocol.findings import Finding

Merge = Callable[[Path, bytes], Optional[bytes]]
FOLDER_MODES = {"checkpoint": 0o700}


def is_open(paths: Paths) -> bool:
    """Whether a transaction was begun and not finished."""
    return paths.checkpoint.exists()


def refusals(changes: Iterable[Change]) -> List[Finding]:
    """Folders that cannot be written, before anything is."""
    message, hint = (
        "Nothing can be written there.",
        "is its file system mounted read-only? make it writable first",
    )
    return [
        Finding("error", "not-writable", str(folder), message, hint=hint)
        for folder in files.unwritable(changes)
    ]


def make_changes(paths: Paths, verb: str, changes: Sequence[Change], servers: Iterable[str]) -> None:
    """Register what is there, then make every change, in order.

    Args:
        paths: where the register lies.
        verb: for the record, and to know how to merge when undoing.
        changes: what to do.
        servers: providers to reload if this has to be undone.

    Raises:
        OSError: a write failed; the caller must `undo`.
    """
    store.ensure_folder(paths.lib)
    store.ensure_folder(paths.checkpoint.parent)
    new_folders = files.missing_folders(change.path for change in changes)
    register = {
        "verb": verb,
        "servers": sorted(servers),
        "folders": [str(folder) for folder in new_folders],
        "steps": [{"path": str(c.path), "before": _snapshot(c.path), "after": _after(c)} for c in changes],
    }
    store.write_state(paths.checkpoint, register)
    for folder in new_folders:
        files.make_folder(folder, paths.folder_mode(folder))
    for change in changes:
        files.perform(change)
    _sync({change.path.parent for change in changes})


def commit(paths: Paths) -> None:
    """Keep the changes."""
    files.remove(paths.checkpoint)
    files.sync_folder(paths.checkpoint.parent)


def put_back(paths: Paths, merge: Optional[Merge] = None) -> List[Finding]:
    """Put every path back as registered, last change first; the register stays until `commit`.

    Args:
        paths: where the register lies.
        merge: given a foreign file that was edited since we wrote it, its bytes without our part, or None.

    Returns:
        What could not be put back, or was left as its owner wrote it since.
    """
    register = store.read_state(paths.checkpoint) or {"steps": [], "folders": []}
    findings = []
    for step in reversed(register["steps"]):
        finding = _restore(Path(step["path"]), step["before"], step["after"], merge)
        findings += [finding] if finding else []
    files.remove_empty(Path(folder) for folder in register["folders"])
    _sync({Path(step["path"]).parent for step in register["steps"]})
    return findings


def open_register(paths: Paths) -> Dict[str, Any]:
    """The open register."""
    return store.read_state(paths.checkpoint) or {}


def _snapshot(path: Path) -> Dict[str, Any]:
    """What a path is now, with all that is needed to make it again."""
    if path.is_symlink():
        return {"kind": LINK, "target": os.readlink(str(path))}
    if not path.exists():
        return {"kind": GONE}
    status = path.stat()
    return {
        "kind": FILE,
        "data": base64.b64encode(path.read_bytes()).decode("ascii"),
        "mode": stat.S_IMODE(status.st_mode),
        "owner": [status.st_uid, status.st_gid],
        "times": [status.st_atime_ns, status.st_mtime_ns],
    }


def _after(change: Change) -> Dict[str, Any]:
    """How to recognise that a path still is what we made it."""
    content = {FILE: files.sha256(change.data), LINK: change.target, GONE: ""}[change.kind]
    return {"kind": change.kind, "content": content}


def _is_after(path: Path, after: Dict[str, Any]) -> bool:
    if after["kind"] == FILE:
        return (
            path.is_file() and not path.is_symlink() and files.sha256(path.read_bytes()) == after["content"]
        )
    return files.is_done(Change(path, after["kind"], target=after["content"]))


def _is_before(path: Path, before: Dict[str, Any]) -> bool:
    data = base64.b64decode(before.get("data", ""))
    return files.is_done(Change(path, before["kind"], data, before.get("mode"), before.get("target", "")))


def _restore(
    path: Path, before: Dict[str, Any], after: Dict[str, Any], merge: Optional[Merge]
) -> Optional[Finding]:
    """Put one path back; a finding if somebody else has changed it or it cannot be written."""
    try:
        files.remove(files.temporary(path))
        if _is_before(path, before):
            return None
        if _is_after(path, after):
            _put_back(path, before)
            return None
        return _keep(path, merge)
    except OSError as error:
        return Finding("error", "not-restored", str(path), "It could not be put back.", got=str(error))


def _put_back(path: Path, before: Dict[str, Any]) -> None:
    data = base64.b64decode(before.get("data", ""))
    files.perform(Change(path, before["kind"], data, before.get("mode"), before.get("target", "")))
    if before["kind"] == FILE:
        if (path.stat().st_uid, path.stat().st_gid) != tuple(before["owner"]):
            os.chown(str(path), *before["owner"], follow_symlinks=False)
        os.utime(str(path), ns=(before["times"][0], before["times"][1]), follow_symlinks=False)


def _keep(path: Path, merge: Optional[Merge]) -> Finding:
    """Somebody edited the file after us: keep that, without our part if we know how."""
    current = path.read_bytes() if path.is_file() else b""
    merged = merge(path, current) if merge else None
    if merged is not None and merged != current:
        files.write(path, merged)
    message = "Somebody changed it after us; their text was kept."
    return Finding("warning", "edited-since", str(path), message)


def _sync(folders: Iterable[Path]) -> None:
    """Make renames durable, folder by folder."""
    for folder in sorted(folders):
        if folder.is_dir():
            files.sync_folder(folder)
