# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of web server that we know: the one list in which a new one has to stand."""

from __future__ import annotations

from piquet.servers.apache.kind import APACHE_KIND
from piquet.servers.configured_server import ConfiguredKinds
from piquet.servers.nginx.kind import NGINX_KIND

SERVERS: ConfiguredKinds = {kind.name: kind for kind in (NGINX_KIND, APACHE_KIND)}
"""By name, in the order in which people are told of them."""
