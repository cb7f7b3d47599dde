# SPDX-License-Identifier: GPL-3.0-or-later
"""A real web server with thousands of virtual hosts, all in one file or in a file each, in a private root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.corpus.kinds import Provider, load
from tests.corpus.servers import Server, plant

_FIRST = {"nginx": ("00-default",), "apache": ("00-default", "static", "redirect-rewrite")}
_FOLDERS = {"nginx": "/etc/nginx/sites-enabled", "apache": "/etc/apache2/sites-enabled"}
_SITES = {
    "nginx": """server {{
    listen {port};
    server_name site{number}.example www.site{number}.example;
    root /srv/static;
    index index.html;

    location /files/ {{ autoindex on; }}
    location ~* \\.css$ {{ expires 1h; add_header Cache-Control public; }}
    location = /old {{ return 301 /new; }}
}}
""",
    "apache": """<VirtualHost *:{port}>
    ServerName site{number}.example
    ServerAlias www.site{number}.example
    DocumentRoot /srv/static
    ErrorLog /var/log/apache2/error.log
    RewriteEngine On
    RewriteRule ^/old/(.*)$ /new/$1 [R=301,L]
    <Directory /srv/static>
        Options -Indexes
        Require all granted
    </Directory>
    <Location /private>
        <If "%{{QUERY_STRING}} == 'x'">
            Header set X-Site "{number}"
        </If>
    </Location>
</VirtualHost>
""",
}


def plant_many(
    provider: Provider, folder: Path, sites: int, *, is_one_file: bool, by_lua: bool = False
) -> Server:
    """A server with so many virtual hosts of two names each; it is not started.

    Args:
        provider: which server.
        folder: of its root; it does not exist yet.
        sites: how many virtual hosts, besides the few of the corpus.
        is_one_file: whether all of them stand in one file.
        by_lua: whether nginx has its Lua module.
    """
    kinds = tuple(kind for kind in load(provider) if kind.name in _FIRST[provider])
    server = plant(provider, kinds, folder, 1, lua=by_lua)
    for name, text in _files(provider, server.http, sites, is_one_file):
        server.chroot.write(f"{_FOLDERS[provider]}/{name}.conf", text.encode())
    server.chroot.write("/srv/static/index.html", b"as usual\n")
    return server


def _files(provider: Provider, port: int, sites: int, is_one_file: bool) -> Iterator[tuple[str, str]]:
    texts = [_SITES[provider].format(port=port, number=number) for number in range(sites)]
    if is_one_file:
        yield "all", "".join(texts)
    else:
        yield from ((f"site{number:05}", text) for number, text in enumerate(texts))
