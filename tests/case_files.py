# SPDX-License-Identifier: GPL-3.0-or-later
"""A case in one file, input and expectation together: text, cut by lines `-- NAME --`, one for each file of the case.

What stands above the first cut is for whoever reads it, `key: value` a line. Content that is no plain text stands in
base64 behind `-- NAME base64 --`; a link is `-- NAME -> TARGET --`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path

_CUT = re.compile(rb"^-- (?P<name>[^\n]+?)(?: -> (?P<target>[^\n]+?)| (?P<is_coded>base64))? --\n", re.M)
_PLAIN = re.compile(rb"(?:[^\x00-\x08\x0b-\x1f\x7f]*\n)?")
EXPECTED = "expected"


@dataclass
class CaseFile:
    """What a file of a case holds.

    Attributes:
        path: of the file.
        head: key → value.
        files: name → content.
        links: name → what the link points to.
    """

    path: Path
    head: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the case."""
        return self.path.stem

    @property
    def expected(self) -> str:
        """The answer that it must get."""
        return self.files[EXPECTED].decode()

    def expect(self, text: str) -> None:
        """Write another answer down."""
        self.files[EXPECTED] = text.encode()
        self.path.write_bytes(self.to_bytes())

    def write_to(self, folder: Path) -> None:
        """Make its files below a folder; they take the place of what is there."""
        for name, content in self.files.items():
            if name != EXPECTED:
                path = _made(folder / name)
                path.write_bytes(content)
        for name, target in self.links.items():
            _made(folder / name).symlink_to(target)

    def to_bytes(self) -> bytes:
        """The file itself; what is expected comes last."""
        parts = ["".join(f"{key}: {value}\n" for key, value in self.head.items()).encode()]
        parts += [f"-- {name} -> {target} --\n".encode() for name, target in sorted(self.links.items())]
        for name, content in sorted(self.files.items(), key=lambda pair: (pair[0] == EXPECTED, pair[0])):
            parts.append(_part(name, content))
        return b"".join(parts)


def read_case(path: Path) -> CaseFile:
    """Read a case."""
    data = path.read_bytes()
    cuts = [*_CUT.finditer(data)]
    case = CaseFile(path)
    for line in data[: cuts[0].start()].decode().splitlines():
        key, _, value = line.partition(": ")
        case.head[key] = value
    for cut, end in zip(cuts, [*(cut.start() for cut in cuts[1:]), len(data)], strict=True):
        name, content = cut["name"].decode(), data[cut.end() : end]
        if cut["target"]:
            case.links[name] = cut["target"].decode()
        else:
            case.files[name] = base64.b64decode(content) if cut["is_coded"] else content
    return case


def _part(name: str, content: bytes) -> bytes:
    try:
        is_plain = bool(_PLAIN.fullmatch(content.decode().encode())) and not _CUT.search(content)
    except UnicodeDecodeError:
        is_plain = False
    if is_plain:
        return f"-- {name} --\n".encode() + content
    return f"-- {name} base64 --\n".encode() + base64.encodebytes(content)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path
