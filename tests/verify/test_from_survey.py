# SPDX-License-Identifier: GPL-3.0-or-later
"""From an owner's configuration to an answer: what the survey reads of real servers is where verify gets one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from piquet.campaign.model import Campaign
from piquet.fleet.read import read_fleet
from piquet.host.servers.nginx import config as nginx_config
from piquet.host.servers.nginx import server as nginx
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS
from piquet.verify.observation import UNKNOWN_SITE, Observation
from piquet.verify.outside.probe import Prober
from piquet.verify.questions import FRONT
from piquet.verify.targets import targets_of
from tests.ports import free_ports

from .servers import make_authority, start_nginx

BLOCK = """server {{ listen {listen}; server_name {name};
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; return 418; }}
"""
NAMES = ("a.example.org", "b.example.org")


@pytest.mark.parametrize(
    ("address", "first", "second"),
    [
        ("127.0.0.1", "[::]:{} ssl ipv6only=off", "[::]:{}"),
        ("127.0.0.1", "[::]:{} ipv6only=off proxy_protocol", "[::]:{}"),
        ("::1", "[::]:{} ssl ipv6only=off", "[::]:{}"),
        ("::1", "[::]:{0} proxy_protocol; listen 127.0.0.1:{0}", "[::]:{0}"),
        ("127.0.0.1", "127.0.0.1:{} proxy_protocol ssl", "127.0.0.1:{}"),
        ("127.0.0.1", "{} proxy_protocol", "127.0.0.1:{}"),
    ],
)
def test_every_door_that_is_read_answers(
    folder: Path, ahead: Campaign, address: str, first: str, second: str
) -> None:
    """One block says how its socket is, another shares it: both are asked in the right way, by either family."""
    make_authority(folder, list(NAMES))
    (port,) = free_ports(1)
    listens = [text.format(port) for text in (first, second)]
    blocks = zip(NAMES, listens, strict=True)
    sites = "".join(BLOCK.format(listen=listen, name=name, folder=folder) for name, listen in blocks)
    server = start_nginx(folder / "nginx", sites, [port])
    try:
        read = nginx_config.read_configuration(server.folder / "nginx.conf").blocks
        facts = {"version": "1", "modules": [], "running": True, "dropin_dir": None, "test": {"ok": True}}
        facts["blocks"] = [nginx.block_record(block) for block in read]
        survey = {"piquet_survey": 1, "at": 0.0, "nginx": facts}
        fleet = read_fleet({"web1": {"ansible_host": address}}, {"web1": survey}, SERVERS)
        targets, unasked = targets_of(fleet, make_plan(ahead, fleet, datetime.now(UTC), SERVERS))

        async def ask() -> list[Observation]:
            async with Prober(5.0, str(folder / "ca.pem")) as prober:
                return [await prober.ask(target, FRONT) for target in targets]

        assert {t.site for t in targets} == {*NAMES, UNKNOWN_SITE} and unasked == ()
        assert {(seen.status, seen.error) for seen in asyncio.run(ask())} == {(418, "")}
    finally:
        server.stop()
