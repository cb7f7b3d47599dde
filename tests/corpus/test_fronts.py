# SPDX-License-Identifier: GPL-3.0-or-later
"""`verify --public` over a staged and armed campaign: real HAProxy, Varnish and Caddy before real nginx and Apache."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from piquet.campaign.model import Mode
from piquet.verify.expectations import Expectations, Moment
from piquet.verify.observation import Target
from piquet.verify.outside.inspection import Inspection, inspect
from piquet.verify.outside.probe import Prober
from piquet.verify.public import Lookup, public_doors
from tests.ports import free_ports
from tests.verify.fronts import in_front, purge
from tests.verify.servers import make_authority

from .chroot import ADDRESS
from .conftest import Planter
from .kinds import Provider, host_name
from .picket import SECRET, Picket, picket
from .servers import Server

HOST = host_name("static")
FRONTS_OWN = "127.0.0.2"
"""From where HAProxy asks the server, so that it is told apart from a visitor."""


class Fronted:
    """An armed server inside its window, and what stands in front of it."""

    def __init__(self, server: Server, strike: Picket, port: int, folder: Path) -> None:
        """The port is that of visitors, by plain HTTP."""
        own = (Target("web1", ADDRESS, server.http, False, HOST, HOST, (1,)),)
        public = public_doors(own, {HOST: Lookup((ADDRESS,))}, {}, {ADDRESS}, [(port, False)])
        self.server, self.strike, self.folder = server, strike, folder
        self.targets = (*own, *public.targets)

    def look(self, moment: Moment = "during") -> Inspection:
        """One inspection, from the loopback address."""

        async def run() -> Inspection:
            sources = {ADDRESS: ADDRESS}
            async with Prober(5.0, str(self.folder / "ca.pem")) as prober:
                expectations = Expectations(self.strike.campaign, SECRET, moment, sources=sources)
                return await inspect(prober, self.targets, expectations)

        return asyncio.run(run())


@contextmanager
def fronted(
    kind: str,
    server: Server,
    folder: Path,
    mode: Mode = "block",
    networks: tuple[str, ...] = (),
    **words: str,
) -> Iterator[Fronted]:
    """Stage and arm the server for this hour, and put something before it."""
    now = datetime.now(UTC).replace(microsecond=0)
    asked = picket(server, (now - timedelta(hours=1), now + timedelta(hours=1)), mode=mode, networks=networks)
    asked.hook(server)
    asked.stage(server)
    ports = free_ports(2)
    place = folder / "front"
    place.mkdir()
    make_authority(place, [HOST])
    with server.serving(on_its_clock=False), in_front(kind, server.http, ports, place, **words):
        yield Fronted(server, asked, ports[0], place)


def codes(seen: Inspection) -> set[tuple[str, str]]:
    """Severity and code of every finding."""
    return {(one.severity, one.code) for one in seen.findings}


def by_dns(seen: Inspection) -> set[tuple[str, str]]:
    """The same, of public doors alone."""
    return {(one.severity, one.code) for one in seen.findings if " by DNS, " in one.subject}


ROWS: list[tuple[str, Provider, dict[str, Any]]] = [
    ("haproxy", "nginx", {}),
    ("varnish", "apache", {}),
    ("caddy", "apache", {"marks": pytest.mark.long}),
    ("haproxy", "apache", {"marks": pytest.mark.long}),
    ("varnish", "nginx", {"marks": pytest.mark.long}),
    ("caddy", "nginx", {"marks": pytest.mark.long}),
]


@pytest.mark.parametrize(("kind", "provider"), [pytest.param(*row[:2], **row[2]) for row in ROWS])
def test_a_block_is_seen_through_it(kind: str, provider: Provider, planted: Planter, tmp_path: Path) -> None:
    """Before: somebody else answers. Armed: the whole table by way of it, unless a cache kept pages. After: usual."""
    server = planted(provider, "00-default", "static")
    with fronted(kind, server, tmp_path) as course:
        assert codes(course.look("before")) >= {("warning", "answered-elsewhere")}
        server.make_flags(course.strike.keys)
        if kind == "varnish":
            assert ("error", "hidden-by-cache") in by_dns(course.look())
            purge(course.folder)
        inside = course.look()
        assert inside.findings == () and inside.through.showing == {HOST}
        server.drop_flags()
        assert codes(course.look("after")) == set()


def test_a_door_for_a_network_behind_a_front(planted: Planter, tmp_path: Path) -> None:
    """Two tiers, the one behind sees the address of the one in front: who asks from an open network is shut out."""
    server = planted("nginx", "00-default", "static")
    own = {"options": f"source {FRONTS_OWN}"}
    with fronted("haproxy", server, tmp_path, networks=(f"{ADDRESS}/32",), **own) as course:
        server.make_flags(course.strike.keys)
        assert codes(course.look()) == {("warning", "door-shut-in-front")}


def test_the_front_itself_in_an_open_network(planted: Planter, tmp_path: Path) -> None:
    """All who come by way of it are let through: the hosts show the strike, and visitors do not see it."""
    server = planted("apache", "00-default", "static")
    own = {"options": f"source {FRONTS_OWN}"}
    with fronted("haproxy", server, tmp_path, networks=(f"{FRONTS_OWN}/32",), **own) as course:
        server.make_flags(course.strike.keys)
        inside = course.look()
        assert codes(inside) == {("error", "not-seen-through")} and not inside.through.showing
        assert all("open network of the campaign" in one.hint for one in inside.findings)


def test_a_cache_that_keeps_what_it_may_not(planted: Planter, tmp_path: Path) -> None:
    """As panels set caches up, it overlooks no-store: the page with a banner stays after the end, until a purge."""
    server = planted("apache", "00-default", "static")
    deaf = {"response": "unset beresp.http.Cache-Control; set beresp.ttl = 5m; return (deliver);"}
    with fronted("varnish", server, tmp_path, mode="banner", **deaf) as course:
        server.make_flags(course.strike.keys)
        assert by_dns(course.look()) == {("warning", "changed-in-front")}
        server.drop_flags()
        after = course.look("after")
        assert ("error", "kept-by-cache") in codes(after)
        assert {one.hint for one in after.findings if one.code == "kept-by-cache"} == {
            "its owner can purge it; what it kept it shows until then, or for as long as it was told to"
        }
        purge(course.folder)
        assert codes(course.look("after")) == set()
