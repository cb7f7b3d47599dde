# SPDX-License-Identifier: GPL-3.0-or-later
"""Which doors are knocked on, and which are only reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from piquet.campaign.model import Campaign, Selection
from piquet.fleet.model import Fleet, Host, Listen
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS
from piquet.verify.observation import UNKNOWN_SITE, Target, Unreachable
from piquet.verify.targets import concrete_name, targets_of
from tests.verify.surveyed import host, site

V4 = Listen("0.0.0.0", 80, False)
V6 = Listen("::", 80, False)
TLS = Listen("0.0.0.0", 443, True)


def ask(campaign: Campaign, *hosts: Host) -> tuple[tuple[Target, ...], tuple[Unreachable, ...]]:
    """Targets for a fleet, without those for unknown names."""
    fleet = Fleet(hosts)
    targets, unreachable = targets_of(fleet, make_plan(campaign, fleet, datetime.now(UTC), SERVERS))
    return tuple(target for target in targets if target.site != UNKNOWN_SITE), unreachable


def test_every_door_once(ahead: Campaign) -> None:
    """A site on two ports of both families is asked once per port at the inventory's address."""
    targets, unreachable = ask(ahead, host(site("www.example.org", V4, V6, TLS)))
    assert [(t.address, t.port, t.tls, t.phases) for t in targets] == [
        ("192.0.2.1", 80, False, (1,)),
        ("192.0.2.1", 443, True, (1,)),
    ]
    assert unreachable == ()


def test_an_address_of_its_own(ahead: Campaign) -> None:
    """A site that listens on one address is asked there if the inventory names it for that host, IPv6 too."""
    own = Listen("192.0.2.77", 8080, False), Listen("2001:db8::7", 80, False)
    named = replace(host(site("www.example.org", *own)), addresses=("192.0.2.77", "2001:db8::7"))
    targets, unreachable = ask(ahead, named)
    assert {target.door for target in targets} == {"192.0.2.77:8080 (http)", "[2001:db8::7]:80 (http)"}
    assert {target.authority for target in targets} == {"www.example.org:8080", "www.example.org"}
    assert unreachable == ()


def test_the_other_family_is_asked_where_the_inventory_has_it(ahead: Campaign) -> None:
    """A wildcard of IPv6 is asked at the host's own address of that family."""
    both = replace(host(site("six.example.org", V6)), addresses=("2001:db8::7",))
    assert {target.door for target in ask(ahead, both)[0]} == {"[2001:db8::7]:80 (http)"}


@pytest.mark.parametrize(
    ("address", "listen", "expected"),
    [
        ("web1.example.org", "192.0.2.5", {"192.0.2.5:80 (http)"}),
        ("web1.example.org", "192.0.2.6", set()),
        ("web1.example.org", "0.0.0.0", {"web1.example.org:80 (http)"}),
        ("web1.example.org", "::", set()),
        ("nowhere.example.org", "192.0.2.5", set()),
        ("nowhere.example.org", "0.0.0.0", {"nowhere.example.org:80 (http)"}),
    ],
)
def test_an_inventory_may_have_names(ahead: Campaign, address: str, listen: str, expected: set[str]) -> None:
    """What the inventory's own name for a host resolves to is the host's; where it does not, only that name counts."""
    fleet = Fleet((host(site("www.example.org", Listen(listen, 80, False)), address=address),))
    plan = make_plan(ahead, fleet, datetime.now(UTC), SERVERS)
    targets, _ = targets_of(fleet, plan, {"web1.example.org": ["192.0.2.5"]})
    assert expected == {target.door for target in targets}


@pytest.mark.parametrize(
    "address",
    [
        "192.0.2.2", "198.51.100.9", "10.0.0.1", "169.254.169.254", "fe80::1", "fd00:ec2::254", "224.0.0.1",
        "255.255.255.255", "::ffff:127.0.0.1", "::ffff:192.0.2.2", "::ffff:0.0.0.0", "0::0", "127.0.0.53", "::1",
        "localhost", "web2.example.org", "192.0.2.1.nip.io", "0x7f000001", "2130706433", "0", "",
    ],
)  # fmt: skip
def test_a_survey_sends_nobody_elsewhere(ahead: Campaign, address: str) -> None:
    """A host that is somebody else's by now may write any address into its survey: only its own is connected to."""
    everywhere = site("www.example.org", Listen(address, 6379, False), Listen("0.0.0.0", 80, False))
    targets, unreachable = ask(ahead, host(everywhere))
    assert {target.address for target in targets} == {"192.0.2.1"}
    assert len(unreachable) == (address != "")


def test_a_proxy_line_is_part_of_a_door(ahead: Campaign) -> None:
    """Also for the name that nobody serves."""
    fleet = Fleet((host(site("www.example.org", Listen("0.0.0.0", 81, False, proxy_protocol=True))),))
    targets, _ = targets_of(fleet, make_plan(ahead, fleet, datetime.now(UTC), SERVERS))
    assert [(t.name == "www.example.org", t.proxy_protocol) for t in targets] == [(True, True), (False, True)]


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        (Listen("127.0.0.1", 8080, False), "a loopback address, not reachable from outside"),
        (Listen("::1", 8080, False), "a loopback address, not reachable from outside"),
        (Listen("unix:/run/x.sock", 0, False), "a unix socket, not reachable from outside"),
        (V6, "IPv6 only, the inventory has no such address"),
    ],
)
def test_out_of_reach_is_reported(ahead: Campaign, listen: Listen, reason: str) -> None:
    """What no visitor from outside could reach is reported and not asked."""
    targets, unreachable = ask(ahead, host(site("www.example.org", listen)))
    assert targets == ()
    assert [one.reason for one in unreachable] == [reason]


def test_loopback_is_asked_on_this_machine(ahead: Campaign) -> None:
    """Where the inventory itself says 127.0.0.1, loopback is reachable."""
    targets, _ = ask(
        ahead, host(site("www.example.org", Listen("127.0.0.1", 8080, False)), address="127.0.0.1")
    )
    assert [target.door for target in targets] == ["127.0.0.1:8080 (http)"]


def test_names_below_a_wildcard(ahead: Campaign) -> None:
    """An excluded name below a wildcard is asked too, as not selected; the wildcard by a name of its own."""
    sites = Selection(include=("*",), exclude=("urgent.blogs.example.org",), consent={})
    wild = site("*.blogs.example.org", V4)
    targets, _ = ask(replace(ahead, sites=sites), host(wild, site("piquet-probe.blogs.example.org", V4)))
    assert {(t.site, t.name, t.phases) for t in targets} == {
        ("*.blogs.example.org", "piquet-probe1.blogs.example.org", (1,)),
        ("piquet-probe.blogs.example.org", "piquet-probe.blogs.example.org", (1,)),
        ("urgent.blogs.example.org", "urgent.blogs.example.org", ()),
    }


def test_hosts_take_turns_and_strangers_are_asked(ahead: Campaign) -> None:
    """Targets alternate between hosts; each door is also asked for a name that nobody serves."""
    hosts = [
        host(site("a.example.org", V4), site("b.example.org", V4), name=name) for name in ("web1", "web2")
    ]
    fleet = Fleet(tuple(hosts))
    targets, _ = targets_of(fleet, make_plan(ahead, fleet, datetime.now(UTC), SERVERS))
    assert [target.host for target in targets] == ["web1", "web2"] * 3
    assert [target.site for target in targets[-2:]] == [UNKNOWN_SITE] * 2
    assert all(target.phases == () for target in targets[-2:])


def test_no_name_to_ask_for() -> None:
    """A pattern that is no host name has no name; a made-up name never falls to another site."""
    assert concrete_name("~^www\\d+", frozenset()) is None
    known = frozenset({"*.example.org", "*.piquet-probe.example.org", "piquet-probe.example.org"})
    assert concrete_name("*.example.org", known) == "piquet-probe1.example.org"


def test_http3_is_not_asked(ahead: Campaign) -> None:
    """A site that has it besides is asked by TCP and marked; one that has nothing else is told by name."""
    both = replace(site("www.example.org", TLS), over_http3=True)
    alone = replace(site("quic.example.org"), over_http3=True)
    targets, unreachable = ask(ahead, host(both, alone))
    assert [(one.name, one.over_http3) for one in targets] == [("www.example.org", True)]
    assert [one.label for one in unreachable] == [
        "quic.example.org on web1: it answers over HTTP/3 only, which is not asked"
    ]
