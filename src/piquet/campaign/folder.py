# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge: files below the campaign's folder, and none that a link leads out of it."""

from __future__ import annotations

import codecs
from math import ceil
from pathlib import Path

from piquet.errors import CampaignError, Problem

_MISSING = "give its path (to a playbook: -e piquet_campaign=PATH), or write an example there: piquet init"
_MIB = 1024 * 1024


class Folder:
    """The folder of one campaign; names are relative to it, with `/`."""

    def __init__(self, root: Path) -> None:
        """Nothing is read yet."""
        self.root = root

    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.root / name).is_file()

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder."""
        return (self.root / name).is_dir()

    def is_inside(self, name: str) -> bool:
        """Whether a file lies below the folder, symbolic links followed."""
        return (self.root / name).resolve().is_relative_to(self.root.resolve())

    def names(self, name: str) -> list[str]:
        """What lies in a folder, sorted."""
        return sorted(item.name for item in (self.root / name).iterdir())

    def size_bytes(self, name: str) -> int:
        """Length of a file."""
        return (self.root / name).stat().st_size

    def raw(self, name: str, max_bytes: int) -> bytes:
        """The bytes of a file, not more than `max_bytes` and one."""
        return read_bytes(self.root / name, name, max_bytes)

    def text(self, name: str, max_bytes: int, way: str = "") -> str:
        """The text of a file in UTF-8; `way` is what to do with one that is too long.

        Raises:
            CampaignError: if it cannot be read, is too long or is not UTF-8.
        """
        return read_text(self.root / name, name, max_bytes, way)


def read_bytes(file: Path, name: str, max_bytes: int) -> bytes:
    """The first bytes of a file, one more than `max_bytes` at most.

    Raises:
        CampaignError: if it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(max_bytes + 1)
    except OSError as err:
        hint = _MISSING if isinstance(err, FileNotFoundError) else ""
        reason = f"this file cannot be read: {err.strerror}"
        raise CampaignError("a file is missing", [Problem(name, 0, 0, reason, hint=hint)]) from err


def read_text(file: Path, name: str, max_bytes: int, way: str = "") -> str:
    """The text of a file in UTF-8, without the mark that some editors begin it with.

    Args:
        file: where it is.
        name: what it is called in messages.
        max_bytes: the longest that is read.
        way: what to do with one that is longer, "" where nothing is to be said.

    Raises:
        CampaignError: if it cannot be read, is too long or is not UTF-8.
    """
    raw = read_bytes(file, name, max_bytes)
    if len(raw) > max_bytes:
        expected, got = f"at most {shown_size(max_bytes)}", shown_size(file.stat().st_size)
        raise CampaignError("too long", [Problem(name, 0, 0, "the file is too long", expected, got, way)])
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as err:
        line = raw[: err.start].count(b"\n") + 1
        raise CampaignError(
            "not UTF-8", [Problem(name, line, 0, "this is not UTF-8", hint="save it as UTF-8")]
        ) from err


def shown_size(size_bytes: int) -> str:
    """A length as people read it, rounded up, so that what is over a limit is told as more."""
    if size_bytes < _MIB:
        return f"{ceil(size_bytes / 1024)} KiB"
    return f"{ceil(size_bytes * 10 / _MIB) / 10:g} MiB"
