# SPDX-License-Identifier: GPL-3.0-or-later
"""`verify --public`: real HAProxy, Varnish and Caddy between visitors and a real nginx, before, inside and after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from piquet.campaign.model import Campaign
from piquet.errors import FleetError
from piquet.verify.baseline import Baseline, compare, make_baseline, merge, read_baseline, write_baseline
from piquet.verify.expectations import Expectations, Moment
from piquet.verify.fronts import seen_through, told_before
from piquet.verify.observation import PUBLIC, UNKNOWN_SITE, Observation, Reply, Target
from piquet.verify.outside.inspection import Inspection, inspect, take_baseline
from piquet.verify.outside.names import Resolver, as_resolver, look_up
from piquet.verify.outside.probe import Prober
from piquet.verify.public import Lookup, PublicDoors, public_doors, public_names
from piquet.verify.questions import FRONT
from tests.ports import free_ports

from .conftest import make_campaign
from .fronts import in_front, purge, resolver
from .servers import SECRET, Server, make_authority, start_nginx, strike_lines

NAME = "www.example.org"
SITE = """server {{ listen 127.0.0.1:{port} default_server; listen 127.0.0.1:{tls} ssl default_server;
  server_name {name}; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  {strike} root {folder}/www; location / {{ try_files $uri $uri/index.html =404; {own} }} }}
"""


@pytest.fixture
def nginx(folder: Path, running: Campaign) -> Iterator[Server]:
    """One site of the running campaign at a plain and a TLS door."""
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("<h1>As usual</h1>\n" * 50)
    make_authority(folder, [NAME])
    ports = free_ports(2)
    fields = {"port": ports[0], "tls": ports[1], "folder": folder, "name": NAME, "own": ""}
    server = start_nginx(folder, SITE.format(strike=strike_lines(running), **fields), ports)
    yield server
    server.stop()


def own_doors(server: Server) -> tuple[Target, ...]:
    """Both of the host's."""
    doors = ((server.port, False), (server.tls_port, True))
    return tuple(Target("web1", "127.0.0.1", port, tls, NAME, NAME, (1,)) for port, tls in doors)


def led(server: Server, ports: Sequence[int]) -> PublicDoors:
    """DNS leads to what listens on these ports: http, https."""
    lookups = {NAME: Lookup(("127.0.0.1",))}
    visitors = [(port, bool(place)) for place, port in enumerate(ports)]
    return public_doors(own_doors(server), lookups, {}, {"127.0.0.1"}, visitors)


class Round:
    """A server, and what stands in front of it."""

    def __init__(
        self, server: Server, campaign: Campaign, ports: Sequence[int], *, baseline: bool = False
    ) -> None:
        """Take a baseline, if wanted; the ports are those of visitors."""
        self.targets = (*own_doors(server), *led(server, ports).targets)
        self.server, self.campaign = server, campaign
        self.baseline = read_baseline(write_baseline(asyncio.run(self._take()))) if baseline else None

    async def _take(self) -> Baseline:
        async with Prober(5.0, str(self.server.folder / "ca.pem")) as prober:
            return (await take_baseline(prober, self.targets, Expectations(self.campaign, SECRET)))[0]

    def look(self, moment: Moment, **sources: str) -> Inspection:
        """One inspection."""

        async def run() -> Inspection:
            expectations = Expectations(self.campaign, SECRET, moment, sources=sources)
            async with Prober(5.0, str(self.server.folder / "ca.pem")) as prober:
                return await inspect(prober, self.targets, expectations, self.baseline)

        return asyncio.run(run())


def codes(seen: Inspection) -> set[tuple[str, str]]:
    """Severity and code of every finding."""
    return {(one.severity, one.code) for one in seen.findings}


@pytest.mark.parametrize("kind", ["haproxy", "caddy"])
def test_the_strike_is_seen_through_what_passes_it_on(
    kind: str, nginx: Server, running: Campaign, folder: Path
) -> None:
    """Before: named as somebody else. Inside: the whole table by way of it. After: as at the baseline."""
    ports = free_ports(2)
    with in_front(kind, nginx.port, ports, folder):
        course = Round(nginx, running, ports, baseline=True)
        before = course.look("before")
        assert codes(before) == {("warning", "answered-elsewhere")}
        assert len(before.findings) == 1 and before.through.asked == {NAME} == before.through.names
        assert set(before.through.by_name) == {
            "Caddy" if kind == "caddy" else "something that does not say what it is"
        }
        nginx.strike(True)
        inside = course.look("during")
        assert inside.findings == () and inside.through.showing == {NAME}
        assert inside.shown == {"block": 1}
        nginx.strike(False)
        after = course.look("after")
        assert after.findings == () and {row.verdict for row in after.returned} == {"identical"}
        assert {row.reply.target.host for row in after.returned} == {"web1", PUBLIC}


def test_a_baseline_without_dns_says_nothing_of_what_stands_there(
    nginx: Server, running: Campaign, folder: Path
) -> None:
    """It was taken at the hosts alone: they are compared, and public doors only looked at for the strike."""
    ports = free_ports(2)
    with in_front("haproxy", nginx.port, ports, folder):
        course = Round(nginx, running, ports, baseline=True)
        assert course.baseline
        prints = {key: one for key, one in course.baseline.prints.items() if key.host != PUBLIC}
        course.baseline = replace(course.baseline, prints=prints)
        after = course.look("after")
        assert {row.reply.target.host for row in after.returned} == {"web1"} and after.findings == ()


def test_a_cache_in_front_hides_the_strike_and_keeps_it(
    nginx: Server, running: Campaign, folder: Path
) -> None:
    """Varnish, by its own rules: told before; inside it is a cache that hides the strike until it is purged."""
    ports = free_ports(1)
    with in_front("varnish", nginx.port, ports, folder):
        course = Round(nginx, running, ports)
        assert codes(course.look("before")) == {
            ("warning", "answered-elsewhere"),
            ("warning", "cached-in-front"),
        }
        assert course.look("before").through.by_name == {"Varnish": 1}
        nginx.strike(True)
        hidden = course.look("during")
        assert ("error", "hidden-by-cache") in codes(hidden)
        assert (hidden.through.asked, hidden.through.showing) == ({NAME}, frozenset())
        assert {one.subject for one in hidden.findings} == {f"{NAME} by DNS, 127.0.0.1:{ports[0]} (http)"}
        purge(folder)
        assert course.look("during").findings == ()
        nginx.strike(False)
        assert course.look("after").findings == ()


def test_a_front_that_asks_for_health_shows_its_own_page(
    nginx: Server, running: Campaign, folder: Path
) -> None:
    """HAProxy takes a host on strike out of service: not the strike's 503, and the health path is named as the way."""
    ports = free_ports(2)
    check = {"check": "option httpchk GET /", "options": "check inter 100ms fall 1 rise 1"}
    with in_front("haproxy", nginx.port, ports, folder, **check):
        course = Round(nginx, running, ports)
        nginx.strike(True)
        asyncio.run(asyncio.sleep(0.5))
        inside = course.look("during")
        assert ("error", "not-seen-through") in codes(inside) and inside.through.showing == frozenset()
        told = next(one for one in inside.findings if one.code == "not-seen-through")
        assert "piquet_health_paths" in told.hint and told.got.startswith("503, ")


def test_a_redirect_of_the_front_leads_to_the_strike(nginx: Server, running: Campaign, folder: Path) -> None:
    """http is sent to https by HAProxy itself: a limit, since https shows the strike, there or at the host itself."""
    ports = free_ports(2)
    to = f"http-request redirect location https://{NAME}:{ports[1]}%[capture.req.uri] unless {{ ssl_fc }}"
    with in_front("haproxy", nginx.port, ports, folder, redirect=to):
        course = Round(nginx, running, ports)
        nginx.strike(True)
        inside = course.look("during")
        assert codes(inside) == {("warning", "redirected-before-us")} and inside.through.showing == {NAME}
        assert "(what stands in front)" in inside.findings[0].message
        assert codes(Round(nginx, running, ports[:1]).look("during")) == {("warning", "redirected-before-us")}


def test_an_open_network_behind_a_front(nginx: Server, running: Campaign, folder: Path) -> None:
    """Who asks from an open network sees the site at the host, and the strike by way of the front."""
    ports = free_ports(2)
    nginx.edit("if (-f $flag) {", "if ($http_x_forwarded_for = '') { set $flag /none; } if (-f $flag) {")
    doors = replace(running.doors, networks=("127.0.0.0/8",))
    with in_front("caddy", nginx.port, ports, folder):
        course = Round(nginx, replace(running, doors=doors), ports)
        nginx.strike(True)
        seen = course.look("during", **{"127.0.0.1": "127.0.0.1"})
        assert codes(seen) == {("warning", "door-shut-in-front")}, seen.findings


def test_a_server_of_before_is_still_in_dns(nginx: Server, running: Campaign, folder: Path) -> None:
    """DNS leads to a server that is nobody's of the fleet: it does not show the strike that the hosts show."""
    ports = free_ports(2)
    fields = {"port": ports[0], "tls": ports[1], "folder": folder, "name": NAME, "own": "", "strike": ""}
    (folder / "old").mkdir()
    other = start_nginx(folder / "old", SITE.format(**fields), ports)
    try:
        nginx.strike(True)
        inside = Round(nginx, running, ports).look("during")
    finally:
        other.stop()
    assert codes(inside) == {("error", "not-seen-through")}
    assert inside.shown == {"block": 1} and inside.through.showing == frozenset()


def test_one_port_of_two_is_no_fault(nginx: Server, running: Campaign, folder: Path) -> None:
    """Nobody at http, and https answers: told, and no error. Nobody at either: visitors get nothing."""
    shut, ports = free_ports(1), free_ports(2)
    with in_front("haproxy", nginx.port, ports, folder):
        seen = Round(nginx, running, [*shut, ports[1]]).look("before")
    assert codes(seen) == {("warning", "answered-elsewhere"), ("info", "no-answer")}
    seen = Round(nginx, running, [*shut, ports[1]]).look("before")
    assert codes(seen) == {("error", "no-answer")} and seen.through.asked == frozenset()


def target(name: str, host: str, address: str, *ports: int) -> list[Target]:
    """A site that takes part, at doors of a host."""
    return [Target(host, address, port, port == 443, name, name, (1,)) for port in ports]


OWN = [
    *target("a.example", "web1", "192.0.2.1", 80, 443),
    *target("b.example", "web2", "web2.internal", 443),
    *target("c.example", "web2", "web2.internal", 8080),
    *(
        replace(one, site=UNKNOWN_SITE, name="x.invalid", phases=())
        for one in target("", "web1", "192.0.2.1", 80)
    ),
    replace(target("d.example", "web1", "192.0.2.1", 80)[0], phases=()),
]


@pytest.mark.parametrize(
    ("name", "found", "asked", "unasked"),
    [
        ("a.example", Lookup(("192.0.2.1",)), [], []),
        ("a.example", Lookup(("192.0.2.9",)), ["192.0.2.9:80 (http)", "192.0.2.9:443 (https)"], []),
        # web2's own address, also where its default server answers at http; but not another host's
        ("b.example", Lookup(("198.51.100.2",)), ["198.51.100.2:80 (http)"], []),
        ("b.example", Lookup(("192.0.2.1",)), ["192.0.2.1:80 (http)", "192.0.2.1:443 (https)"], []),
        # something else on the host stands in front of its server at 8080; at 443 that is the server itself
        ("c.example", Lookup(("198.51.100.2",)), ["198.51.100.2:80 (http)"], []),
        ("a.example", Lookup(error="DNS knows no such name"), [], ["DNS knows no such name"]),
        ("a.example", Lookup(("127.0.0.1",)), [], ["no address that visitors could reach"]),
        ("a.example", Lookup(("169.254.169.254",)), [], ["no address that visitors could reach"]),
        ("a.example", Lookup(("2001:db8::9", "192.0.2.1")), [], ["this machine has no way there"]),
    ],
)
def test_only_what_is_nobodys_door_is_asked(
    name: str, found: Lookup, asked: list[str], unasked: list[str]
) -> None:
    """What is the same question is not asked twice; what cannot be asked is told by name."""
    ways = {"192.0.2.1", "192.0.2.9", "198.51.100.2"}
    doors = public_doors(OWN, {name: found}, {"web2.internal": ["198.51.100.2"]}, ways)
    assert [one.door for one in doors.targets] == asked
    assert [(one.site, one.reason) for one in doors.not_asked] == [(name, reason) for reason in unasked]
    assert doors.straight == ((name,) if not asked and not unasked else ())
    assert all(one.is_public and one.phases == (1,) for one in doors.targets)


def test_only_sites_that_take_part_are_looked_up() -> None:
    """Neither names that nobody serves nor sites that stay as they are."""
    assert public_names(OWN) == ("a.example", "b.example", "c.example")


def test_more_addresses_than_are_asked() -> None:
    """The others are named."""
    found = Lookup(tuple(f"203.0.113.{n}" for n in range(1, 7)))
    doors = public_doors(OWN, {"a.example": found}, {}, set(found.addresses))
    assert len(doors.targets) == 2 * 4
    assert [one.place for one in doors.not_asked] == ["203.0.113.5, 203.0.113.6"]


def test_names_are_looked_up_at_the_resolver_that_is_named() -> None:
    """Both families, aliases, names that are not there or have no address; one that is silent costs one time limit."""
    zone = {
        "a.example": ["192.0.2.1", "2001:db8::1"],
        "b.example": ["b.cdn.example"],
        "b.cdn.example": ["192.0.2.9"],
        "empty.example": [],
    }
    with resolver(zone) as where:
        asked = asyncio.run(
            look_up(["a.example", "b.example", "empty.example", "no.example"], as_resolver(where), 5)
        )
    assert asked == {
        "a.example": Lookup(("192.0.2.1", "2001:db8::1")),
        "b.example": Lookup(("192.0.2.9",), "b.cdn.example"),
        "empty.example": Lookup(error="DNS knows no address of it"),
        "no.example": Lookup(error="DNS knows no such name"),
    }
    (port,) = free_ports(1)
    silent = asyncio.run(look_up([f"n{n}.example" for n in range(100)], Resolver("127.0.0.1", port), 0.2))
    assert len(silent) == 100
    assert sum(one.error.startswith("not looked up") for one in silent.values()) > 50


def test_this_machines_own_resolver() -> None:
    """`.invalid` is nobody's, and no domain of this machine's own is put behind it. Source: RFC 6761 section 6.4."""
    found = asyncio.run(look_up(["piquet.invalid"], None, 5.0))
    assert not found["piquet.invalid"].addresses and found["piquet.invalid"].error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9.9.9.9", Resolver("9.9.9.9")),
        ("127.0.0.1:5353", Resolver("127.0.0.1", 5353)),
        ("2620:fe::fe", Resolver("2620:fe::fe")),
        ("[::1]:5353", Resolver("::1", 5353)),
        ("dns.example", None),
        ("9.9.9.9:x", None),
    ],
)
def test_a_resolver_is_an_address(text: str, expected: Resolver | None) -> None:
    """A name is not looked up to find who looks names up."""
    if expected:
        assert as_resolver(text) == expected
    else:
        with pytest.raises(FleetError, match="expected an IP address"):
            as_resolver(text)


def seen(name: str, address: str, body: str, *headers: tuple[str, str]) -> Reply:
    """The front page by DNS."""
    where = Target(PUBLIC, address, 443, True, name, name, (1,))
    return Reply(where, FRONT, Observation(200, headers, body * 64, 9, 1.0, 1.0))


def test_what_stands_in_front_may_say_another_thing_each_time() -> None:
    """Another address, other headers of its own: the site is as before; another body is another body."""
    first = seen("a.example", "192.0.2.9", "a", ("cf-ray", "1"), ("content-type", "text/html"))
    baseline = make_baseline("greve-test", 1.0, [first], [first])
    again = seen(
        "a.example", "192.0.2.10", "a", ("cf-ray", "2"), ("x-cache", "HIT"), ("content-type", "text/html")
    )
    assert compare(baseline, again).verdict == "identical"
    other = compare(baseline, seen("a.example", "192.0.2.10", "b", ("content-type", "text/html")))
    assert (other.verdict, [one.field for one in other.found]) == ("different", ["body"])


def test_a_take_of_some_names_keeps_those_of_others() -> None:
    """As one of some hosts does: of what is asked by DNS each name is by itself."""
    old = [seen("a.example", "192.0.2.9", "a"), seen("b.example", "192.0.2.9", "b")]
    new = [seen("b.example", "192.0.2.9", "c")]
    merged = merge(make_baseline("g", 1.0, old, old), make_baseline("g", 2.0, new, new))
    assert {key.name: one.fields["body"][0] for key, one in merged.prints.items()} == {
        "a.example": "a",
        "b.example": "c",
    }


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ((("server", "cloudflare"), ("cf-ray", "8")), "Cloudflare"),
        ((("via", "1.1 varnish (Varnish/7.1)"),), "Varnish"),
        ((("x-served-by", "cache-cdg20761-CDG"),), "Fastly"),
        ((("x-served-by", "app3"),), "something that does not say what it is"),
        ((("server", "nginx"),), "something that does not say what it is"),
    ],
)
def test_who_it_says_that_it_is(headers: tuple[tuple[str, str], ...], name: str) -> None:
    """By its own headers; not by what the hosts say on the way."""
    public = seen("a.example", "192.0.2.9", "a", *headers)
    behind = Reply(target("a.example", "web1", "192.0.2.1", 443)[0], FRONT, public.observation)
    campaign = make_campaign(datetime(2026, 12, 17, tzinfo=UTC))
    assert set(seen_through([public], campaign).by_name) == {name}
    assert set(seen_through([public, behind], campaign).by_name) == {"something that does not say what it is"}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ((("age", "0"), ("x-cache", "MISS")), None),
        (
            (("age", "40"), ("cache-control", "public, max-age=60, s-maxage=600")),
            "Age: 40; kept for: up to 560 s",
        ),
        ((("x-varnish", "32773 3"),), "X-Varnish: 32773 3; kept for: nobody says how long"),
        ((("x-varnish", "32773"),), None),
        ((("cf-cache-status", "HIT"),), "Cf-Cache-Status: HIT; kept for: nobody says how long"),
        (
            (("cache-status", "edge; hit"), ("cache-control", "max-age=9")),
            "Cache-Status: edge; hit; kept for: up to 9 s",
        ),
        ((("cache-control", "hit"),), None),
    ],
)
def test_a_cache_is_told_before_by_what_it_says(
    headers: tuple[tuple[str, str], ...], told: str | None
) -> None:
    """With how long it may keep the page."""
    through = seen_through(
        [seen("a.example", "192.0.2.9", "a", *headers)], make_campaign(datetime(2026, 12, 17, tzinfo=UTC))
    )
    found = [one.got for one in told_before(through) if one.code == "cached-in-front"]
    assert found == ([told] if told else [])
