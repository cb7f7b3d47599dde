# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb hands back, and what it was asked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from piquet.host.system import files
from piquet.host.system.files import Change
from piquet.protocol.findings import Finding, errors

_MAX_SHOWN_BYTES = 200_000


@dataclass(frozen=True)
class Request:
    """One call of a verb.

    Attributes:
        verb: which.
        is_check: say what would change, write nothing.
        wants_diff: add texts before and after.
        at: the controller's epoch seconds, None for a call at the machine.
        host: the name in the controller's inventory.
        options: what is special to the verb.
        members: files that came along, by name.
    """

    verb: str
    is_check: bool = False
    wants_diff: bool = False
    at: Optional[float] = None
    host: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What happened, in one sentence, with every reason."""

    is_changed: bool
    message: str
    findings: Tuple[Finding, ...] = ()
    diff: Tuple[Dict[str, Optional[str]], ...] = ()
    survey: Optional[Dict[str, Any]] = None
    rehearsal: Optional[Dict[str, Any]] = None

    @property
    def is_ok(self) -> bool:
        """Whether nothing stopped the verb."""
        return not errors(self.findings)


def texts_before_and_after(changes: Iterable[Change]) -> Tuple[Dict[str, Optional[str]], ...]:
    """Texts before and after, for people; what is not public on the host is shown by its digest only."""
    return tuple(
        {"path": str(c.path), "before": _text_before(c.path, c.mode), "after": _text_after(c)}
        for c in changes
    )


def pending(changes: Sequence[Change]) -> List[Change]:
    """Those that are not done yet."""
    return [change for change in changes if not files.is_done(change)]


def _text_before(path: Path, mode: Optional[int]) -> Optional[str]:
    if path.is_symlink():
        return f"link to {os.readlink(str(path))}\n"
    return _shown_text(path.read_bytes(), mode) if path.is_file() else None


def _text_after(change: Change) -> Optional[str]:
    if change.kind == files.LINK:
        return f"link to {change.target}\n"
    return _shown_text(change.data, change.mode) if change.kind == files.FILE else None


def _shown_text(data: bytes, mode: Optional[int]) -> str:
    """The text, or what can be said about bytes that are no text, too long, or private."""
    is_private = mode is not None and not mode & 0o004
    if not is_private and len(data) <= _MAX_SHOWN_BYTES and b"\0" not in data:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return f"({len(data)} bytes, sha256 {files.sha256(data)})\n"
