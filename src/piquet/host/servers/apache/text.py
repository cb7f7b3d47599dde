# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the texts of Apache's files tell, and the tree as far as they tell it where the server does not.

`DUMP_CONFIG` has none of what acts while it is read: which files are included from where, which modules are loaded
from which file, and which sections wait for one. Where it has nothing at all, `read` makes a tree of the texts: every
condition counts as open, macros as written where they are defined, and variables stay as they are. Text in, values out.
"""

from __future__ import annotations

import re
from typing import Callable, Iterable, Iterator, List, NamedTuple, Tuple

from piquet.host.servers.apache.tree import Statement, statement, statements_of

TextOf = Callable[[str], str]
Follow = Callable[[str], List[str]]
"""What an Include says → the files that it means, in the order of reading."""

_CONDITIONS = frozenset({"ifmodule", "ifdefine", "ifversion", "ifdirective", "iffile", "ifsection", "macro"})
_INCLUDES = ("include", "includeoptional")
_DEEPEST = 8
_TOLD = re.compile(
    r"^[ \t]*(?:LoadModule[ \t]+(\S+)[ \t]+(.+?)|<IfModule[ \t]+(.+?)[ \t]*>)[ \t\r]*$", re.I | re.M
)


class Loading(NamedTuple):
    """What files load, and wait for.

    Attributes:
        modules: name and file of each module that is loaded by a statement.
        awaited: modules for whose presence or absence some section waits, as `lua_module`, sorted.
    """

    modules: Tuple[Tuple[str, str], ...]
    awaited: Tuple[str, ...]


def loading(texts: Iterable[str]) -> Loading:
    """Look through files, each of them once."""
    found = [match.groups("") for text in texts for match in _TOLD.finditer(text.replace("\\\n", ""))]
    modules = tuple((name, path.strip("\"'")) for name, path, _ in found if name)
    waits = {word.strip("\"'!") for _, _, word in found if word}
    return Loading(modules, tuple(sorted(re.sub(r"^mod_(\w+)\.c$", r"\1_module", word) for word in waits)))


def server_includes(name: str, text_of: TextOf, follow: Follow, depth: int = 0) -> Iterator[Statement]:
    """Includes that stand in no section, those of a file before those of the files that it includes."""
    rows = [
        row
        for row in read_texts(name, text_of, _follow_nothing).inner or ()
        if row.name in _INCLUDES and row.words
    ]
    yield from rows
    for row in rows if depth < _DEEPEST else ():
        for included in follow(row.words[0]):
            yield from server_includes(included, text_of, follow, depth + 1)


def _follow_nothing(_: str) -> List[str]:
    return []


def read_texts(name: str, text_of: TextOf, follow: Follow) -> Statement:
    """The tree of a main file as its texts tell it, snippets in the place of their includes."""
    root = Statement("", "", name, 0, [])
    _read(name, root, text_of, follow, 0)
    return root


def _read(name: str, section: Statement, text_of: TextOf, follow: Follow, depth: int) -> None:
    around = [section]
    for number, line in _lines(text_of(name)):
        if line.split(None, 1)[0].strip("</>").lower() in _CONDITIONS:
            continue
        if line.startswith("</"):
            del around[max(1, len(around) - 1) :]
            continue
        row = statement(" ".join(line.split(None, 1)), name, number)
        statements_of(around[-1]).append(row)
        if row.inner is not None:
            around.append(row)
        elif row.name in _INCLUDES and row.words and depth < _DEEPEST:
            for included in follow(row.words[0]):
                _read(included, around[-1], text_of, follow, depth + 1)


def _lines(text: str) -> Iterator[Tuple[int, str]]:
    """Lines that say something, continued ones joined, with the number of their first."""
    start, joined = 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        start = start or number
        line = raw.rstrip("\r")
        if line.endswith("\\"):
            joined += line[:-1]
            continue
        stripped = (joined + line).strip()
        if stripped and not stripped.startswith("#"):
            yield start, stripped
        start, joined = 0, ""
