# SPDX-License-Identifier: GPL-3.0-or-later
"""To which addresses of this machine a block of nginx passes requests on, and under which host name.

So a survey knows which of a host's servers stand behind others. What a variable decides is not known and left out; what
speaks FastCGI and the like is no web server.

Source: nginx documentation, ngx_http_proxy_module, `proxy_pass` and `proxy_set_header` (inherited only where a level
has none of its own; without one the upstream's name is sent).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple

from piquet.host.servers.nginx.tokens import Directive
from piquet.host.system.addresses import is_own_address

_TARGET = re.compile(r"^(?:https?|grpcs?)://(?P<host>\[[0-9a-fA-F:.]+\]|[^/:\[$]+)(?::(?P<port>\d+))?(?:/|$)")
_SERVER = re.compile(r"^(?P<host>\[[0-9a-fA-F:.]+\]|[^/:\[$]+)(?::(?P<port>\d+))?$")
_PASSES = {"proxy_pass": "proxy_set_header", "grpc_pass": "grpc_set_header"}
_HANDED = (*_PASSES.values(), "proxy_cache", "proxy_ignore_headers")
_OVERLOOKED = frozenset({"Cache-Control", "Vary"})
_VISITORS = frozenset({"$host", "$http_host", "$host:$server_port", "$host:$proxy_port", "$server_name"})
_LOOPBACK = {"localhost": "127.0.0.1"}
_PORTS = {"http": 80, "grpc": 80, "https": 443, "grpcs": 443}
Servers = Mapping[str, Tuple[Tuple[str, int], ...]]
"""Name of an `upstream` → its servers."""


@dataclass(frozen=True)
class ProxyPass:
    """An address and port that requests go on to.

    Attributes:
        address: as configured, `localhost` as an address.
        port: of TCP.
        host: what is sent as Host, "" for the visitor's own.
        cached: whether a cache there is told to overlook what answers say of caches.
    """

    address: str
    port: int
    host: str
    cached: bool

    def to_json(self) -> Dict[str, Any]:
        """The record of the survey."""
        return {"address": self.address, "port": self.port, "host": self.host, "cached": self.cached}


def upstreams(directives: Iterable[Directive]) -> Servers:
    """The `upstream` blocks of http."""
    return {
        directive.arguments[0]: tuple(_servers(directive.children))
        for directive in directives
        if directive.name == "upstream" and directive.arguments
    }


def passes(http: Iterable[Directive], block: Iterable[Directive], known: Servers) -> Tuple[ProxyPass, ...]:
    """Where a server block passes requests on to, each place once.

    Args:
        http: directives of http, for what it hands down.
        block: directives of the server block.
        known: what its upstreams are.
    """
    handed = _settings_at(tuple(http), dict.fromkeys(_HANDED, ""))
    return tuple(
        one for one in dict.fromkeys(_passes(tuple(block), handed, known)) if is_own_address(one.address)
    )


def believed(directives: Iterable[Directive]) -> List[str]:
    """Networks of those whose word about visitors' addresses is taken."""
    return [d.arguments[0] for d in directives if d.name == "set_real_ip_from" and d.arguments]


def _passes(level: Tuple[Directive, ...], handed: Dict[str, str], known: Servers) -> Iterator[ProxyPass]:
    said = _settings_at(level, handed)
    is_cached = said["proxy_cache"] not in ("", "off") and bool(said["proxy_ignore_headers"])
    for directive in level:
        header = _PASSES.get(directive.name)
        if header and directive.arguments:
            yield from _goals(directive.arguments[0], said[header], known, is_cached)
        yield from _passes(directive.children, said, known)


def _settings_at(level: Tuple[Directive, ...], handed: Dict[str, str]) -> Dict[str, str]:
    """What is in force at a level for those behind: the Host that is sent, the cache, and what that overlooks."""
    own = {header: _host_said(level, header, handed[header]) for header in _PASSES.values()}
    for directive in level:
        if directive.name == "proxy_cache" and directive.arguments:
            own["proxy_cache"] = directive.arguments[0]
        if directive.name == "proxy_ignore_headers":
            own["proxy_ignore_headers"] = " ".join(sorted(_OVERLOOKED.intersection(directive.arguments)))
    return {**handed, **own}


def _host_said(level: Iterable[Directive], header: str, before: str) -> str:
    """What is sent as Host: this level's word, else that of the level above; "" for the upstream's own name."""
    own = [d.arguments for d in level if d.name == header]
    hosts = [words[1] for words in own if len(words) == 2 and words[0].lower() == "host"]
    return hosts[-1] if hosts else ("" if own else before)


def _goals(target: str, host: str, known: Servers, is_cached: bool) -> Iterator[ProxyPass]:
    match = _TARGET.match(target if "://" in target else f"grpc://{target}")
    if match is None:
        return
    name = match.group("host")
    sent = "" if host in _VISITORS else (name if host in ("", "$proxy_host") else host)
    scheme = target.partition("://")[0] if "://" in target else "grpc"
    port = int(match.group("port") or _PORTS[scheme])
    for address, own_port in known.get(name, ((name, port),)):
        place = _LOOPBACK.get(address, address.strip("[]"))
        yield ProxyPass(place, own_port, re.sub(r":\d+$", "", sent).lower(), is_cached)


def _servers(directives: Iterable[Directive]) -> List[Tuple[str, int]]:
    found = (_SERVER.match(d.arguments[0]) for d in directives if d.name == "server" and d.arguments)
    return [(match.group("host"), int(match.group("port") or 80)) for match in found if match]
