# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in front of Apache on one host: what the agent sees of it, and what the plan says of doors by address."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from piquet.campaign.model import Doors
from piquet.fleet.read import read_fleet
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS

from .chroot import ADDRESS
from .conftest import Planter
from .kinds import HERE
from .picket import picket
from .surveyed import ask_agent

FRONT = """server {{ listen {port}; server_name static.corpus.example;
location / {{ proxy_set_header Host $host; proxy_pass http://{address}:{behind}; }} }}
"""
REMOTEIP = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy {}\n"


@pytest.mark.parametrize(
    ("networks", "told", "expected"),
    [
        (("192.0.2.0/24",), "", ["static.corpus.example"]),
        (("192.0.2.0/24",), REMOTEIP.format("192.0.2.9"), ["static.corpus.example"]),
        (("192.0.2.0/24",), REMOTEIP.format("127.0.0.0/8"), []),
        ((), "", []),
    ],
)
def test_a_door_by_address_needs_the_visitors_address_behind(
    networks: tuple[str, ...], told: str, expected: list[str], planted: Planter
) -> None:
    """Refused with the site's name, unless the server behind takes the front's word or no network is open."""
    server = planted("apache", "static", "remoteip")
    chroot, port = server.chroot, server.https
    front = FRONT.format(port=port, address=ADDRESS, behind=server.http)
    chroot.write("/etc/nginx/nginx.conf", (HERE / "base/nginx.conf").read_bytes())
    chroot.write("/etc/nginx/sites-enabled/front.conf", front.encode())
    chroot.write("/etc/apache2/conf-enabled/told.conf", told.encode())
    document = ask_agent(server) | {"skew_s": 0.0}
    campaign = replace(picket(server).campaign, doors=Doors(("/api/",), networks, True))
    at = campaign.phases[0].start_at - timedelta(hours=1)
    document |= {"at": at.timestamp()}
    for provider in ("nginx", "apache"):
        document[provider]["running"] = True
    fleet = read_fleet({"corpus": {"ansible_host": "192.0.2.1"}}, {"corpus": document}, SERVERS)
    found = [
        f for f in make_plan(campaign, fleet, at, SERVERS).findings if f.code == "two-tiers-network-door"
    ]
    assert [site for finding in found for site in finding.sites] == expected
