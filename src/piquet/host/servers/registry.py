# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of web server that the agent knows: the one list in which a new one has to stand."""

from __future__ import annotations

from typing import Dict, Tuple, Type

from piquet.host.servers.apache.instances import instances as apache_instances
from piquet.host.servers.apache.server import Apache
from piquet.host.servers.nginx.server import Nginx
from piquet.host.servers.web_server import WebServer
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import Platform

_KINDS: Tuple[Type[WebServer], ...] = (Nginx, Apache)


def servers_of(platform: Platform, paths: Paths) -> Dict[str, WebServer]:
    """One of each kind, by name, whether it is there or not, and those instances more that can be told apart."""
    return {**{kind.name: kind(platform, paths) for kind in _KINDS}, **apache_instances(platform, paths)}
