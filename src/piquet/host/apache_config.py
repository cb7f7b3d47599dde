# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's configuration texts: virtual hosts, their names, whether they speak TLS. Text in, values out.

Apache itself says which virtual hosts there are and from where (`-t -D DUMP_VHOSTS`); what it does not print (aliases
of a host that is alone on its address, SSLEngine in a snippet) is read from the text at that place.

Source: Apache 2.4 server/vhost.c dump_a_vhost; core, `ServerAlias`; mod_ssl, `SSLEngine`; mpm_common, `Listen`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

_HOST_NAME = re.compile(r"^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
_ADDRESS = r"(?P<address>\[[0-9a-fA-F:.]+\]|[^\s:]+):(?P<port>\d+|\*)"
_PLACE = r"(?P<name>\S*) \((?P<file>.*):(?P<line>\d+)\)"
_SINGLE = re.compile(rf"^{_ADDRESS}\s+{_PLACE}$")
_SHARED = re.compile(rf"^{_ADDRESS}\s+is a NameVirtualHost$")
_NAMED = re.compile(rf"^\s+port (?:\d+|\*) namevhost {_PLACE}$")
_DEFAULT = re.compile(rf"^\s+default server {_PLACE}$")
_WORD = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S+""")
_ALIAS = re.compile(r"^\s+(?:wild )?alias (?P<name>\S+)$")

# They are open or not, but open nothing of their own. A macro may be used anywhere.
CONDITIONS = ("ifmodule", "ifdefine", "ifversion", "ifdirective", "iffile", "ifsection", "macro")

Follow = Callable[[str], List[str]]


class Statement(NamedTuple):
    """One directive or section line, continuation lines joined; name in lower case."""

    name: str
    words: Tuple[str, ...]
    line: int


@dataclass
class Vhost:
    """One virtual host at one address."""

    address: str
    port: int
    file: str
    line: int
    names: List[str] = field(default_factory=list)
    is_default: bool = False
    tls: bool = False


def statements(text: str) -> Iterator[Statement]:
    """The lines of a configuration text; comments and blank lines are left out."""
    start, joined = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        start = start or number
        if raw.endswith("\\"):
            joined += raw[:-1]
            continue
        stripped = (joined + raw).strip()
        if stripped and not stripped.startswith("#"):
            words = _WORD.findall(stripped)
            yield Statement(words[0].lower(), tuple(map(_unquoted, words[1:])), start)
        start, joined = 0, ""


def _unquoted(word: str) -> str:
    is_quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'"
    return re.sub(rf"\\({word[0]})", r"\1", word[1:-1]) if is_quoted else word


def parse_vhosts(dump: str) -> List[Vhost]:
    """Read what `-t -D DUMP_VHOSTS` prints."""
    vhosts: List[Vhost] = []
    address, port, default = "", 0, ""
    for row in dump.splitlines():
        single, shared = _SINGLE.match(row), _SHARED.match(row)
        if single or shared:
            found = single or shared
            assert found is not None  # noqa: S101 - for the type checker
            address, port, default = found.group("address"), _port(found.group("port")), ""
            if single:
                vhosts.append(_vhost(address, port, single, is_default=True))
            continue
        named, marked, alias = _NAMED.match(row), _DEFAULT.match(row), _ALIAS.match(row)
        if marked:
            default = f"{marked.group('file')}:{marked.group('line')}"
        elif named:
            place = f"{named.group('file')}:{named.group('line')}"
            vhosts.append(_vhost(address, port, named, is_default=place == default))
        elif alias and vhosts:
            vhosts[-1].names.append(alias.group("name").lower())
    return vhosts


def _port(text: str) -> int:
    """A port; `*` means every one that the server listens on, written 0."""
    return 0 if text == "*" else int(text)


def _vhost(address: str, port: int, match: re.Match[str], is_default: bool) -> Vhost:
    shown = "0.0.0.0" if address in ("*", "_default_") else address.strip("[]")  # noqa: S104
    return Vhost(
        shown, port, match.group("file"), int(match.group("line")), [match.group("name").lower()], is_default
    )


def section_at(text: str, line: int, follow: Follow) -> List[Statement]:
    """The statements of the <VirtualHost> that begins at a line, snippets in place of their includes."""
    rows = [s for s in statements(text) if s.line > line]
    end = next((i for i, s in enumerate(rows) if s.name == "</virtualhost>"), len(rows))
    return list(expand(rows[:end], follow))


def expand(rows: List[Statement], follow: Follow, depth: int = 0) -> Iterator[Statement]:
    """Statements with included texts in their place."""
    for row in rows:
        yield row
        if row.name in ("include", "includeoptional") and row.words and depth < 8:
            for text in follow(row.words[0]):
                yield from expand(list(statements(text)), follow, depth + 1)


def names_in(rows: List[Statement]) -> List[str]:
    """ServerName and ServerAlias, without scheme and port."""
    words = [w for row in rows if row.name in ("servername", "serveralias") for w in row.words]
    return [re.sub(r"^\w+://|:\d+$", "", word.lower()) for word in words]


def ssl_engine(rows: List[Statement]) -> Optional[bool]:
    """What SSLEngine says, None if nothing does."""
    values = [row.words[0].lower() for row in rows if row.name == "sslengine" and row.words]
    return values[-1] != "off" if values else None


def listen_protocols(rows: List[Statement]) -> Dict[int, str]:
    """Ports that the server listens on, with their protocol; 443 is https unless it says otherwise."""
    found: Dict[int, str] = {}
    for row in rows:
        if row.name == "listen" and row.words:
            port = row.words[0].rpartition(":")[2]
            default = "https" if port == "443" else "http"
            if port.isdigit():
                found[int(port)] = row.words[1].lower() if len(row.words) > 1 else default
    return found


def split_names(names: List[str]) -> Tuple[List[str], List[str]]:
    """Names that a campaign can select, and those that it cannot."""
    unique = list(dict.fromkeys(name for name in names if name))
    return [n for n in unique if _HOST_NAME.match(n)], [n for n in unique if not _HOST_NAME.match(n)]


def included_files(dump: str) -> List[str]:
    """Read what `-t -D DUMP_INCLUDES` prints: file names in the order of reading."""
    return re.findall(r"^\s*\([*\d]+\) (/.*)$", dump, re.MULTILINE)


def awaited_modules(rows: Iterable[Statement]) -> List[str]:
    """Modules whose presence or absence opens some `<IfModule>`, as `lua_module`, sorted."""
    words = (row.words[0].strip("!>") for row in rows if row.name == "<ifmodule" and row.words)
    return sorted({re.sub(r"^mod_(\w+)\.c$", r"\1_module", word) for word in words})


def loaded_modules(rows: Iterable[Statement]) -> List[str]:
    """Modules that are loaded by statements."""
    return [row.words[0] for row in rows if row.name == "loadmodule" and row.words]


def speaks_lua(rows: Iterable[Statement]) -> bool:
    """Whether a statement is one of mod_lua's, or names its handler."""
    return any(row.name.lstrip("<").startswith("lua") or "lua-script" in row.words for row in rows)


def has_server_rules(dump: str, text_of: Callable[[str], str]) -> bool:
    """Whether somebody else's rewrite rules stand outside of every section, where virtual hosts could inherit them.

    Sections that only depend on what is loaded or defined count as none. Files that are read inside a virtual host or
    a folder's section are its own.

    Args:
        dump: what `-t -D DUMP_INCLUDES` prints; by its indent it says who reads a file, and in which line.
        text_of: the text of a file.

    Source: Apache 2.4 mod_rewrite, config_server_merge: with InheritDown* all rules of the server level go down.
    """
    readers: List[Tuple[int, str, bool]] = []
    for indent, line, name in re.findall(r"^(\s*)\(([*\d]+)\) (/.*)$", dump, re.MULTILINE):
        while readers and readers[-1][0] >= len(indent):
            readers.pop()
        is_outside = not readers or (readers[-1][2] and _is_outside(text_of(readers[-1][1]), int(line)))
        readers.append((len(indent), name, is_outside))
        if is_outside and "/etc/piquet/" not in name and _has_outer_rule(text_of(name)):
            return True
    return False


def _has_outer_rule(text: str) -> bool:
    return any(row.name == "rewriterule" and not sections for row, sections in _in_sections(text))


def _is_outside(text: str, line: int) -> bool:
    """Whether the statement at a line is in no section."""
    return not any(sections for row, sections in _in_sections(text) if row.line == line)


def _in_sections(text: str) -> Iterator[Tuple[Statement, int]]:
    """Every statement with the number of sections around it."""
    depth = 0
    for row in statements(text):
        kind = row.name.strip("</>")
        if kind in CONDITIONS or not row.name.startswith("<"):
            yield row, depth
        elif row.name.startswith("</"):
            depth = max(0, depth - 1)
        else:
            depth += 1
