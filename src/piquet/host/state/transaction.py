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
import contextlib
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from piquet.host.state import store
from piquet.host.system import files
from piquet.host.system.files import FILE, GONE, LINK, Change
from piquet.host.system.paths import Paths
from piquet.protocol.findings import Finding


class _Step(NamedTuple):
    """A path, what it was, and how to recognise that it still is what we made of it."""

    path: Path
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def as_before(self) -> Change:
        """What makes it again what it was."""
        data = base64.b64decode(self.before.get("data", ""))
        return Change(
            self.path, self.before["kind"], data, self.before.get("mode"), self.before.get("target", "")
        )


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
    _write_register(paths, verb, changes, servers, new_folders)
    for folder in new_folders:
        files.make_folder(folder, paths.folder_mode(folder))
    files.make_all(changes)
    _sync({change.path.parent for change in changes})


def _write_register(
    paths: Paths, verb: str, changes: Sequence[Change], servers: Iterable[str], new_folders: Iterable[Path]
) -> None:
    """All that is needed to undo it; it is held on the disk alone while the changes are made."""
    register = {
        "verb": verb,
        "servers": sorted(servers),
        "folders": [str(folder) for folder in new_folders],
        "steps": [],
    }
    head, mark, tail = store.encode(register).partition(
        b'"steps":['
    )  # no text holds a quote without a backslash
    steps = (
        store.encode({"path": str(c.path), "before": _snapshot(c.path), "after": _mark_of_ours(c)}).rstrip()
        for c in changes
    )
    files.write_now(paths.checkpoint, b"".join((head, mark, b",".join(steps), tail)), 0o600)


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
    steps = [_Step(Path(step["path"]), step["before"], step["after"]) for step in reversed(register["steps"])]
    findings: List[Finding] = []
    ours = [step for step in steps if _is_to_be_put_back(step, merge, findings)]
    is_ready = _is_written_beside(ours)
    for step in ours:
        try:
            _put_back(step, is_ready)
        except OSError as error:
            findings.append(_not_restored(step.path, error))
    files.remove_empty(Path(folder) for folder in register["folders"])
    _sync({step.path.parent for step in steps})
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


def _mark_of_ours(change: Change) -> Dict[str, Any]:
    """How to recognise that a path still is what we made it."""
    content = {FILE: files.sha256(change.data), LINK: change.target, GONE: ""}[change.kind]
    return {"kind": change.kind, "content": content}


def _is_after(step: _Step) -> bool:
    path, after = step.path, step.after
    if after["kind"] == FILE:
        return (
            path.is_file() and not path.is_symlink() and files.sha256(path.read_bytes()) == after["content"]
        )
    return files.is_done(Change(path, after["kind"], target=after["content"]))


def _is_to_be_put_back(step: _Step, merge: Optional[Merge], findings: List[Finding]) -> bool:
    """Whether a path is as we made it; what its owner made of it since is kept here, without our part."""
    try:
        files.remove(files.temporary(step.path))
        if files.is_done(step.as_before):
            return False
        if _is_after(step):
            return True
        findings.append(_keep(step.path, merge))
    except OSError as error:
        findings.append(_not_restored(step.path, error))
    return False


def _not_restored(path: Path, error: OSError) -> Finding:
    return Finding("error", "not-restored", str(path), "It could not be put back.", got=str(error))


def _is_written_beside(steps: Sequence[_Step]) -> bool:
    """Write all that was there beside its path; False if there is no space for all of it at once, say."""
    written = [step.as_before for step in steps if step.before["kind"] == FILE]
    try:
        for change in written:
            files.write_temporary(change)
        files.sync_temporaries(change.path for change in written)
        return True
    except OSError:
        for change in written:
            with contextlib.suppress(OSError):
                files.remove(files.temporary(change.path))
        return False


def _put_back(step: _Step, is_ready: bool) -> None:
    """Let one path be what it was, which was written beside it or is written now."""
    if is_ready:
        files.perform(step.as_before)
    else:
        files.make_all([step.as_before])
    if step.before["kind"] == FILE:
        path, before = step.path, step.before
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
