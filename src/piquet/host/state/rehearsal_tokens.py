# SPDX-License-Identifier: GPL-3.0-or-later
"""The pass of a rehearsal: a small file whose name is the secret, in a folder that nobody can list.

Servers show the strike to whoever has a cookie with that name, while the file is there. It lies in `/run`, which a
reboot empties, and says inside in which boot and when by the kernel's own clock it was made, so that a clock that is
set back cannot prolong it. Only `issue` makes one; links are never followed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from piquet.host.state import documents, store
from piquet.host.system import files, processes
from piquet.host.system.paths import Paths
from piquet.protocol.http import REHEARSAL_WORD

LIFE_S = 30 * 60
"""At most; it ends at a full minute, since that is when somebody looks."""

_MINUTE_S = 60
_SECRET_BYTES = 16
_NAME = re.compile(REHEARSAL_WORD + r"\Z")


class RehearsalToken(NamedTuple):
    """One that is good: which phase its holder sees, and when that ends, in epoch seconds."""

    name: str
    phase: int
    until: int


def issue(paths: Paths, phase: int, now: float) -> RehearsalToken:
    """Make a new one; then those before it are no good any more.

    Raises:
        OSError: it could not be made, or a folder of ours is somebody else's or a link.
    """
    for folder, mode in ((paths.run, 0o711), (paths.rehearse, 0o711)):
        files.make_own_folder(folder, mode)
    before = _names(paths)
    name = f"{phase}-{os.urandom(_SECRET_BYTES).hex()}{moments(int(now), until(int(now)))}"
    _write(paths, name, now)
    for other in before:
        _remove(paths.rehearse / other)
    return RehearsalToken(name, phase, until(int(now)))


def until(made_at: int) -> int:
    """The full minute at which a pass is over, in epoch seconds."""
    return (made_at + LIFE_S) // _MINUTE_S * _MINUTE_S


def moments(first: int, end: int) -> str:
    """The seconds from `first` up to `end`, a full ten, as a server can hold its clock against them by digits alone.

    A group for each thousand seconds: its digits, then each hundred of it that counts; last the tens of the hundred
    in which it ends. So nobody need be awake for a pass to end.
    """
    groups: Dict[int, str] = {}
    for hundred in range(first // 100, end // 100):
        groups[hundred // 10] = groups.get(hundred // 10, "") + str(hundred % 10)
    tens = "".join(map(str, range(end % 100 // 10)))
    last = f"_{end // 100:08d}{tens}" if tens else ""
    return "".join(f"-{thousand:07d}{hundreds}" for thousand, hundreds in groups.items()) + last


def current_token(paths: Paths, now: float) -> Optional[RehearsalToken]:
    """The one that is good, None if there is none."""
    return next((found for name in _names(paths) if (found := _good(paths, name, now))), None)


def are_there(paths: Paths) -> bool:
    """Whether there is anything to take away, good or not."""
    return _is_link(paths) or bool(_names(paths))


def sweep_tokens(paths: Paths, now: float) -> bool:
    """Take away all that is over, from another boot, from the future, or none of ours; tell whether there was any.

    Raises:
        OSError: it is still there.
    """
    if _is_link(paths):
        return clear(paths)
    over = [name for name in _names(paths) if _good(paths, name, now) is None]
    for name in over:
        _remove(paths.rehearse / name)
    return bool(over)


def clear(paths: Paths) -> bool:
    """Take all away; tell whether there was anything.

    Raises:
        OSError: something is still there.
    """
    if paths.run.is_symlink():
        return False
    if _is_link(paths):
        return files.remove(paths.rehearse)
    names = _names(paths)
    files.remove(files.temporary(paths.rehearse))
    for name in names:
        _remove(paths.rehearse / name)
    with contextlib.suppress(OSError):
        paths.rehearse.rmdir()
    return bool(names)


def _is_link(paths: Paths) -> bool:
    """Somebody has put a link in the place of our folder: the link is taken away, what it leads to is theirs."""
    return not paths.run.is_symlink() and paths.rehearse.is_symlink()


def _names(paths: Paths) -> List[str]:
    """What lies in the folder; nothing if that, or the one above, is a link."""
    if paths.run.is_symlink() or paths.rehearse.is_symlink():
        return []
    try:
        return sorted(path.name for path in paths.rehearse.iterdir())
    except OSError:
        return []


def _write(paths: Paths, name: str, now: float) -> None:
    """Beside the folder first, so that whoever finds it there finds it whole.

    Its time of change is our clock's; its text says boot and uptime, which are no secrets. Everybody may read it who
    knows its name: Lua in a server's worker can only see that a file is there by opening it.
    """
    temp, uptime_s = files.temporary(paths.rehearse), processes.uptime_s()
    lasts_s = until(int(now)) - now
    record = {"boot_id": store.boot_id(paths), "from_s": uptime_s, "until_s": uptime_s + lasts_s}
    files.remove(temp)
    descriptor = os.open(str(temp), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, store.encode(record))
        os.fchmod(descriptor, 0o644)
        os.utime(descriptor, (int(now), int(now)))
        temp.rename(paths.rehearse / name)
    except OSError:
        files.remove(temp)
        raise
    finally:
        os.close(descriptor)


def _good(paths: Paths, name: str, now: float) -> Optional[RehearsalToken]:
    """The pass of that name, if it is one and is not over by either clock."""
    if not _NAME.match(name):
        return None
    try:
        descriptor = os.open(str(paths.rehearse / name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            made_at = os.fstat(descriptor).st_mtime_ns // 10**9
            record = json.loads(os.read(descriptor, 4096).decode("ascii"))
        finally:
            os.close(descriptor)
        is_now = made_at <= now < until(made_at)
        is_this_boot = record["boot_id"] == store.boot_id(paths)
        is_yet = record["from_s"] <= processes.uptime_s() < record["until_s"]
    except (OSError, *documents.FAULTS):
        return None
    is_good = is_now and is_this_boot and is_yet
    return RehearsalToken(name, int(name.partition("-")[0]), until(made_at)) if is_good else None


def _remove(path: Path) -> None:
    """Take one name away, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path))
    else:
        files.remove(path)
