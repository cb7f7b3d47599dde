# SPDX-License-Identifier: GPL-3.0-or-later
"""One foreign site on every host: all that tests of verbs need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from testbed import Fleet, reload_server
from testbed.host import Host
from testbed.layout import CONFIG

SITE = {
    "nginx": "server {{\n    listen 80;\n    server_name {name};\n    return 200 here;\n}}\n",
    "apache": "<VirtualHost *:80>\n    ServerName {name}\n    DocumentRoot /var/www/html\n</VirtualHost>\n",
}
FILE = {"nginx": "/etc/nginx/conf.d/e2e.conf", "apache": "/etc/apache2/sites-enabled/e2e.conf"}
"""On hosts that are laid out as Debian is."""


def file_of(host: Host) -> str:
    """The file of a host's site."""
    return f"{CONFIG[host.layout][host.provider]}/e2e.conf"


def name_of(host: Host) -> str:
    """The site of a host."""
    return f"www.{host.name}.e2e.example"


def chosen(fleet: Fleet) -> str:
    """The `sites` of a campaign for all of them."""
    return "{include: [" + ", ".join(name_of(host) for host in fleet) + "]}"


def plant(fleet: Fleet) -> None:
    """Write and load every host's site; Apache gets the modules that a campaign needs."""
    for host in fleet:
        host.write_file(file_of(host), SITE[host.provider].format(name=name_of(host)))
        if host.provider == "apache" and host.layout == "debian":
            host.run("a2enmod -q headers rewrite")
        reload_server(host, host.provider)


@contextlib.contextmanager
def planted(fleet: Fleet) -> Iterator[None]:
    """The sites, until the context ends."""
    plant(fleet)
    yield
    for host in fleet:
        host.run(f"rm -f {file_of(host)}")
        reload_server(host, host.provider)
