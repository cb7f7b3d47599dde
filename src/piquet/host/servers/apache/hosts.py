# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual hosts of Apache's tree: names, addresses, whether they speak TLS, and what is in force for each.

A tree tells no merging: what a virtual host does not say itself it takes over from the server level. No file, no
process; names in the place of addresses are looked up by who calls.

Source: Apache 2.4 server/vhost.c (names, addresses, defaults), ssl_engine_init.c (`SSLEngine`), listen.c (`Listen`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Mapping, Set, Tuple

from piquet.host.servers.apache.tree import Statement

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - as surveys write it
_HOST_NAME = re.compile(r"^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
_ADDRESS = re.compile(r"(?P<address>\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+)(?::(?P<port>\d+|\*))?")
_IS_ADDRESS = re.compile(r"[0-9.]+|\[.*\]")
_CATCH_ALL = ("*", "_default_")
_MEMBERS = ("auto", "manual")

Resolve = Callable[[str], List[str]]
"""A name that stands in the place of an address → its addresses."""


@dataclass
class ApacheHost:
    """One virtual host, or the main server where that answers itself.

    Attributes:
        row: its section; the whole tree for the main server.
        own: what it says itself, by the name of the statement.
        server: what the server level says.
        names: those that a campaign can select.
        strange: those that none can.
        listens: as a survey writes them.
    """

    row: Statement
    own: Mapping[str, List[Statement]]
    server: Mapping[str, List[Statement]]
    names: List[str] = field(default_factory=list)
    strange: List[str] = field(default_factory=list)
    listens: List[Dict[str, Any]] = field(default_factory=list)

    def said(self, name: str) -> List[Statement]:
        """Its own statements of a name, else those of the server level."""
        return list(self.own.get(name) or self.server.get(name) or ())

    def value(self, name: str) -> str:
        """The first argument of the last one in force, in lower case; "" if there is none."""
        rows = self.said(name)
        return rows[-1].first if rows else ""

    def record(self) -> Dict[str, Any]:
        """As the survey writes it."""
        file, line = self.row.place
        return {"file": file, "line": line or 1, "names": self.names, "listens": self.listens}


def hosts(
    root: Statement, main_file: str, has_ssl: bool, resolve: Resolve, is_mapped: bool = True
) -> List[ApacheHost]:
    """Every virtual host in the order of reading, and the main server for ports where none of them answers.

    Args:
        root: the tree.
        main_file: where the main server is said to be.
        has_ssl: whether mod_ssl is loaded.
        resolve: for names in the place of addresses.
        is_mapped: whether its sockets for IPv6 take IPv4, too, as `-V` says of a build.
    """
    server = root.level()
    protocols = _protocols(server)
    found = [ApacheHost(row, row.level(), server) for row in root.sections("virtualhost")]
    defaults: Set[Tuple[str, int]] = set()
    for host in found:
        sockets = list(dict.fromkeys(_sockets(host, protocols, resolve)))
        _name(host, is_for_all=any(address == ANY_ADDRESS for address, _ in sockets))
        host.listens = [_listen(host, socket, protocols, has_ssl, defaults) for socket in sockets]
        host.listens += _over_ipv4(host.listens, server, is_mapped)
    covered = {
        listen["port"] for host in found for listen in host.listens if listen["address"] == ANY_ADDRESS
    }
    open_ports = [port for port in protocols if port not in covered]
    main = ApacheHost(Statement("", "", main_file, 1, root.inner), server, server)
    _name(main, is_for_all=True)
    if open_ports and main.names + main.strange:
        main.listens = [_listen(main, (ANY_ADDRESS, port), protocols, has_ssl, set()) for port in open_ports]
        found.append(main)
    _note_proxied(found)
    return found


def _over_ipv4(
    listens: List[Dict[str, Any]], server: Mapping[str, List[Statement]], is_mapped: bool
) -> List[Dict[str, Any]]:
    """The same sockets for IPv4: a host for every address of one family is one for every address of the other.

    Source: Apache 2.4 server/vhost.c, ap_fini_vhost_config (one list of defaults); server/listen.c, make_sock
    (`AP_ENABLE_V4_MAPPED`). Tried on 2.4.71.
    """
    taken = {listen["port"] for listen in listens if listen["address"] == ANY_ADDRESS}
    open_ports = {port for port, version in _families(server, is_mapped) if version == 4} - taken
    return [
        {**listen, "address": ANY_ADDRESS}
        for listen in listens
        if listen["address"] == "::" and listen["port"] in open_ports
    ]


def _families(server: Mapping[str, List[Statement]], is_mapped: bool) -> Iterator[Tuple[int, int]]:
    """Port and version of the protocol of each socket."""
    for row in server.get("listen", ()):
        address, _, port = row.first.rpartition(":")
        if not port.isdigit():
            continue
        if not address.startswith("["):
            yield int(port), 4
        if not address or address.startswith("["):
            yield int(port), 6
        if address == "[::]" and is_mapped:
            yield int(port), 4


def _note_proxied(found: List[ApacheHost]) -> None:
    """Who wants to be told first for whom a connection is made: one host's word holds for all at its sockets.

    Source: Apache 2.4 mod_remoteip, `RemoteIPProxyProtocol`; at server level it holds for every socket.
    """
    proxied = {
        (listen["address"], listen["port"])
        for host in found
        if host.value("remoteipproxyprotocol") == "on"
        for listen in host.listens
    }
    for listen in (listen for host in found for listen in host.listens):
        listen["proxy_protocol"] = (listen["address"], listen["port"]) in proxied


def _name(host: ApacheHost, is_for_all: bool) -> None:
    """Take the names; without a ServerName, a host for all addresses has that of the server."""
    named = host.own.get("servername") or (host.server.get("servername") if is_for_all else None) or []
    words = [row.first for row in named[-1:]]
    words += [word.lower() for row in host.own.get("serveralias", ()) for word in row.words]
    bare = dict.fromkeys(re.sub(r"^\w+://|:\d+$", "", word) for word in words if word)
    host.names = [name for name in bare if _HOST_NAME.match(name)]
    host.strange = [name for name in bare if not _HOST_NAME.match(name)]


def _sockets(host: ApacheHost, protocols: Mapping[int, str], resolve: Resolve) -> Iterator[Tuple[str, int]]:
    """Where it listens; `*` in the place of a port means every one that the server listens on."""
    server_port = "".join(
        re.findall(r":(\d+)$", "".join(r.first for r in host.server.get("servername", ())[-1:]))
    )
    for word in host.row.words:
        match = _ADDRESS.fullmatch(word)
        if match is None:
            continue
        address, port = match.group("address"), match.group("port") or server_port or "*"
        addresses = [ANY_ADDRESS] if address in _CATCH_ALL else [address.strip("[]")]
        if address not in _CATCH_ALL and not _IS_ADDRESS.fullmatch(address):
            addresses = resolve(address)
        ports = sorted(protocols) if port in ("*", "0") else [int(port)]
        yield from ((one, number) for one in addresses for number in ports)


def _listen(
    host: ApacheHost,
    socket: Tuple[str, int],
    protocols: Mapping[int, str],
    has_ssl: bool,
    defaults: Set[Tuple[str, int]],
) -> Dict[str, Any]:
    """A socket as the survey writes it; the first host at one is its default."""
    is_default = socket not in defaults
    defaults.add(socket)
    engine = host.value("sslengine")
    tls = engine != "off" if engine else has_ssl and protocols.get(socket[1]) == "https"
    return {"address": socket[0], "port": socket[1], "tls": tls, "default": is_default}


def _protocols(server: Mapping[str, List[Statement]]) -> Dict[int, str]:
    """Ports that the server listens on, with their protocol; 443 is https unless it says otherwise."""
    found: Dict[int, str] = {}
    for row in server.get("listen", ()):
        port = row.first.rpartition(":")[2]
        if port.isdigit():
            default = "https" if port == "443" else "http"
            found[int(port)] = row.words[1].lower() if len(row.words) > 1 else default
    return found


def names_of(found: List[ApacheHost], is_meant: Callable[[ApacheHost], bool]) -> List[str]:
    """Names of those hosts, sorted, each once."""
    return sorted({name for host in found if is_meant(host) for name in host.names})


def has_server_rules(root: Statement) -> bool:
    """Whether rewrite rules of others, or parts of some, stand at server level, where virtual hosts could inherit them.

    Source: Apache 2.4 mod_rewrite, config_server_merge: with InheritDown* all rules of the server level go down.
    """
    return not {"rewriterule", "rewritecond", "rewritemap"}.isdisjoint(root.level())


def with_own_rules_first(host: ApacheHost) -> bool:
    """Whether its own rewrite rules act before those that come down to it from ours, or ours never come.

    Source: Apache 2.4 mod_rewrite, config_server_merge; options of its own take the place of the server's whole.
    """
    if "rewriterule" not in host.own or host.value("rewriteengine") != "on":
        return False
    options, server = _options(host.said("rewriteoptions")), _options(host.server.get("rewriteoptions", []))
    ignores = "ignoreinherit" in options
    if "inherit" in options or ("inheritdown" in server and not ignores):
        return True
    return ignores and "inheritbefore" not in options


def _options(rows: List[Statement]) -> Set[str]:
    return {word.lower() for row in rows for word in row.words}


def redirected_to_https(root: Statement, found: List[ApacheHost]) -> List[str]:
    """Names for which mod_md sends every plain request to https, before anything else of the server is asked.

    Source: Apache 2.4 mod_md, md_require_https_maybe, a hook of post_read_request.
    """
    server = ApacheHost(root, root.level(), {})
    places = [(host, row) for host in (server, *found) for row in host.own.get("mdomain", ())]
    for section in root.sections("mdomainset") + root.sections("mdomain"):
        places.append((ApacheHost(section, section.level(), server.own), section))
    meant: Dict[str, bool] = {}
    for host, row in places:
        if host.value("mdrequirehttps") not in ("", "off"):
            meant.update(_domains(row, host.value("mdmembers") or "auto"))
    return sorted({name for host in found if _is_plain(host) for name in _covered_names(host, meant)})


def _domains(row: Statement, members: str) -> Dict[str, bool]:
    """Names of a managed domain → whether all others of their hosts belong to it, too."""
    words = [word.lower() for word in row.words]
    members = next((word for word in words if word in _MEMBERS), members)
    return {word: members == "auto" for word in words if word not in _MEMBERS}


def _is_plain(host: ApacheHost) -> bool:
    return any(not listen["tls"] for listen in host.listens)


def _covered_names(host: ApacheHost, meant: Mapping[str, bool]) -> List[str]:
    """Those of its names that such a domain stands for."""
    own = [name for name in host.names if name in meant or f"*.{name.partition('.')[2]}" in meant]
    takes_all = any(meant.get(name, meant.get(f"*.{name.partition('.')[2]}", False)) for name in own)
    return host.names if takes_all else own
