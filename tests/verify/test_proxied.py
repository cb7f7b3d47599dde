# SPDX-License-Identifier: GPL-3.0-or-later
"""Doors behind a load balancer that speaks the PROXY protocol: asked with the line, on nginx and Apache."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from piquet.campaign.model import Campaign
from piquet.verify.expectations import Expectations
from piquet.verify.inside.ask import ask_target
from piquet.verify.observation import Inquiry, Observation, Target
from piquet.verify.outside.inspection import inspect, take_baseline
from piquet.verify.outside.probe import Prober
from piquet.verify.outside.proxied import proxy_line
from piquet.verify.questions import FRONT
from tests.ports import free_ports

from .servers import SECRET, Server, make_authority, start_apache, start_nginx, strike_lines

NAME = "pp.example.org"
BLOCK = """server {{ listen 127.0.0.1:{port} proxy_protocol; listen 127.0.0.1:{tls} ssl proxy_protocol;
  server_name {name}; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;
  {strike} location / {{ return 200 "$remote_addr $scheme"; }} }}
"""
VHOST = """<VirtualHost 127.0.0.1:{port}>
  ServerName {name}
  RemoteIPProxyProtocol On
  Redirect 410 /
</VirtualHost>
"""


@pytest.fixture
def nginx(folder: Path, running: Campaign) -> Iterator[Server]:
    """One site of the running campaign, plain and TLS, that hears nobody without a PROXY line."""
    make_authority(folder, [NAME])
    ports = free_ports(2)
    strike = strike_lines(running)
    fields = {"port": ports[0], "tls": ports[1], "folder": folder, "name": NAME, "strike": strike}
    server = start_nginx(folder, BLOCK.format(**fields), ports)
    yield server
    server.stop()


def doors(server: Server, *, proxied: bool = True) -> tuple[Target, ...]:
    """Both of them."""
    return tuple(
        Target("web1", "127.0.0.1", port, tls, NAME, NAME, (1,), proxied)
        for port, tls in ((server.port, False), (server.tls_port, True))
    )


def ask(server: Server, targets: tuple[Target, ...], ca: str | None = None) -> list[Observation]:
    """The front page at each door."""

    async def run() -> list[Observation]:
        async with Prober(5.0, ca) as prober:
            return [await prober.ask(target, FRONT) for target in targets]

    return asyncio.run(run())


def test_the_line_names_ourselves(nginx: Server) -> None:
    """The server takes our own address from it, plain and below TLS; without it there is no answer."""
    ca = str(nginx.folder / "ca.pem")
    told = ask(nginx, doors(nginx), ca)
    expected = [hashlib.sha256(f"127.0.0.1 {scheme}".encode()).hexdigest() for scheme in ("http", "https")]
    assert [(seen.status, seen.sha256, seen.certificate) for seen in told] == [
        (200, digest, "") for digest in expected
    ]
    assert all(seen.error for seen in ask(nginx, doors(nginx, proxied=False), ca))


def test_a_strike_there_is_seen_as_one(nginx: Server, running: Campaign) -> None:
    """The whole table is right at such doors, and a baseline of them compares all."""

    async def run() -> None:
        async with Prober(5.0, str(nginx.folder / "ca.pem")) as prober:
            expectations = Expectations(running, SECRET)
            baseline, silent = await take_baseline(prober, doors(nginx), expectations)
            assert silent == () and {one.volatile for one in baseline.prints.values()} == {()}
            nginx.strike(True)
            seen = await inspect(prober, doors(nginx), expectations, baseline)
            assert seen.findings == () and seen.shown == {"block": 1}

    asyncio.run(run())


def test_a_certificate_is_judged_behind_the_line(nginx: Server) -> None:
    """One that nobody knows is told, and the site asked nevertheless."""
    plain, tls = ask(nginx, doors(nginx))
    assert (plain.status, plain.certificate) == (200, "")
    assert tls.status == 200 and tls.certificate


def test_who_asks_from_inside_says_the_line_too(nginx: Server) -> None:
    """The program that looks around on a host."""
    for target in doors(nginx):
        where = [target.address, target.port, target.tls, target.name, target.authority, True]
        rows = ask_target([where, [["GET", "/", []]] * 2], 5.0)
        assert [(row[0], row[6]) for row in rows] == [(200, "")] * 2


@pytest.mark.parametrize("except_us", ["", "RemoteIPProxyProtocolExceptions 127.0.0.0/8"])
def test_apache_hears_it_as_well(folder: Path, except_us: str) -> None:
    """mod_remoteip's RemoteIPProxyProtocol, also where our network is excepted from it."""
    ports = free_ports(1)
    modules = ("mpm_event", "authz_core", "alias", "remoteip")
    vhost = VHOST.format(port=ports[0], name=NAME)
    server = start_apache(folder / "apache", f"{except_us}\n{vhost}", ports, modules)
    try:
        target = Target("web1", "127.0.0.1", ports[0], False, NAME, NAME, (), True)
        assert [seen.status for seen in ask(server, (target,))] == [410]
    finally:
        server.stop()


def test_a_door_that_is_shut_is_unreached() -> None:
    """Nobody listens: told as at any other door."""
    target = Target("web1", "127.0.0.1", free_ports(1)[0], False, NAME, NAME, (), True)
    job = Inquiry(target, (FRONT,))

    async def run() -> Observation:
        async with Prober(5.0) as prober:
            return await prober.ask(job.target, job.questions[0])

    assert asyncio.run(run()).is_unreached


def test_both_families_have_a_line() -> None:
    """As the protocol writes them."""
    assert proxy_line(("192.0.2.1", 4711), ("192.0.2.9", 80)) == b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 80\r\n"
    assert proxy_line(("2001:db8::1", 1, 0, 0), ("2001:db8::2", 80, 0, 0)) == (
        b"PROXY TCP6 2001:db8::1 2001:db8::2 1 80\r\n"
    )
