# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of Apache made at random: virtual hosts with names, rules, sections, macros, variables and includes.

Whatever is made passes the server's own test: a piece is drawn for the place where it stands. Text out; the files'
paths are those of a host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

SITES, CONF, SNIPPETS = "/etc/apache2/sites-enabled", "/etc/apache2/conf-enabled", "/etc/apache2/snippets"
MARK = "X-Made-By"
"""Header by which each virtual host says which one it is."""
MODULES = ("macro", "rewrite", "setenvif")
PATHS = ("/", "/old", "/r", "/files/one.txt", "/deep/x?q", "/a%2Fb")
"""What is asked of every name: the rules that are drawn speak of these."""
NAMES = tuple(f"n{number}.example" for number in range(4))
WILD = ("*.w.example",)
OWN_ADDRESS = "127.0.0.9"
"""Some virtual hosts are for this one only; there, those for all addresses do not answer."""

_OPTIONS = ("Inherit", "InheritBefore", "InheritDown", "InheritDownBefore", "IgnoreInherit", "AllowAnyURI",
            "AllowNoSlash", "MergeBase", "IgnoreContextInfo")  # fmt: skip
_RULES = (
    "^/?old$ /new [R=302,L]", "^/?old$ - [G]", "^/?old$ /files/one.txt [PT]", "^/?r - [F]",
    "^/?deep/ /files/two.txt [L]",
    "^/?files/one /r [R=301]", "^ - [E=SEEN:1]", "^/?r$ /old", "^/?(.*)\\.txt$ /files/$1 [END]",
    "!^/?files/ - [S=1]", "^/?old$ https://elsewhere.example%{REQUEST_URI} [R=308,L,QSD]", "^ - [L]",
)  # fmt: skip
_CONDITIONS = (
    "%{QUERY_STRING} q", "%{HTTP_HOST} ^n[0-1] [NC]", "%{HTTPS} !=on", "expr \"%{REQUEST_URI} =~ m#^/old#\"",
    "%{REQUEST_FILENAME} !-f", "%{ENV:SEEN} 1 [OR]",
)  # fmt: skip
_ANYWHERE = (
    'Header set X-Own "1"', 'Header always append X-Own "2"', 'ErrorDocument 404 "gone"', "Redirect 301 /r /old",
    "Redirect gone /deep", 'SetEnvIf Request_URI "^/old" seen', "DirectoryIndex index.html", "Options -Indexes",
)  # fmt: skip
_HOSTS_ONLY = (
    "UseCanonicalName Off", "AllowEncodedSlashes On", "AllowEncodedSlashes NoDecode", "Alias /r /srv/static/files",
    "RewriteMap lower int:tolower", "TraceEnable Off", 'RedirectMatch 302 "^/r$" "/old"',
)  # fmt: skip
_WRAPPERS = (
    "<IfModule mod_rewrite.c>", "<IfModule mod_absent.c>", "<IfModule !mod_absent.c>", "<IfDefine MADE>",
    "<IfDefine !MADE>", "<IfDefine ABSENT>", "<IfVersion >= 2.4>", "<IfVersion < 2.4>",
)  # fmt: skip
_IFS = ('<If "true">', "<If \"%{QUERY_STRING} == 'q'\">")
_SECTIONS = (
    *_IFS,
    "<Directory /srv/static>", '<Location "/">', '<Location "/old">', '<LocationMatch "^/(?:r|old)">',
    '<Files "one.txt">',
)  # fmt: skip


@dataclass
class Made:
    """One configuration.

    Attributes:
        files: path → text, `@HTTP@` for the port.
        hosts: how many virtual hosts there are.
    """

    files: dict[str, str] = field(default_factory=dict)
    hosts: int = 0


@dataclass
class _Maker:
    """Draws pieces and keeps the files that they need."""

    draw: Callable[[st.SearchStrategy], object]  # type: ignore[type-arg]
    made: Made = field(default_factory=Made)
    macros: int = 0

    def one(self, choices: tuple[str, ...]) -> str:
        return str(self.draw(st.sampled_from(choices)))

    def number(self, most: int, least: int = 0) -> int:
        return int(self.draw(st.integers(least, most)))  # type: ignore[call-overload]

    def pieces(self, place: str, depth: int, most: int = 4) -> str:
        """Some statements and sections for a place: `server`, `host` or `folder`."""
        return "".join(self.piece(place, depth) for _ in range(self.number(most)))

    def piece(self, place: str, depth: int) -> str:
        kind = self.number(9 if depth else 5)
        if kind <= 2:
            return self.rewriting(place)
        if kind <= 4:
            return f"{self.one(_ANYWHERE)}\n"
        if kind == 5:
            return f"{self.one(_HOSTS_ONLY)}\n" if place != "folder" else self.rewriting(place)
        inner = self.pieces(place if kind != 6 else "folder", depth - 1)
        return self.around(kind, inner, is_inner=place == "folder")

    def around(self, kind: int, inner: str, *, is_inner: bool = False) -> str:
        """Put a piece into a section, behind a condition, into a file or into a macro; sections hold only `<If>`."""
        if kind in (6, 7):
            opened = self.one(_WRAPPERS if kind == 7 else _IFS if is_inner else _SECTIONS)
            return f"{opened}\n{inner}</{opened[1:].split()[0].rstrip('>')}>\n"
        if kind == 8:
            path = f"{SNIPPETS}/made{len(self.made.files)}.inc"
            self.made.files[path] = inner
            return f"{self.one(('Include', 'IncludeOptional'))} {path}\n"
        self.macros += 1
        name = f"Made{self.macros}"
        return (
            f"<Macro {name} $what>\n{inner}Header set X-Macro $what\n</Macro>\nUse {name} {self.number(9)}\n"
        )

    def rewriting(self, place: str) -> str:
        kind = self.number(5)
        if kind == 0:
            return f"RewriteEngine {self.one(('On', 'On', 'Off'))}\n"
        if kind == 1:
            return f"RewriteOptions {' '.join(self.one(_OPTIONS) for _ in range(self.number(2, 1)))}\n"
        if kind == 2:
            return f"RewriteCond {self.one(_CONDITIONS)}\nRewriteRule {self.one(_RULES)}\n"
        if kind == 3 and place != "folder":
            return f"RewriteEngine On\nRewriteRule {self.one(_RULES)}\n"
        return f"RewriteRule {self.one(_RULES)}\n"

    def host(self, number: int) -> str:
        """A virtual host, its names by themselves, by variables, in an included file or behind a condition."""
        names = [self.one(NAMES) for _ in range(self.number(2))]
        said = [f"ServerName {self.one(NAMES)}\n"] if self.number(5) else []
        said += [f"ServerAlias {' '.join(names)}\n"] if names else []
        said += [f"ServerAlias {self.one(WILD)}\n"] if self.number(3) == 0 else []
        text = "".join(self.around(self.number(9, 7), row) if self.number(2) == 0 else row for row in said)
        text = text.replace("Header set X-Macro $what\n", "ErrorDocument 410 $what\n")
        text = text.replace("n1.example", "${FIRST}.example") if self.number(2) == 0 else text
        at = self.one(("*", "*", "_default_", OWN_ADDRESS))
        inner = (
            f'{text}DocumentRoot /srv/static\nHeader always set {MARK} "{number}"\n{self.pieces("host", 2)}'
        )
        return f"<VirtualHost {at}:@HTTP@>\n{inner}</VirtualHost>\n"


@st.composite
def configurations(draw: Callable[[st.SearchStrategy], object]) -> Made:  # type: ignore[type-arg]
    """Files of a host: server level before and behind ours, and one to four virtual hosts in one file or in some."""
    maker = _Maker(draw)
    has_server_level = maker.number(2) == 0
    before = "Define MADE\nDefine FIRST n1\n"
    maker.made.files[f"{CONF}/aaa.conf"] = before + (maker.pieces("server", 2) if has_server_level else "")
    maker.made.files[f"{CONF}/zzz.conf"] = maker.pieces("server", 1, 2) if has_server_level else ""
    maker.made.hosts = maker.number(4, 1)
    for number in range(maker.made.hosts):
        path = f"{SITES}/made{number if maker.number(1) else 0}.conf"
        maker.made.files[path] = maker.made.files.get(path, "") + maker.host(number)
    return maker.made
