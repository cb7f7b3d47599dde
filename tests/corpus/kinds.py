# SPDX-License-Identifier: GPL-3.0-or-later
"""The vhost kinds as data: what a foreign site can look like, written as its owner would have written it.

Each file in `nginx/` and `apache/` is one complete vhost file. It opens with a comment of `# key: value` lines and
holds these placeholders, nothing else is replaced:

    @NAME@               the site's host name
    @HTTP@ @HTTPS@       ports
    @ROOT@               the document root, a copy of `www/` (plus `<kind>.htaccess` as `.htaccess` where there is one)
    @UPSTREAM@           address:port of `upstream.py`
    @CERT@ @KEY@         a TLS certificate for the names, and its key

Keys of the comment:

    kind      one sentence
    sites     the names that a campaign selects; empty = never selected
    ask       comma-separated `scheme name` pairs to ask; `h2` is HTTP/2; an address behind them if not the usual one
    paths     addresses of its own to ask besides those of every kind
    modules   what the server must have loaded; of nginx the names of the files, which no other kind is asked with
    built-in  what nginx must have been built with (`http_v3`): left out where it was not
    finding   code of what survey and plan say of it
    hosts     `no` and why: not planted on booted hosts
    alone     why its answers differ with what was asked before, so that it is asked by itself
    lua       `no` and why: a server with it does not work by Lua
    limit     why the promise does not hold for this kind

Kinds with one of the last two, and those of nginx with modules, are loaded on request only.

No process, no network, no clock here: the runner and the demo decide where the files go.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
DOMAIN = "corpus.example"
BASE_MODULES = (
    "mpm_event", "access_compat", "alias", "authn_core", "authz_core", "authz_host", "authz_user", "auth_basic",
    "authn_file", "autoindex", "deflate", "dir", "env", "filter", "headers", "mime", "negotiation", "reqtimeout",
    "setenvif", "socache_shmcb",
)  # fmt: skip
_TREE_MTIME_S = 1_700_000_000

Provider = Literal["nginx", "apache"]


@dataclass(frozen=True)
class Places:
    """What the placeholders stand for on one host; `roots` is the folder that holds one document root per kind."""

    http: int
    https: int
    roots: str
    upstream: str
    cert: str
    key: str


@dataclass(frozen=True)
class Ask:
    """One way to reach a kind: scheme (`http`, `https` or `h2`), the host name to ask for, and where to connect."""

    scheme: str
    host: str
    address: str = "127.0.0.1"

    @property
    def tls(self) -> bool:
        """True for https and h2."""
        return self.scheme != "http"

    def source(self, wanted: str) -> str:
        """The local address to ask from: the wanted one, or the only one that IPv6 has here."""
        return self.address if ":" in self.address else wanted


@dataclass(frozen=True)
class Kind:
    """One vhost file and what its comment says."""

    provider: Provider
    name: str
    text: str
    says: str
    sites: tuple[str, ...]
    asks: tuple[Ask, ...]
    modules: tuple[str, ...]
    htaccess: Path | None
    limit: str
    alone: str = ""
    finding: str = ""
    paths: tuple[str, ...] = ()
    hosts: bool = True
    lua: bool = True
    built_in: tuple[str, ...] = ()

    @property
    def is_on_request(self) -> bool:
        """Whether it is asked only where somebody names it."""
        return bool(self.limit or self.alone or (self.provider == "nginx" and self.modules))

    def rendered(self, places: Places) -> bytes:
        """The file with its placeholders filled, line ends as written."""
        values = {
            "@NAME@": host_name(self.name),
            "@HTTP@": str(places.http),
            "@HTTPS@": str(places.https),
            "@ROOT@": f"{places.roots}/{self.name}",
            "@UPSTREAM@": places.upstream,
            "@CERT@": places.cert,
            "@KEY@": places.key,
        }
        text = self.text
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return text.encode()


def host_name(kind: str) -> str:
    """The host name that stands for @NAME@ in a kind."""
    return f"{kind}.{DOMAIN}"


def load(provider: Provider, *, limits: bool = False) -> tuple[Kind, ...]:
    """Every kind of a server, sorted by file name, so that the default server comes first.

    Args:
        provider: which server.
        limits: also those that are asked by themselves, or for which the promise does not hold.
    """
    kinds = (_read(provider, path) for path in sorted((HERE / provider).glob("*.conf")))
    return tuple(kind for kind in kinds if limits or not kind.is_on_request)


def modules(kinds: tuple[Kind, ...], more: tuple[str, ...] = (), mpm: str = "event") -> tuple[str, ...]:
    """The Apache modules that these kinds need and Debian's usual ones, in an order in which they can be loaded."""
    wanted = {module for kind in kinds for module in kind.modules} | set(more)
    base = (f"mpm_{mpm}", *BASE_MODULES[1:])
    return base + tuple(sorted(wanted - set(base)))


def plant_root(kind: Kind, folder: Path) -> None:
    """Make a kind's document root: `www/` with fixed modification times, so that ETag and Last-Modified repeat."""
    shutil.copytree(HERE / "www", folder)
    if kind.htaccess:
        shutil.copy(kind.htaccess, folder / ".htaccess")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.suffix == ".cgi" else 0o644)
        os.utime(path, (_TREE_MTIME_S, _TREE_MTIME_S))


def _read(provider: Provider, path: Path) -> Kind:
    text = path.read_bytes().decode()
    head = comment(text)
    name = host_name(path.stem)
    htaccess = path.with_suffix(".htaccess")
    return Kind(
        provider=provider,
        name=path.stem,
        text=text,
        says=head["kind"],
        sites=tuple(head["sites"].replace("@NAME@", name).split()),
        asks=tuple(Ask(*ask.split()) for ask in head["ask"].replace("@NAME@", name).split(",")),
        modules=tuple(head.get("modules", "").split()),
        htaccess=htaccess if htaccess.exists() else None,
        limit=head.get("limit", ""),
        alone=head.get("alone", ""),
        finding=head.get("finding", ""),
        paths=tuple(head.get("paths", "").split()),
        hosts=not head.get("hosts", "").startswith("no"),
        lua=not head.get("lua", "").startswith("no"),
        built_in=tuple(head.get("built-in", "").split()),
    )


def comment(text: str) -> dict[str, str]:
    """The `# key: value` lines on top of a file."""
    head: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        key, _, value = line[2:].partition(":")
        head[key] = value.strip()
    return head
