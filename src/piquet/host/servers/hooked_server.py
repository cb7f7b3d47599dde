# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server whose virtual hosts need a line of ours: what hooking asks of it, and the one that is not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from piquet.host.servers.web_server import WebServer
from piquet.protocol.findings import Finding


class NotHookableError(ValueError):
    """Our line cannot be put into a file as it is."""


@dataclass(frozen=True)
class HookedBlock:
    """One virtual host of it.

    Attributes:
        file: with symlinks resolved.
        line: where it begins, 1-based.
        names: host names and `*.` wildcards, lower case.
        hooked: `ours`, `owner` or None.
        before_hook: names of directives that act before a misplaced hook.
    """

    file: Path
    line: int
    names: Tuple[str, ...]
    hooked: Optional[str]
    before_hook: Tuple[str, ...]

    @property
    def target(self) -> Optional[Mapping[str, Any]]:
        """Where it can be asked for its first name, as a manifest's `probe` says; None if nowhere."""
        return None

    @property
    def kept_in(self) -> Optional[Path]:
        """A file of our own by which the hook outlives that its own file is written anew; None where there is none."""
        return None

    @property
    def is_late(self) -> bool:
        """Whether our line is in it and something has come to stand before it, which wins."""
        return self.hooked == "ours" and bool(self.before_hook)


@dataclass
class HookedFiles:
    """What it reads.

    Attributes:
        files: bytes of every file, by real path.
        contexts: what a file with virtual hosts is part of, by real path, as the server itself knows it.
        findings: of reading.
    """

    files: Dict[Path, bytes] = field(default_factory=dict)
    contexts: Dict[Path, str] = field(default_factory=dict)
    findings: List[Finding] = field(default_factory=list)


class HookedServer(WebServer):
    """Such a server."""

    def configuration(self) -> HookedFiles:
        """Its files as they are; read once until `forget`."""
        return HookedFiles()

    def blocks(self) -> Sequence[HookedBlock]:
        """Its virtual hosts."""
        return ()

    def flag_lag_s(self) -> int:
        """For how long some of them may go on seeing a flag that is gone; 0 where all ask every time."""
        return 0

    def with_hook(self, file: Path) -> bytes:
        """The text of a file that it reads, with our line first in each virtual host.

        Raises:
            NotHookableError: remains of a hook are in the way.
        """
        raise NotHookableError("there is no such server")

    def own_files(self, file: Path) -> Mapping[Path, Optional[bytes]]:
        """Files of our own that bring the line into virtual hosts of a file: what they hold, None for no such file."""
        return {}

    def is_own_file(self, path: Path) -> bool:
        """Whether a file that holds nothing but our line is one of these."""
        return False

    def without_hook(self, text: bytes) -> bytes:
        """A text without any line of ours; all other bytes stay."""
        return text

    def has_hook(self, text: bytes) -> bool:
        """Whether a line of ours is anywhere in a text."""
        return False

    def serving(self, names: Set[str]) -> List[HookedBlock]:
        """Blocks that serve one of the names (wildcards as they are written)."""
        return [block for block in self.blocks() if names.intersection(block.names)]
