# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's configuration as Apache understood it: what `-t -D DUMP_CONFIG` prints, as nested statements.

Variables are replaced, macros expanded, includes in their place, sections of absent modules left out. Not in it: what
acts while it is read (`Define`, `LoadModule`, `Include`, `<IfModule>`), any `.htaccess`, and merging: what a virtual
host takes over from the server level is worked out by who asks (`Place.said`). Text in, values out; no file, no
process.

Source: Apache 2.4 modules/generators/mod_info.c: each statement stands behind a comment with its line and its indent;
a section without content has no closing line.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from piquet.protocol.places import ETC

_IN_FILE = "# In file: "
_PLACE = re.compile(r"((?:  )*)# *(\d+):")
_USED = re.compile(r'.*used on line (\d+) of "(.*?)"*$')
_WORD = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S+""")


class TreeError(ValueError):
    """What the server printed is no tree; the message is the first line that is none of it."""


class Statement:
    """One directive, or one section with what stands in it.

    Attributes:
        name: in lower case, of a section without its `<`.
        args: as the server understood them, of a section without its `>`.
        file: where it stands, or by the server's words which macro put it there, used where.
        line: in that file or macro.
        inner: statements of a section; None for a directive.
    """

    __slots__ = ("args", "file", "inner", "line", "name")

    def __init__(self, name: str, args: str, file: str, line: int, inner: Optional[List[Statement]]) -> None:
        """As it was read."""
        self.name, self.args, self.file, self.line, self.inner = name, args, file, line, inner

    @property
    def words(self) -> Tuple[str, ...]:
        """The arguments, quotes taken off."""
        return tuple(map(_unquoted_word, _WORD.findall(self.args)))

    @property
    def first(self) -> str:
        """The first argument in lower case, "" if there is none."""
        match = _WORD.search(self.args)
        return _unquoted_word(match.group()).lower() if match else ""

    @property
    def place(self) -> Tuple[str, int]:
        """File and line; of what a macro put there, where it is used at last."""
        used = _USED.match(self.file) if self.file.startswith("macro '") else None
        return (used.group(2), int(used.group(1))) if used else (self.file, self.line)

    @property
    def is_ours(self) -> bool:
        """Whether it stands in a file of ours."""
        return f"{ETC}/" in self.file

    def level(self) -> Dict[str, List[Statement]]:
        """Directives that stand here and in no section of this one, by name, in their order; ours left out."""
        found: Dict[str, List[Statement]] = {}
        for row in self.inner or ():
            if row.inner is None and not row.is_ours:
                found.setdefault(row.name, []).append(row)
        return found

    def sections(self, name: str) -> List[Statement]:
        """Sections of a name that stand right in this one."""
        return [row for row in self.inner or () if row.inner is not None and row.name == name]


class Read(NamedTuple):
    """One statement with the sections around it, the outermost first; the virtual host is none of these."""

    row: Statement
    around: Tuple[Statement, ...]
    vhost: Optional[Statement]


def walk(root: Statement) -> Iterator[Read]:
    """Every statement of others in the order of reading."""
    yield from _walk(root, (), None)


def _walk(section: Statement, around: Tuple[Statement, ...], vhost: Optional[Statement]) -> Iterator[Read]:
    for row in section.inner or ():
        if row.is_ours:
            continue
        yield Read(row, around, vhost)
        if row.inner is None:
            continue
        is_host = row.name == "virtualhost"
        yield from _walk(row, around if is_host else (*around, row), row if is_host else vhost)


def parse_tree(text: str) -> Statement:
    """Read the tree; it hangs on a statement without a name.

    Raises:
        TreeError: some line is none of a tree's, or there is no statement at all.
    """
    root = Statement("", "", "", 0, [])
    open_sections = [root]
    lines = iter(text[max(0, text.find(_IN_FILE)) :].split("\n"))
    file = ""
    for line in lines:
        if line.startswith(_IN_FILE):
            file = line[len(_IN_FILE) :]
            continue
        place = _PLACE.fullmatch(line)
        if place is None:
            if line and not line.lstrip(" ").startswith("</"):
                raise TreeError(line[:200])
            continue
        depth = len(place.group(1)) // 2
        if depth >= len(open_sections):
            raise TreeError(line[:200])
        del open_sections[depth + 1 :]
        row = statement(next(lines, "")[2 * depth :], file, int(place.group(2)))
        statements_of(open_sections[-1]).append(row)
        if row.inner is not None:
            open_sections.append(row)
    if not root.inner:
        raise TreeError(text[:200])
    return root


def statement(line: str, file: str, number: int) -> Statement:
    """One line of a configuration, without blanks around it."""
    name, _, args = line.partition(" ")
    if not name.startswith("<"):
        return Statement(name.lower(), args, file, number, None)
    bare = args.rstrip()
    return Statement(
        name[1:].rstrip(">").lower(), bare[:-1] if bare.endswith(">") else bare, file, number, []
    )


def statements_of(section: Statement) -> List[Statement]:
    """The statements of a section.

    Raises:
        TreeError: it is none.
    """
    if section.inner is None:
        raise TreeError(section.name)
    return section.inner


def _unquoted_word(word: str) -> str:
    is_quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'"
    return re.sub(rf"\\({word[0]})", r"\1", word[1:-1]) if is_quoted else word
