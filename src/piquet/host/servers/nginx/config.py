# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration as the files hold it: includes followed, each file once, server blocks with their bytes.

`nginx -T` prints texts that are not the files' bytes and gives no offsets, so the files themselves are read. Includes
are globs relative to the folder of nginx.conf; symlinks are resolved, since the file behind them is what a hook must
change. Snippets included inside a server block are read for names and listens as if they stood there.

Source: nginx documentation, core module, `include`; ngx_http_core_module, `listen` and `server_name`.
"""

from __future__ import annotations

import fnmatch
import functools
import glob
import os
import re
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple

from piquet.host.servers.hooked_server import HookedBlock, HookedFiles
from piquet.host.servers.nginx import hook_line, panels
from piquet.host.servers.nginx.inherited import Placed
from piquet.host.servers.nginx.panels import Panel
from piquet.host.servers.nginx.tokens import ConfigSyntaxError, Directive, ServerBlock, parse_directives
from piquet.protocol.findings import Finding

_HOST_NAME = re.compile(r"^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
_ADDRESS = re.compile(r"^(?:(?P<address>\[[^]]*\]|[^:]*):)?(?P<first>\d+)(?:-(?P<last>\d+))?$")
_MAX_PORTS = 64
_NOTED = frozenset({"proxy_cache", "fastcgi_cache", "uwsgi_cache", "scgi_cache"})
_OWN = re.compile(
    r"(server_rewrite_by_lua|header_filter_by_lua|body_filter_by_lua|sub_filter|sub_filter_last_modified|expires"
    r"|add_before_body|add_after_body|gzip_vary|more_set_input_headers|more_clear_input_headers"
    r"|subs_filter|limit_rate|add_trailer)(?:_block|_file)?$"
)
"""Directives that take the place of ours, or ours theirs, in the block where they stand."""
_TELLING = frozenset({"add_header", "more_set_headers"})
_SETTING = frozenset({"more_set_headers", "more_clear_headers"})
_TO_CACHES = re.compile(r"(?:[a-z-]+-)?cache-control|surrogate-control|edge-control|x-accel-expires")
"""Headers, in lower case, by which caches are told how long to keep an answer."""
_OURS = (
    "content-language",
    "content-type",
    "etag",
    "last-modified",
    "retry-after",
    "x-piquet",
    "x-robots-tag",
)
"""Headers, in lower case, that our answers have, or must not have, besides those that caches are told by."""
_VARY = "vary"
"""Whatever it says: beside it, the star of our own is overlooked by some caches."""
_LIFETIME = re.compile(r"\$|[1-9]")
"""In the value of one: a number of seconds that is not zero, or nobody knows."""
EVERY_IPV4 = "0.0.0.0"  # noqa: S104 - what a survey writes for every IPv4 address


@dataclass(frozen=True)
class BlockListen:
    """One address that a block answers at.

    Attributes:
        address: 0.0.0.0 or :: for all.
        port: TCP.
        tls: whether it speaks TLS.
        is_default: whether the block answers there for names that nobody serves.
        proxy_protocol: a client must say first for whom it connects.
        is_dual: of `::`, whether its socket takes IPv4, too.
    """

    address: str
    port: int
    tls: bool
    is_default: bool
    proxy_protocol: bool = False
    is_dual: bool = False


@dataclass(frozen=True)
class PanelPlace:
    """Where a panel includes files of its owner's in a server block.

    Attributes:
        panel: whose.
        glob: as the block says it.
        file: of ours, there or not, in its folder with symlinks resolved.
        before: names of directives that act before it.
    """

    panel: Panel
    glob: str
    file: Path
    before: Tuple[str, ...]


@dataclass(frozen=True)
class Block(HookedBlock):
    """One server block of http.

    Attributes:
        offset: of the byte after its brace.
        others: names that no campaign can select (regular expressions, `www.*`).
        listens: TCP addresses.
        directives: what stands in it, snippets in the place of their includes, with the file of each.
        via: the include by which the hook comes in from another file; "" where it stands in the block itself.
        place: where a panel has the owner write for this block.
        quic: addresses of UDP at which it answers over HTTP/3, as configured.
    """

    offset: int
    others: Tuple[str, ...]
    listens: Tuple[BlockListen, ...]
    directives: Tuple[Placed, ...] = ()
    via: str = ""
    place: Optional[PanelPlace] = None
    quic: Tuple[str, ...] = ()

    @property
    def kept_in(self) -> Optional[Path]:
        """Our file in a panel's place, unless something acts before that."""
        return self.place.file if self.place and not self.place.before else None

    @property
    def target(self) -> Optional[Mapping[str, Any]]:
        """Its plainest socket, for its first name; no name below a wildcard is known to be its own."""
        if not self.listens or not self.names or self.names[0].startswith("*."):
            return None
        best = min(self.listens, key=lambda one: (one.proxy_protocol, one.tls, one.port, one.address))
        return {
            "address": best.address,
            "port": best.port,
            "tls": best.tls,
            "host": self.names[0],
            "proxy_protocol": best.proxy_protocol,
        }


@dataclass
class Configuration(HookedFiles):
    """What was read; a file's context is `main` or `http`.

    Attributes:
        blocks: server blocks in the order of reading.
        main: directives at the top, includes replaced by what they hold.
        http: directives of http, without server blocks, with the file that each came from.
        includes: globs included at http level, made absolute.
        inner: directives inside server blocks (any depth) as (name, arguments), for the caches.
        parsed: what each file says, by real path.
        own: directives of server blocks that decide what ours can do there, with `server` or `location` in front;
            of those that set headers only what tells caches to keep answers: `server add_header:cache-control`.
    """

    blocks: List[Block] = field(default_factory=list)
    main: List[Directive] = field(default_factory=list)
    http: List[Tuple[Path, Directive]] = field(default_factory=list)
    includes: List[str] = field(default_factory=list)
    inner: Dict[str, List[Tuple[str, ...]]] = field(default_factory=dict)
    parsed: Dict[Path, Tuple[Directive, ...]] = field(default_factory=dict)
    own: Set[str] = field(default_factory=set)

    def known(self) -> Parsed:
        """What a later reading need not parse again."""
        return {path: (self.files[path], said) for path, said in self.parsed.items() if path in self.files}


Parsed = Dict[Path, Tuple[bytes, Tuple[Directive, ...]]]
"""What files held, by real path, and what that says."""


def read_configuration(
    conf: Path,
    include: str = hook_line.INCLUDE,
    there: Tuple[Panel, ...] = (),
    known: Optional[Parsed] = None,
) -> Configuration:
    """Read nginx.conf and all that it includes; faults become findings, reading goes on.

    Args:
        conf: nginx.conf.
        include: of the hook line.
        there: panels of this machine.
        known: of an earlier reading, emptied here: every file is read, and only those with other bytes are parsed.
    """
    reader = _Reader(conf, include, there, {} if known is None else known)
    reader.file(conf, "main")
    reader.configuration.blocks = _sharing_sockets(reader.configuration.blocks)
    return reader.configuration


class _Reader:
    """Follows includes and remembers every parsed file."""

    def __init__(self, conf: Path, include: str, there: Tuple[Panel, ...], known: Parsed) -> None:
        self.folder = conf.parent
        self.panels = there
        self.include = include
        self.known = known
        self.configuration = Configuration()
        self.parsed = self.configuration.parsed
        self.folders: Dict[Path, Path] = {}
        self.visited: Set[Tuple[Path, str]] = set()
        self.began_in: Dict[Path, str] = {}

    def file(self, path: Path, context: str) -> None:
        """Read a file included in `main` or `http`, unless it was already."""
        real = self.real(path)
        if (real, context) not in self.visited:
            self.visited.add((real, context))
            self.began_in.setdefault(real, context)
            self.directives(self.load(real), real, context)

    def real(self, path: Path) -> Path:
        """Where a file really lies; its folder, which it shares with thousands, is looked up once."""
        if path.is_symlink():
            return Path(os.path.realpath(str(path)))
        if path.parent not in self.folders:
            self.folders[path.parent] = Path(os.path.realpath(str(path.parent)))
        return self.folders[path.parent] / path.name

    def load(self, real: Path) -> Tuple[Directive, ...]:
        """The file's directives; none if it cannot be read."""
        if real not in self.parsed:
            self.parsed[real] = ()
            try:
                text = real.read_bytes()
                self.configuration.files[real] = text
                before, said = self.known.pop(real, (None, ()))
                self.parsed[real] = said if before == text else parse_directives(text)
            except (OSError, ConfigSyntaxError) as error:
                message = "This part of nginx's configuration cannot be read."
                self.configuration.findings.append(
                    Finding("error", "nginx-unreadable", str(real), message, got=str(error))
                )
        return self.parsed[real]

    def directives(self, directives: Iterable[Directive], real: Path, context: str) -> None:
        """Sort directives into main, http and server blocks."""
        for directive in directives:
            if directive.name == "include" and directive.arguments:
                self.included(directive.arguments[0], context)
            elif context == "main" and directive.name == "http":
                self.directives(directive.children, real, "http")
            elif context == "http" and directive.name == "server" and directive.body is not None:
                self.configuration.contexts[real] = self.began_in[real]
                self.configuration.blocks.append(self.block(ServerBlock(directive, directive.body), real))
            elif context == "main":
                self.configuration.main.append(directive)
            else:
                self.configuration.http.append((real, directive))

    def included(self, pattern: str, context: str) -> None:
        """Follow an include in main or http."""
        if context == "http":
            self.configuration.includes.append(self.absolute(pattern))
        for path in self.matches(pattern):
            self.file(path, context)

    def absolute(self, pattern: str) -> str:
        return str(self.folder / pattern)

    def matches(self, pattern: str) -> List[Path]:
        """Files that a glob names, sorted as nginx sorts them."""
        names = sorted(glob.glob(self.absolute(pattern)))  # noqa: PTH207 - the pattern may be absolute
        return [Path(name) for name in names]

    def inside(self, directives: Iterable[Directive], real: Path, depth: int = 0) -> Iterator[Placed]:
        """Directives of a server block, snippets in place of their includes; our own files are not followed."""
        for directive in directives:
            if directive.name != "include" or not directive.arguments or depth > 8:
                yield real, directive
                continue
            if directive.arguments[0].startswith(self.include.rpartition("/")[0]):
                yield real, directive
                continue
            for path in self.matches(directive.arguments[0]):
                snippet = self.real(path)
                yield from self.inside(self.load(snippet), snippet, depth + 1)

    def block(self, server: ServerBlock, real: Path) -> Block:
        """Read one server block."""
        text = self.configuration.files[real]
        placed = tuple(self.inside(server.directive.children, real))
        directives = [directive for _, directive in placed]
        self.note(directives)
        names, others = _names(d.arguments for d in directives if d.name == "server_name")
        place = self.place(server, real)
        hooked, before, via = self.hook(server, text, placed, place)
        listens, line = _listens(directives), server.directive.line
        common = (real, line, names, hooked, before, server.body, others, listens, placed)
        return Block(*common, via=via, place=place, quic=_over_quic(directives))

    def place(self, server: ServerBlock, real: Path) -> Optional[PanelPlace]:
        """The place of a panel in the block, with what acts before our file there."""
        if not self.panels:
            return None
        before: List[str] = []
        for child in server.directive.children:
            glob = child.arguments[0] if child.name == "include" and child.arguments else ""
            found = panels.place_in(self.panels, self.absolute(glob)) if glob else None
            if found is None:
                before += self.acting(self.inside([child], real))
                continue
            panel, name = found
            for earlier in (path for path in self.matches(glob) if str(path) < name):
                snippet = Path(os.path.realpath(str(earlier)))
                before += self.acting(self.inside(self.load(snippet), snippet))
            folder, _, own = name.rpartition("/")
            file = Path(os.path.realpath(folder), own)
            return PanelPlace(panel, glob, file, tuple(before))
        return None

    def acting(self, placed: Iterable[Placed]) -> List[str]:
        """Names of those that can answer or redirect before what stands behind them."""
        return [directive.name for _, directive in placed if panels.acts(self.panels, directive)]

    def hook(
        self, server: ServerBlock, text: bytes, placed: Tuple[Placed, ...], own: Optional[PanelPlace]
    ) -> Tuple[Optional[str], Tuple[str, ...], str]:
        """Whose hook the block carries, what stands before it, and by which include it comes in."""
        folder = self.include.rpartition("/")[0]
        place = next(
            (
                i
                for i, (_, d) in enumerate(placed)
                if d.name == "include" and d.arguments[0].startswith(folder)
            ),
            None,
        )
        if place is None:
            return None, (), ""
        before = tuple(self.acting(placed[:place]))
        if own and placed[place][0] == own.file:
            return "ours", before, own.glob
        whose = "ours" if hook_line.is_ours(text, server, self.include) else "owner"
        return whose, before, self.brought_in(server, placed[place][1])

    def brought_in(self, server: ServerBlock, hook: Directive) -> str:
        """The include of the block by which another file brings the hook in; "" where the block has it itself."""
        for child in server.directive.children:
            if child == hook:
                return ""
            if child.name == "include" and child.arguments and hook in self.snippets(child):
                return child.arguments[0]
        return ""

    def snippets(self, include: Directive) -> List[Directive]:
        """What an include of a server block brings in."""
        return [directive for _, directive in self.inside([include], self.folder)]

    def note(self, directives: Iterable[Directive], level: str = "server") -> None:
        """Remember what is used inside server blocks."""
        for directive in directives:
            if directive.name in _NOTED:
                self.configuration.inner.setdefault(directive.name, []).append(directive.arguments)
            self.configuration.own |= own_words(directive, level)
            if directive.children:
                self.note(directive.children, "location")


@functools.lru_cache(maxsize=None)
def _may_decide(name: str) -> bool:
    """Whether a directive of this name may be one of those; there are few names and many directives."""
    return bool(name in _TELLING or name in _SETTING or _OWN.match(name))


def own_words(directive: Directive, level: str) -> Set[str]:
    """The directive as the survey names it, if it decides what ours can do there."""
    if not _may_decide(directive.name):
        return set()
    match = _OWN.match(directive.name)
    is_off = directive.arguments in (("off",), ("0",))
    ours = {f"{level} more_headers:{name}" for name in _of_ours(directive)}
    if directive.name in _TELLING:
        return ours | {f"{level} {directive.name}:{name}" for name in _told_headers(directive)}
    if ours:
        return ours
    return {f"{level} {match.group(1)}"} if match and not is_off else set()


def _of_ours(directive: Directive) -> Iterator[str]:
    """Names, in lower case, of headers of our answers that a headers-more of the owner's sets or clears."""
    if directive.name in _SETTING:
        said = [word.partition(":")[0].strip().lower() for word in directive.arguments]
        yield from (name for name in _OURS if any(fnmatch.fnmatchcase(name, word) for word in said))


def _told_headers(directive: Directive) -> Iterator[str]:
    """Names, in lower case, of headers that the directive sets and by which a cache could keep an answer of ours."""
    words = directive.arguments
    pairs = [words[:2]] if directive.name == "add_header" else [tuple(word.split(":", 1)) for word in words]
    for pair in (pair for pair in pairs if len(pair) == 2):
        name = pair[0].strip().lower()
        if name == _VARY or (_TO_CACHES.fullmatch(name) and _LIFETIME.search(pair[1])):
            yield name


def _names(arguments: Iterable[Tuple[str, ...]]) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """Names that can be selected, and those that cannot; `.x` is `x` and `*.x`, `_` and "" are nothing."""
    names: List[str] = []
    others: List[str] = []
    for word in (word for words in arguments for word in words):
        name = socket.gethostname().lower() if word == "$hostname" else word.lower()
        if name.startswith(".") and _HOST_NAME.match(name[1:]):
            names += [name[1:], "*" + name]
        elif name not in ("", "_"):
            (names if _HOST_NAME.match(name) else others).append(name)
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(others))


def _listens(directives: Iterable[Directive]) -> Tuple[BlockListen, ...]:
    """TCP addresses; without `listen`, *:80. Sockets and QUIC are left out."""
    directives = list(directives)
    is_all_tls = any(d.name == "ssl" and d.arguments == ("on",) for d in directives)
    found = _said_listens(directives)
    listens = [listen for words in found or [("80",)] for listen in _listen(words, is_all_tls)]
    return tuple(dict.fromkeys(listens))


def _said_listens(directives: Iterable[Directive]) -> List[Tuple[str, ...]]:
    return [d.arguments for d in directives if d.name == "listen" and d.arguments]


def _over_quic(directives: Iterable[Directive]) -> Tuple[str, ...]:
    """Source: nginx, ngx_http_v3_module, `listen … quic`; `http3 off` leaves such a socket without HTTP/3."""
    directives = list(directives)
    if any(d.name == "http3" and d.arguments == ("off",) for d in directives):
        return ()
    return tuple(dict.fromkeys(words[0] for words in _said_listens(directives) if "quic" in words[1:]))


def _sharing_sockets(blocks: List[Block]) -> List[Block]:
    """What one block says of a socket holds for all blocks on it; one for both families is there for IPv4 as well.

    Source: nginx, src/http/ngx_http.c, ngx_http_add_addresses; ngx_http_core_module, `listen`: `ipv6only` is on
    unless somebody says otherwise, since 1.3.4.
    """
    sockets: Dict[Tuple[str, int], List[BlockListen]] = {}
    for listen in (listen for block in blocks for listen in block.listens):
        sockets.setdefault((listen.address, listen.port), []).append(listen)
    whole = {
        place: {
            "tls": any(one.tls for one in said),
            "proxy_protocol": any(one.proxy_protocol for one in said),
            "is_dual": place[0] == "::" and any(one.is_dual for one in said),
        }
        for place, said in sockets.items()
    }
    return [replace(block, listens=tuple(dict.fromkeys(_as_heard(block.listens, whole)))) for block in blocks]


def _as_heard(
    listens: Iterable[BlockListen], whole: Dict[Tuple[str, int], Dict[str, bool]]
) -> Iterator[BlockListen]:
    for listen in listens:
        heard = replace(listen, **whole[listen.address, listen.port])  # type: ignore[arg-type]
        yield heard
        if heard.is_dual:
            yield replace(heard, address=EVERY_IPV4, is_dual=False)


def _listen(words: Tuple[str, ...], is_all_tls: bool) -> Iterator[BlockListen]:
    """One `listen` directive, with a range of ports as many."""
    options = set(words[1:])
    place = (
        words[0] if re.search(r"[:\]]?\d+$", words[0]) and not words[0].endswith("]") else words[0] + ":80"
    )
    if place.startswith("unix:") or "quic" in options:
        return
    if re.match(r"^\d+(\.\d+){3}$", place):
        place += ":80"
    match = _ADDRESS.match(place)
    if match is None:
        return
    address = (match.group("address") or "").strip("[]*")
    first = int(match.group("first"))
    last = min(int(match.group("last") or first), first + _MAX_PORTS)
    for port in range(first, last + 1):
        is_default = bool(options & {"default_server", "default"})
        is_tls, is_dual = is_all_tls or "ssl" in options, "ipv6only=off" in options
        yield BlockListen(
            address or EVERY_IPV4, port, is_tls, is_default, "proxy_protocol" in options, is_dual
        )
