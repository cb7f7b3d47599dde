# SPDX-License-Identifier: GPL-3.0-or-later
"""The second of the two things that an armed host needs: a token that no copy of files gives back.

`armed.json` alone would be a bearer token: whoever restored it from a backup would start a strike again that somebody
has stopped. So `arm` makes a token beside it, in a place of its own. It names the arming, the machine and its own
file, by inode and birth time; a restored or copied token lies in a file that was born later. Whatever releases deletes
it. Where a file system tells no birth, `armed.json` holds the token's time of change instead, which nobody can set.

The token is made anew with each stop and each boot, so that an older one does not fit even when it is written back into
the same file. It therefore decides what `armed.json` could be set back in: which entries were stopped, the boot, and
whether our units run.

Source: stat(2) on st_ctime; inode numbers are used again, births are not.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Optional

from piquet.host.errors import StateError
from piquet.host.state import birth, documents, store
from piquet.host.system import files
from piquet.host.system.paths import Paths

_MAX_BYTES = 10_000_000
_ID_BYTES = 16


@dataclass(frozen=True)
class Token:
    """What a token says; it was read from the file that it names.

    Attributes:
        arming: random name of the arming.
        boot_id: of the boot in which flags were last put up.
        stopped: when single entries were stopped, by key.
        unwatched_at: when somebody stopped our units by hand, None while they run.
        changed_ns: when its file was last changed, None where its birth is known.
    """

    arming: str
    boot_id: str
    stopped: Mapping[str, float]
    unwatched_at: Optional[float]
    changed_ns: Optional[int]


class _Seal(NamedTuple):
    """How a file is told from every copy of it."""

    inode: int
    born_ns: Optional[int]


def new_arming() -> str:
    """A name that no arming had before."""
    return os.urandom(_ID_BYTES).hex()


def write_token(
    paths: Paths, arming: str, boot_id: str, stopped: Mapping[str, float], unwatched_at: Optional[float]
) -> Token:
    """Make the token, in the place of one that may be there.

    Raises:
        OSError: there is none of this arming now, or the one that was there before.
    """
    _require_folder(paths)
    temp = files.temporary(paths.token)
    files.remove(temp)
    descriptor = os.open(str(temp), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        seal = _Seal(os.fstat(descriptor).st_ino, birth.born_ns(descriptor))
        document = {
            "piquet_token": 1,
            "arming": arming,
            "machine": machine_name(paths),
            "boot": boot_id,
            "stopped": dict(stopped),
            "unwatched_at": unwatched_at,
            "file": {"inode": seal.inode, "born_ns": seal.born_ns},
        }
        _write_all(descriptor, store.encode(document))
        os.fsync(descriptor)
        temp.rename(paths.token)
        os.fsync(descriptor)  # a rename changes the time of change
        changed_ns = None if seal.born_ns is not None else os.fstat(descriptor).st_ctime_ns
    finally:
        os.close(descriptor)
    files.sync_folder(paths.spool)
    return Token(arming, boot_id, dict(stopped), unwatched_at, changed_ns)


def _require_folder(paths: Paths) -> None:
    """The third place is a folder of root's alone."""
    if not files.exists(paths.spool):
        files.make_folder(paths.spool, 0o700)
    _require_own(os.lstat(str(paths.spool)), stat.S_ISDIR, paths)
    paths.spool.chmod(0o700)


def _require_own(status: os.stat_result, is_kind: Any, paths: Paths) -> None:
    """Ours, of the right kind, and nobody else's to write.

    Raises:
        OSError: it is not.
    """
    if not is_kind(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{paths.spool} is not root's alone")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def read_token(paths: Paths) -> Optional[Token]:
    """The token, None if there is none.

    Raises:
        StateError: it cannot be read, or is of another machine, or is a copy.
    """
    try:
        _require_own(os.lstat(str(paths.spool)), stat.S_ISDIR, paths)
        descriptor = os.open(str(paths.token), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{paths.token} cannot be read: {error}.") from error
    try:
        status = os.fstat(descriptor)
        _require_own(status, stat.S_ISREG, paths)
        seal = _Seal(status.st_ino, birth.born_ns(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            document = documents.parse_document(file.read(_MAX_BYTES))
        return _checked_token(paths, document, seal, status.st_ctime_ns)
    except (OSError, *documents.FAULTS) as error:
        raise StateError(f"{paths.token} cannot be used: {error!r}.") from error
    finally:
        os.close(descriptor)


def _checked_token(paths: Paths, document: Mapping[str, Any], seal: _Seal, changed_ns: int) -> Token:
    """The token that a document is, in the file where it lies.

    Raises:
        StateError: of another machine, or a copy.
        ValueError, KeyError, …: one of `documents.FAULTS`; it is no token.
    """
    inode = documents.count(document["file"]["inode"])
    born_ns = documents.count_or_none(document["file"]["born_ns"])
    if document["machine"] != machine_name(paths):
        raise StateError(f"{paths.token} was made on another machine.")
    if inode != seal.inode or (born_ns is not None and born_ns != seal.born_ns):
        raise StateError(f"{paths.token} is a copy.")
    return Token(
        documents.text(document["arming"]),
        documents.text(document["boot"]),
        documents.instants(document["stopped"]),
        documents.instant_or_none(document["unwatched_at"]),
        None if born_ns is not None else changed_ns,
    )


def has_token(paths: Paths) -> bool:
    """Whether there is anything in the third place."""
    return files.exists(paths.spool)


def delete(paths: Paths) -> Optional[OSError]:
    """Take it away for good, with every hard link of it; return what failed if it is still there."""
    with contextlib.suppress(OSError):
        _empty_token_file(paths)
    try:
        _remove(paths)
    except OSError as error:
        return error if files.exists(paths.token) else None
    with contextlib.suppress(OSError):
        files.sync_folder(paths.spool.parent)
    return None


def _remove(paths: Paths) -> None:
    """First the one name (this is the release), then the folder; where that is a link, the link."""
    if paths.spool.is_symlink():
        files.remove(paths.spool)
        return
    if not paths.token.is_dir() or paths.token.is_symlink():
        files.remove(paths.token)
    if paths.spool.is_dir():
        shutil.rmtree(str(paths.spool))


def _empty_token_file(paths: Paths) -> None:
    """A backup by hard links holds the very file, so its content goes too."""
    if paths.spool.is_symlink():
        return
    descriptor = os.open(str(paths.token), os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def machine_name(paths: Paths) -> str:
    """A name of this machine that tells nobody its machine id.

    Source: machine-id(5), which asks not to show the id itself.
    """
    for path in paths.machine_ids:
        with contextlib.suppress(OSError, ValueError):
            found = path.read_text("ascii").strip()
            if found and found != "uninitialized":
                return hashlib.sha256(f"piquet {found}".encode("ascii")).hexdigest()
    return ""
