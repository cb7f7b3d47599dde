# SPDX-License-Identifier: GPL-3.0-or-later
"""To which addresses of this machine a virtual host of Apache passes requests on, and whom it believes about visitors.

The same as for nginx, from the tree. What a rewrite rule or a variable decides is not known and left out.

Source: Apache 2.4 mod_proxy (`ProxyPass`, `ProxyPreserveHost`), mod_remoteip (without a list of proxies it
believes all of them).
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Tuple

from piquet.host.servers.apache.hosts import ApacheHost
from piquet.host.servers.apache.tree import Statement
from piquet.host.system.addresses import is_own_address

_URL = re.compile(r"https?://(?P<host>\[[0-9a-fA-F:.]+\]|[^/:\[$%]+)(?::(?P<port>\d+))?(?:/|$)")
_PASSING = frozenset({"proxypass", "proxypassmatch"})
_PROXIES = ("remoteipinternalproxy", "remoteiptrustedproxy")
_ALL = ["0.0.0.0/0", "::/0"]


def passes_record(host: ApacheHost) -> Dict[str, Any]:
    """What the survey adds to a virtual host's record."""
    keeps_name = host.value("proxypreservehost") == "on"
    found = {_pass(url, keeps_name=keeps_name): None for url in _urls(host.row)}
    passes = [{"address": a, "port": p, "host": h, "cached": False} for a, p, h in found if is_own_address(a)]
    return {"passes": passes, "realip": _believed_networks(host)}


def _urls(section: Statement) -> Iterator[re.Match[str]]:
    for row in section.inner or ():
        if row.inner is not None and row.name != "virtualhost":
            yield from _urls(row)
        elif row.name in _PASSING:
            yield from (match for word in row.words[:2] for match in [_URL.match(word)] if match)


def _pass(url: re.Match[str], *, keeps_name: bool) -> Tuple[str, int, str]:
    name = url.group("host").strip("[]").lower()
    port = int(url.group("port") or (443 if url.group().startswith("https") else 80))
    return "127.0.0.1" if name == "localhost" else name, port, "" if keeps_name else name


def _believed_networks(host: ApacheHost) -> List[str]:
    """Networks of those whose word about visitors' addresses is taken."""
    if not host.said("remoteipheader"):
        return []
    named = [word for name in _PROXIES for row in host.said(name) for word in row.words]
    return named or _ALL
