# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owners' statements do to ours: whose virtual host each stands in, between which sections, read when.

`-t -D DUMP_INCLUDES` says which file is read from which line, so that every statement is judged where the server reads
it, once for each time. Text in, values out.

Source: Apache 2.4, "How the sections are merged": `<If>` comes last; measured, inner ones come behind all outer ones,
and of the same depth one in a `<Location>`, as ours, behind all that are in none. Those of the server come before those
of a virtual host, in the order of reading.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from piquet.host.apache_config import CONDITIONS, Statement, statements

DROPIN = "piquet.conf"
OUR_DEPTH = 3
"""So many `<If>`, one in another, are around what keeps our answers and pages with a banner from caches."""

TARGETED = (
    "cdn-cache-control", "cloudflare-cdn-cache-control", "netlify-cdn-cache-control", "vercel-cdn-cache-control",
    "surrogate-control", "edge-control", "x-accel-expires", "x-litespeed-cache-control",
)  # fmt: skip
"""The same as in the table of answers, which stays on the machine that rolls out."""

_LIFETIMES = frozenset({"cache-control", "expires", "etag", "last-modified", *TARGETED})
_DECISIONS = frozenset({"if", "elseif", "else"})
_ADDRESSES = frozenset({"location", "locationmatch"})
_MACRO, _LOST = "macro", "lost"
"""Around what some `Use` puts into its place, and around a file of which the server does not say who reads it."""
_HTML = re.compile(r"text/html *(?:;|$)|\$0")
_NO_STORE = re.compile(r"(?:^|[\s,])no-store(?:$|[\s,])")
_MEDIA = ("font/", "image/", "audio/", "video/")
"""Types that nobody gives to a page."""
_INCLUDES = ("include", "includeoptional")

Place = Tuple[str, int]


class Read(NamedTuple):
    """One statement where the server reads it.

    Attributes:
        row: the statement.
        file: where it stands.
        sections: names of those around it, conditions not among them; a macro is one.
        vhost: file and line of the virtual host around it.
    """

    row: Statement
    file: str
    sections: Tuple[str, ...]
    vhost: Optional[Place]

    @property
    def is_ours(self) -> bool:
        """Whether it stands in a file of ours."""
        return "/etc/piquet/" in self.file

    @property
    def depth(self) -> int:
        """How many `<If>` are around it."""
        return sum(name in _DECISIONS for name in self.sections)

    @property
    def is_in_macro(self) -> bool:
        """Whether it stands where some `Use` puts it, or may."""
        return bool({_MACRO, _LOST}.intersection(self.sections))

    @property
    def is_addressed(self) -> bool:
        """Whether a `<Location>` is around it, or may be."""
        return self.is_in_macro or bool(_ADDRESSES.intersection(self.sections))


Judge = Callable[[Read], bool]
RowsOf = Callable[[str], List[Statement]]


@dataclass
class _File:
    """A file that the server reads, with the files that it reads from there."""

    name: str
    line: int
    inner: List[_File] = field(default_factory=list)


def read_in_order(dump: str, text_of: Callable[[str], str]) -> Iterator[Read]:
    """Statements that tell something, in the order of reading, included files in the place of their includes.

    Args:
        dump: what `-t -D DUMP_INCLUDES` prints; by its indent it says who reads a file, and in which line.
        text_of: the text of a file.
    """
    known: Dict[str, List[Statement]] = {}

    def rows_of(name: str) -> List[Statement]:
        return known[name] if name in known else known.setdefault(name, list(statements(text_of(name))))

    for file in _files(dump):
        yield from (read for read in _read(file, rows_of, (), None) if _is_telling(read.row))


def _is_telling(row: Statement) -> bool:
    is_known = row.name in ("header", "cachestorenostore", "expiresactive", "use", *_INCLUDES)
    return is_known or _is_open(row) or _substitutes(row)


def _is_open(row: Statement) -> bool:
    """Whether a macro's argument or a variable says which directive it is."""
    return row.name.startswith("$")


def _files(dump: str) -> List[_File]:
    """The tree that the dump shows; a file's line is the last one of the directive that includes it."""
    top: List[_File] = []
    around: List[Tuple[int, _File]] = []
    for indent, line, name in re.findall(r"^( *)\(([*\d]+)\) (/.*)$", dump, re.MULTILINE):
        file = _File(name, int(line) if line.isdigit() else 0)
        while around and around[-1][0] >= len(indent):
            around.pop()
        (around[-1][1].inner if around else top).append(file)
        around.append((len(indent), file))
    return top


def _read(file: _File, rows_of: RowsOf, sections: Tuple[str, ...], vhost: Optional[Place]) -> Iterator[Read]:
    rows = rows_of(file.name)
    inner = _by_statement(file, rows)
    for lost in inner.get(-1, []):
        yield from _read(lost, rows_of, (*sections, _LOST), None)
    for number, row in enumerate(rows):
        if row.name == "<virtualhost":
            vhost = (file.name, row.line)
        elif row.name == "</virtualhost>":
            vhost = None
        elif row.name.startswith("<"):
            sections = _around(row.name, sections)
        yield Read(row, file.name, sections, vhost)
        for included in inner.get(number, []):
            yield from _read(included, rows_of, sections, vhost)


def _by_statement(file: _File, rows: List[Statement]) -> Dict[int, List[_File]]:
    """Included files by the number of their statement; -1 where none is there: a macro's lines are its own."""
    found: Dict[int, List[_File]] = {}
    lines = [row.line for row in rows]
    for included in file.inner:
        number = bisect_right(lines, included.line) - 1
        is_known = number >= 0 and rows[number].name in _INCLUDES
        found.setdefault(number if is_known else -1, []).append(included)
    return found


def _around(name: str, sections: Tuple[str, ...]) -> Tuple[str, ...]:
    """The sections behind a line that opens or closes one."""
    kind = name.strip("</>")
    if kind in CONDITIONS and kind != _MACRO:
        return sections
    return sections[:-1] if name.startswith("</") else (*sections, kind)


def behind(reads: Iterable[Read], root: str, dropin_dir: Optional[str]) -> Iterator[Read]:
    """What wins over ours: in deeper `<If>`, or in as many within a `<Location>` that comes behind.

    Of the server level comes behind what is read after the place of our file. A macro stands where it is used: what is
    around it counts as the most that is around any `Use`, and where a macro uses another one nobody knows.

    Args:
        reads: all of them.
        root: what relative names refer to.
        dropin_dir: where our file is, or will be.
    """
    known = list(reads)
    uses = [read for read in known if read.row.name == "use"]
    is_nested = any(_MACRO in read.sections for read in uses)
    around = OUR_DEPTH if is_nested else max((read.depth for read in uses), default=0)
    includer, is_behind = "", dropin_dir is None
    for read in known:
        is_ours_next = _is_later(read.file, dropin_dir) or read.file == includer
        is_behind = is_behind or (bool(includer) and is_ours_next)
        is_later = is_behind or read.vhost is not None or read.is_in_macro
        depth = read.depth + (around if read.is_in_macro else 0)
        if depth > OUR_DEPTH or (depth == OUR_DEPTH and is_later and read.is_addressed):
            yield read
        if not includer and _names_folder(read.row, root, dropin_dir):
            includer = read.file


def _is_later(file: str, dropin_dir: Optional[str]) -> bool:
    """Whether a file of the folder is ours, or read after ours. The server reads them in the order of their bytes."""
    path = PurePosixPath(file)
    return str(path.parent) == dropin_dir and path.name >= DROPIN


def _names_folder(row: Statement, root: str, folder: Optional[str]) -> bool:
    is_include = row.name in _INCLUDES and row.words and row.words[0].endswith("*.conf")
    return bool(is_include) and str((PurePosixPath(root) / row.words[0]).parent) == folder


def users(reads: Iterable[Read], judge: Judge, vhosts: Iterable[Mapping[str, Any]]) -> List[str]:
    """Names of virtual hosts with statements of some sort; `*` where one stands outside of all that are known.

    Args:
        reads: what to judge.
        judge: whether a statement is of the sort.
        vhosts: as the survey writes them.
    """
    listed = list(vhosts)
    places = {read.vhost for read in reads if not read.is_ours and judge(read)}
    known: Set[Optional[Place]] = {(vhost["file"], vhost["line"]) for vhost in listed}
    if places - known:
        return ["*"]
    return sorted({n for v in listed if (v["file"], v["line"]) in places for n in v["names"]})


def substitutes(read: Read) -> bool:
    """Whether a statement has mod_substitute act."""
    return _substitutes(read.row)


def _substitutes(row: Statement) -> bool:
    words = {part for word in row.words for part in word.upper().split(";")}
    return row.name.startswith("substitute") or "SUBSTITUTE" in words


def stores_no_store(read: Read) -> bool:
    """Whether a statement has mod_cache store what it is asked not to store."""
    row = read.row
    return _is_open(row) or (row.name == "cachestorenostore" and _is_on(row))


def _is_on(row: Statement) -> bool:
    """Whether a switch is on, or may be: what a variable says nobody knows."""
    return bool(row.words) and row.words[0].lower() != "off"


def says_lifetime(read: Read) -> bool:
    """Whether a statement says how long an answer is kept, or takes off what we say of it, or may."""
    if _is_open(read.row) or (read.row.name == "expiresactive" and _is_on(read.row)):
        return True
    header = _header(read.row)
    if header is None or not (header.name in _LIFETIMES or "$" in header.name):
        return False
    if header.action == "unset":
        return header.name == "cache-control"
    is_zero = header.name != "cache-control" and header.value in ("0", "-1")
    is_expression = header.value.startswith("expr=")
    return is_expression or not (is_zero or _NO_STORE.search(header.value))


def retypes(read: Read) -> bool:
    """Whether a statement may make something else of a page, after the banner is in it."""
    header = _header(read.row)
    if header is None or header.name != "content-type":
        return False
    is_whole = header.action.startswith(("set", "edit"))
    return not (is_whole and (_HTML.match(header.value) or header.value.startswith(_MEDIA)))


class _Header(NamedTuple):
    """A `Header` statement, in small letters; its value is what it leaves."""

    action: str
    name: str
    value: str


def _header(row: Statement) -> Optional[_Header]:
    """Read one, None for any other statement and for those that change nothing of the answer."""
    words = [word.lower() for word in row.words]
    if words[:1] and words[0] in ("always", "onsuccess"):
        words.pop(0)
    if row.name != "header" or len(words) < 2 or words[0] in ("note", "echo"):
        return None
    action, name, *values = words
    value = values[1:2] if action.startswith("edit") else values[:1]
    return _Header(action, name.rstrip(":"), "".join(value))
