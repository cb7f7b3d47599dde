# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the agent's three places, as backups hold them, and how they come back: never as the very same files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ETC, LIB = "etc/piquet", "var/lib/piquet"
PLACES = (ETC, LIB, "var/spool/piquet")
TOGETHER: Sequence[tuple[str, ...]] = (
    ("var/lib/piquet",), ("var/spool/piquet",), ("etc/piquet",), ("var/lib/piquet", "var/spool/piquet"),
    ("etc/piquet", "var/lib/piquet"), ("etc/piquet", "var/spool/piquet"), PLACES, PLACES, ("armed.json",),
)  # fmt: skip
"""What is restored: any of the places, any of them together, or the one file that counts most."""
WAYS = ("copy", "tar", "in place")
_ARMED = "var/lib/piquet/armed.json"


def save(root: Path, into: Path) -> None:
    """Keep what is there of the three places."""
    shutil.rmtree(into, ignore_errors=True)
    for place in PLACES:
        if (root / place).is_dir():
            shutil.copytree(root / place, into / place, symlinks=True)


def bring_back(saved: Path, root: Path, places: Sequence[str], way: str) -> None:
    """Restore; what the copy does not have is not there afterwards, but in place nothing is deleted."""
    if places == ("armed.json",):
        if (saved / _ARMED).is_file() and (root / _ARMED).parent.is_dir():
            shutil.copy2(saved / _ARMED, root / _ARMED)
        return
    for place in places:
        if way != "in place":
            shutil.rmtree(root / place, ignore_errors=True)
        if (saved / place).is_dir():
            _BY[way](saved / place, root / place)


def _copied(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)


def _unpacked(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    packed = subprocess.run(["tar", "-C", source, "-cf", "-", "."], check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-C", target, "-xpf", "-"], check=True, input=packed.stdout)


def _in_place(source: Path, target: Path) -> None:
    """The bytes go into the files that are there, which keep their inodes and births."""
    for path in [source, *sorted(source.rglob("*"))]:
        there = target / path.relative_to(source)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        else:
            there.write_bytes(path.read_bytes())
        there.chmod(path.stat().st_mode & 0o7777)


_BY = {"copy": _copied, "tar": _unpacked, "in place": _in_place}
