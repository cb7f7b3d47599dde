# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owners' statements do to ours: whose virtual host each stands in, between which sections, read when.

Judged over Apache's tree, in which every statement stands where the server reads it. Values in, values out.

Source: Apache 2.4, "How the sections are merged": `<If>` comes last; measured, inner ones come behind all outer ones,
and of the same depth one in a `<Location>`, as ours, behind all that are in none. Those of the server come before those
of a virtual host, in the order of reading.
"""

from __future__ import annotations

import re
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from piquet.host.servers.apache.hosts import ApacheHost, names_of
from piquet.host.servers.apache.tree import Read, Statement, walk
from piquet.protocol.http import TARGETED
from piquet.protocol.places import DROPIN

OUR_DEPTH = 3
"""So many `<If>`, one in another, are around what keeps our answers and pages with a banner from caches."""

_LIFETIMES = frozenset({"cache-control", "expires", "etag", "last-modified", *map(str.lower, TARGETED)})
_DECISIONS = frozenset({"if", "elseif", "else"})
_ADDRESSES = frozenset({"location", "locationmatch"})
_SUBSTITUTE = re.compile(r"(?:^|[\s;\"'])SUBSTITUTE(?:$|[\s;\"'])", re.I)
_HTML = re.compile(r"text/html *(?:;|$)|\$0")
_NO_STORE = re.compile(r"(?:^|[\s,])no-store(?:$|[\s,])")
_MEDIA = ("font/", "image/", "audio/", "video/")
"""Types that nobody gives to a page."""

Judge = Callable[[Read], bool]
Place = Tuple[str, int]
"""A file and a line of it."""


def behind(root: Statement, dropin_dir: Optional[str], includer: Optional[Place]) -> Iterator[Read]:
    """What wins over ours: in deeper `<If>`, or in as many within a `<Location>` that comes behind.

    Of the server level comes behind whatever does not certainly come before the place of our file.

    Args:
        root: the tree.
        dropin_dir: where our file is, or will be; None where that is unknown.
        includer: which line includes that folder.
    """
    reads = list(walk(root))
    first = _first_behind(reads, root, dropin_dir, includer)
    for number, read in enumerate(reads):
        depth = sum(section.name in _DECISIONS for section in read.around)
        is_late = number >= first or read.vhost is not None
        is_addressed = any(section.name in _ADDRESSES for section in read.around)
        if depth > OUR_DEPTH or (depth == OUR_DEPTH and is_late and is_addressed):
            yield read


def _first_behind(
    reads: List[Read], root: Statement, dropin_dir: Optional[str], includer: Optional[Place]
) -> int:
    """The number of the first statement that may come behind the place of our file.

    Once ours is there its own statements say where that is. Before, the place is behind the files of the folder whose
    names come first, and behind the lines of the including file in front of the include.
    """
    ours = next((n for n, row in enumerate(root.inner or ()) if row.is_ours), None)
    if ours is not None:
        before = {id(row) for row in (root.inner or ())[:ours]}
        return max(
            (n + 1 for n, read in enumerate(reads) if id(_outermost_section(read)) in before), default=0
        )
    return max(
        (n + 1 for n, read in enumerate(reads) if _is_before(read.row, dropin_dir, includer)), default=0
    )


def _outermost_section(read: Read) -> Statement:
    return read.vhost or (read.around[0] if read.around else read.row)


def _is_before(row: Statement, dropin_dir: Optional[str], includer: Optional[Place]) -> bool:
    """Whether a statement is certainly read before our file. The server reads a folder in the order of the bytes."""
    folder, _, name = row.file.rpartition("/")
    if folder == dropin_dir:
        return name < DROPIN
    return includer is not None and row.file == includer[0] and row.line < includer[1]


def users(reads: Iterable[Read], judge: Judge, hosts: Iterable[ApacheHost]) -> List[str]:
    """Names of virtual hosts with statements of some sort; `*` where one stands outside of all of them.

    Args:
        reads: what to judge.
        judge: whether a statement is of the sort.
        hosts: all of them.
    """
    meant = {id(read.vhost) if read.vhost else None for read in reads if judge(read)}
    return ["*"] if None in meant else names_of(list(hosts), lambda host: id(host.row) in meant)


def _is_open(row: Statement) -> bool:
    """Whether a macro's argument or a variable says which directive it is: only where the server told no tree."""
    return row.name.startswith("$")


def substitutes(read: Read) -> bool:
    """Whether a statement has mod_substitute act."""
    row = read.row
    return row.name.startswith("substitute") or bool(_SUBSTITUTE.search(row.args))


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
    words = [word.lower() for word in row.words] if row.name == "header" else []
    if words[:1] and words[0] in ("always", "onsuccess"):
        words.pop(0)
    if len(words) < 2 or words[0] in ("note", "echo"):
        return None
    action, name, *values = words
    value = values[1:2] if action.startswith("edit") else values[:1]
    return _Header(action, name.rstrip(":"), "".join(value))
