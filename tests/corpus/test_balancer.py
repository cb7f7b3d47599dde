# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy in front: it takes a site on strike out of service, unless what it asks stays open."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from piquet.answers import retry_after
from piquet.protocol.http import SIGN_HEADER
from tests.ports import free_ports

from .conftest import Planter
from .kinds import Provider
from .picket import Picket, picket
from .servers import Server

HEALTH = "/files/one.txt"
"""What the site itself answers with 200."""
_CHECKED_S = 1.5
"""From a start until two checks of a tenth of a second have failed for certain, on a busy machine too."""
_HAPROXY = """\
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend visitors
    bind 127.0.0.1:{port}
    default_backend sites
backend sites
    {check}
    server web 127.0.0.1:{server} check inter 100ms fall 2 rise 2
"""
CHECK = "option httpchk GET {path} HTTP/1.1\\r\\nHost:\\ {host}\\r\\nConnection:\\ close"


@contextmanager
def haproxy(server: Server, host: str, path: str, folder: Path, *, expect: str = "") -> Iterator[int]:
    """HAProxy before the server, asking this path for its health; its port, when it has asked often enough."""
    (port,) = free_ports(1)
    check = CHECK.format(path=path, host=host) + (f"\n    {expect}" if expect else "")
    (folder / "haproxy.cfg").write_text(_HAPROXY.format(port=port, check=check, server=server.http), "utf-8")
    process = subprocess.Popen(
        ["/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stderr=subprocess.PIPE
    )
    try:
        time.sleep(_CHECKED_S)
        assert process.poll() is None, process.communicate()[1]
        yield port
    finally:
        process.kill()
        process.communicate()


def answer(port: int, host: str) -> http.client.HTTPResponse:
    """What a visitor gets of the front page."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/", headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        response.read()
        return response


@contextmanager
def on_strike(server: Server, *health_paths: str) -> Iterator[tuple[Picket, str]]:
    """The server inside the window; the campaign and a selected site."""
    asked = picket(server, health_paths=health_paths)
    asked.hook(server)
    asked.stage(server)
    server.make_flags(asked.keys)
    server.chroot.set_clock(asked.inside_ms)
    with server.serving():
        yield asked, next(kind for kind in server.kinds if kind.name == "static").sites[0]


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_an_open_health_path_lets_the_strike_page_through(
    provider: Provider, planted: Planter, tmp_path: Path
) -> None:
    """The balancer sees a host that is well, and visitors see the strike, with the hour at which to come again."""
    server = planted(provider, "00-default", "static")
    with on_strike(server, HEALTH) as (asked, host), haproxy(server, host, HEALTH, tmp_path) as port:
        shown = answer(port, host)
        assert shown.status == 503 and shown.getheader(SIGN_HEADER)
        assert shown.getheader("Retry-After") == retry_after(asked.campaign, asked.campaign.phases[0])


def test_without_one_it_is_the_balancers_own_page(planted: Planter, tmp_path: Path) -> None:
    """What the door is for: a host on strike counts as down, and nobody sees the strike page."""
    server = planted("nginx", "00-default", "static")
    with on_strike(server) as (_, host):
        for path in ("/", HEALTH):
            with haproxy(server, host, path, tmp_path) as port:
                shown = answer(port, host)
                assert shown.status == 503 and not shown.getheader(SIGN_HEADER), path
        accepted = "http-check expect status 200,503"  # what the plan tells the balancer's owner to write
        with haproxy(server, host, "/", tmp_path, expect=accepted) as port:
            assert answer(port, host).getheader(SIGN_HEADER)
