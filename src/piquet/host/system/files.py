# SPDX-License-Identifier: GPL-3.0-or-later
"""Files changed so that a power cut leaves the old bytes or the new ones, never a mixture.

A `Change` says what a path should be. Writing goes to a name with a leading dot beside the target (no server's
glob matches it), is fsynced, then renamed; mode, owner and extended attributes (ACLs, SELinux labels) of a
replaced file are kept. Temporary names are fixed, so that a recovery can find and delete them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence

FILE, LINK, GONE = "file", "link", "gone"
_SIDE_BY_SIDE = 32


@dataclass(frozen=True)
class Change:
    """What a path should be afterwards.

    Attributes:
        path: where, with symlinks in its folder already resolved.
        kind: `file`, `link` or `gone`.
        data: bytes of a file.
        mode: permission bits, or None to keep those of the file that is there.
        target: of a link.
        origin: sha256 of the text that `data` was made from, for a file that is somebody else's.
    """

    path: Path
    kind: str
    data: bytes = b""
    mode: Optional[int] = None
    target: str = ""
    origin: Optional[str] = None


def sha256(data: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(data).hexdigest()


def temporary(path: Path) -> Path:
    """The hidden name beside `path` under which its next content is written."""
    return path.with_name(f".{path.name}.piquet")


def exists(path: Path) -> bool:
    """Whether anything has this name, a dangling link included."""
    return os.path.lexists(str(path))


def is_done(change: Change) -> bool:
    """Whether the path already is what the change asks for."""
    path = change.path
    if change.kind == GONE:
        return not exists(path)
    if change.kind == LINK:
        return path.is_symlink() and os.readlink(str(path)) == change.target
    if path.is_symlink() or not path.is_file() or path.read_bytes() != change.data:
        return False
    return change.mode is None or stat.S_IMODE(path.stat().st_mode) == change.mode


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a power cut."""
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _extended_attributes(path: Path) -> Dict[str, bytes]:
    """Extended attributes; empty where the file system has none."""
    try:
        return {name: os.getxattr(str(path), name) for name in os.listxattr(str(path))}
    except OSError:
        return {}


def _copy_attributes(descriptor: int, like: Path, mode: Optional[int]) -> None:
    """Give the new file the owner and attributes of the one it replaces, and the mode asked for.

    By its descriptor: in a folder that is not root's, its name may lead elsewhere by now.
    """
    if like.is_file() and not like.is_symlink():
        old = like.stat()
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode) if mode is None else mode)
        for name, value in _extended_attributes(like).items():
            with contextlib.suppress(OSError):  # a label that policy sets by itself
                os.setxattr(descriptor, name, value)
    else:
        os.fchmod(descriptor, 0o644 if mode is None else mode)


def write(path: Path, data: bytes, mode: Optional[int] = None) -> None:
    """Replace or make one file; the folder is not synced yet.

    Raises:
        OSError: no space, read-only or immutable; the old file is then untouched.
    """
    make_all([Change(path, FILE, data, mode)])


def make_all(changes: Sequence[Change]) -> None:
    """Make every path what its change asks for: all new bytes first and durable, then the names, in this order.

    Folders are not synced yet. Thousands of files take one wait for the disk and not one each.

    Raises:
        OSError: no space, read-only or immutable, or a file is not of its `origin` any more; no temporary file stays.
    """
    written = [change for change in changes if change.kind == FILE]
    try:
        for change in written:
            write_temporary(change)
        sync_temporaries(change.path for change in written)
        for change in changes:
            perform(change)
    except BaseException:
        for change in written:
            with contextlib.suppress(OSError):
                temporary(change.path).unlink()
        raise


def write_temporary(change: Change) -> None:
    """Write the next content of a file beside it, with the owner and mode that it will have; not durable yet.

    Raises:
        OSError: no space or read-only.
    """
    temp = temporary(change.path)
    with contextlib.suppress(FileNotFoundError):
        temp.unlink()
    descriptor = os.open(str(temp), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(change.data)
        file.flush()
        _copy_attributes(file.fileno(), change.path, change.mode)


def sync_temporaries(paths: Iterable[Path]) -> None:
    """Make what was written beside these paths durable, side by side: a disk writes many at once.

    Not by one sync(2), which waits for whatever others have written, and tells of no fault before Linux 5.8.

    Raises:
        OSError: one of them could not be written.
    """
    temps = [temporary(path) for path in paths]
    if len(temps) < 2:
        for temp in temps:
            _sync_file(temp)
        return
    from concurrent.futures import ThreadPoolExecutor  # other verbs do not pay for it

    shares = min(len(temps), _SIDE_BY_SIDE)  # one task for each file would take a kilobyte or two for each
    try:
        with ThreadPoolExecutor(shares) as pool:
            for _ in pool.map(_sync_files, (temps[first::shares] for first in range(shares))):
                pass
    except (
        RuntimeError
    ):  # a machine at its limit of processes starts no thread, and must be released all the same
        _sync_files(temps)


def _sync_files(paths: Sequence[Path]) -> None:
    for path in paths:
        _sync_file(path)


def _sync_file(path: Path) -> None:
    """By its name, which in a folder of somebody else's may lead elsewhere by now: nothing is followed."""
    descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(change: Change) -> None:
    """Let what was written beside a path take its place.

    Raises:
        OSError: whoever saved the file, or gave it to somebody, since we read it keeps what they did.
    """
    temp = temporary(change.path)
    if change.origin is not None:
        new, old = temp.lstat(), change.path.stat()
        is_same = (new.st_mode, new.st_uid, new.st_gid) == (old.st_mode, old.st_uid, old.st_gid)
        if not is_same or sha256(change.path.read_bytes()) != change.origin:
            raise OSError(errno.ESTALE, "somebody has just changed it, run this again", str(change.path))
    temp.rename(change.path)


def write_now(path: Path, data: bytes, mode: int) -> None:
    """Replace one file of our own and make that durable at once."""
    write(path, data, mode)
    sync_folder(path.parent)


def make_link(path: Path, target: str) -> None:
    """Make or replace a symbolic link by one rename."""
    temp = temporary(path)
    with contextlib.suppress(FileNotFoundError):
        temp.unlink()
    temp.symlink_to(target)
    temp.rename(path)


def remove(path: Path) -> bool:
    """Delete a name if it is there; tell whether it was."""
    try:
        path.unlink()
    except OSError:  # a read-only file system says so of names that are not there, too
        if exists(path):
            raise
        return False
    return True


def unwritable(changes: Iterable[Change]) -> List[Path]:
    """Folders in which something would have to be written and cannot, even by root: read-only, most often."""
    parents = {next(p for p in change.path.parents if p.exists()) for change in changes}
    return sorted(folder for folder in parents if not os.access(str(folder), os.W_OK | os.X_OK))


def perform(change: Change) -> None:
    """Make the path what the change asks for; of a file what is to be there must have been written beside it."""
    if change.kind == FILE:
        put_in_place(change)
    elif change.kind == LINK:
        make_link(change.path, change.target)
    else:
        remove(change.path)


def make_folder(path: Path, mode: int) -> List[Path]:
    """Make a folder and what is missing above it (0755), whatever the umask; return the new ones, outermost first."""
    missing = [p for p in [path, *path.parents] if not p.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(mode if folder == path else 0o755)
        sync_folder(folder.parent)
    return list(reversed(missing))


def make_own_folder(folder: Path, mode: int) -> None:
    """A real folder of ours for secrets, made if it is missing, which nobody else can write.

    Raises:
        OSError: it is somebody else's, or a link, or could not be made.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise OSError(errno.EPERM, "it is no folder of ours alone, so no secret is put there", str(folder))
    folder.chmod(mode)


def missing_folders(paths: Iterable[Path]) -> List[Path]:
    """Folders that do not exist yet but would hold `paths`, outermost first."""
    folders = {p for path in paths for p in path.parents if not p.exists()}
    return sorted(folders, key=lambda p: (len(p.parts), str(p)))


def remove_empty(folders: Iterable[Path]) -> None:
    """Take away folders that we made, innermost first, where nobody has put anything in."""
    for folder in sorted(folders, key=lambda p: -len(p.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()
