# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers of a host stand behind others: read from nginx's files and from Apache's tree."""

from __future__ import annotations

from typing import Any

import pytest

from piquet.host.servers.apache import passes as apache_passes
from piquet.host.servers.apache.hosts import hosts
from piquet.host.servers.apache.tree import Statement, parse_tree
from piquet.host.servers.nginx import passes as nginx_passes
from piquet.host.servers.nginx.tokens import parse_directives

HERE = {"address": "127.0.0.1", "port": 8080, "host": "", "cached": False}
NAMED = {**HERE, "host": "127.0.0.1"}


def nginx(http: str, server: str) -> list[dict[str, Any]]:
    """What a server block's records say."""
    above, own = parse_directives(http.encode()), parse_directives(server.encode())
    return [one.to_json() for one in nginx_passes.passes(above, own, nginx_passes.upstreams(above))]


@pytest.mark.parametrize(
    ("http", "server", "expected"),
    [
        ("", "location / { proxy_pass http://127.0.0.1:8080; }", [NAMED]),
        ("", "proxy_set_header Host $host; location / { proxy_pass http://127.0.0.1:8080/x; }", [HERE]),
        ("proxy_set_header Host $http_host;", "location / { proxy_pass http://localhost:8080; }", [HERE]),
        (
            "proxy_set_header Host $host;",
            "location / { proxy_set_header X 1; proxy_pass http://127.0.0.1:8080; }",
            [NAMED],
        ),
        (
            "",
            "location / { proxy_set_header Host One.example; proxy_pass http://127.0.0.1:8080; }",
            [{**HERE, "host": "one.example"}],
        ),
        (
            "upstream app { server 127.0.0.1:8080; server 127.0.0.2:8081 backup; }",
            "location / { if ($a) { proxy_pass http://app; } }",
            [{**HERE, "host": "app"}, {**HERE, "address": "127.0.0.2", "port": 8081, "host": "app"}],
        ),
        ("", "location / { proxy_pass http://192.0.2.1:8080; }", []),
        ("", "location / { proxy_pass http://$backend; } location /x { fastcgi_pass 127.0.0.1:9000; }", []),
        ("", "location / { proxy_pass http://unix:/run/app.sock; }", []),
        (
            "",
            "location / { proxy_pass https://[::1]; }",
            [{**HERE, "address": "::1", "port": 443, "host": "[::1]"}],
        ),
        (
            "proxy_cache zone; proxy_ignore_headers Set-Cookie;",
            "location / { proxy_pass http://127.0.0.1:8080; }"
            " location /x { proxy_ignore_headers Cache-Control; proxy_pass http://127.0.0.1:8081; }"
            " location /y { proxy_ignore_headers Vary; proxy_cache off; proxy_pass http://127.0.0.1:8082; }",
            [NAMED, {**NAMED, "port": 8081, "cached": True}, {**NAMED, "port": 8082}],
        ),
    ],
)
def test_where_nginx_passes_requests_on(http: str, server: str, expected: list[dict[str, Any]]) -> None:
    """Only to this machine's own addresses, with the Host that is sent, and whether a cache overlooks what we say."""
    assert nginx(http, server) == expected


def tree(*lines: str) -> Statement:
    """The statements of a file as Apache tells them."""
    told = ["# In file: /etc/apache2/apache2.conf"]
    for number, line in enumerate(lines, 1):
        depth = (len(line) - len(line.lstrip())) // 2
        told += [line] if line.lstrip().startswith("</") else [f"{'  ' * depth}#   {number}:", line]
    return parse_tree("\n".join(told) + "\n")


@pytest.mark.parametrize(
    ("server", "own", "expected"),
    [
        ((), ("ProxyPass / http://127.0.0.1:8080/",), ([NAMED], [])),
        (("ProxyPreserveHost On",), ("ProxyPass / http://localhost:8080/ retry=1",), ([HERE], [])),
        ((), ("<Location />", "  ProxyPass http://127.0.0.1:8080/", "</Location>"), ([NAMED], [])),
        ((), ("ProxyPassMatch ^/(.*)$ http://127.0.0.1:8080/$1", "ProxyPass /x !"), ([NAMED], [])),
        ((), ("ProxyPass / http://192.0.2.1/", "ProxyPass /y fcgi://127.0.0.1:9000/"), ([], [])),
        (("RemoteIPHeader X-Forwarded-For",), (), ([], ["0.0.0.0/0", "::/0"])),
        (
            (), ("RemoteIPHeader X-Real-IP", "RemoteIPInternalProxy 127.0.0.1 10.0.0.0/8"),
            ([], ["127.0.0.1", "10.0.0.0/8"]),
        ),
    ],
)  # fmt: skip
def test_where_apache_passes_requests_on_and_whom_it_believes(
    server: tuple[str, ...], own: tuple[str, ...], expected: tuple[list[dict[str, Any]], list[str]]
) -> None:
    """As the tree says, what the server level says included."""
    inner = tuple(f"  {line}" for line in ("ServerName one.example", *own))
    root = tree("Listen 80", *server, "<VirtualHost *:80>", *inner, "</VirtualHost>")
    (host,) = hosts(root, "/etc/apache2/apache2.conf", has_ssl=False, resolve=lambda _: [])
    record = apache_passes.passes_record(host)
    assert (record["passes"], record["realip"]) == expected
