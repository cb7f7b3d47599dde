# SPDX-License-Identifier: GPL-3.0-or-later
"""Several servers of one kind on a host: told apart in a survey, with files of their own, none by a name it likes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from piquet.bundle import build_bundles
from piquet.campaign.model import Campaign
from piquet.plan import Entry, HostPlan, make_plan
from piquet.servers.registry import SERVERS
from tests.render.samples import CAMPAIGN, KEY, PHASE, WWW, facts, pages, plan
from tests.unit.samples import AT, apache, campaign, fleet, survey

LISTEN = {"address": "0.0.0.0", "port": 80, "tls": False, "default": False}


def serving(*names: str) -> dict[str, Any]:
    """A survey's Apache with these sites."""
    return apache(*({"names": [name], "listens": [LISTEN]} for name in names))


def test_each_instance_is_a_server_of_the_host() -> None:
    """With its own sites and facts; both have the way that the inventory chose for the kind."""
    told = survey(apache=serving("www.example.org"), **{"apache@blog": serving("blog.example.org")})
    (host,) = fleet({"web1": told}, piquet_apache="lua").hosts
    assert [(site.provider, site.name) for site in host.sites] == [
        ("apache", "www.example.org"),
        ("apache@blog", "blog.example.org"),
    ]
    assert [(server.provider, server.variant) for server in host.servers] == [
        ("apache", "lua"),
        ("apache@blog", "lua"),
    ]


def test_a_gate_speaks_of_the_instance_that_it_is_about() -> None:
    """Its test fails, the other's does not."""
    broken = {**serving("blog.example.org"), "test": {"ok": False, "output": "no"}}
    hosts = fleet({"web1": survey(apache=serving("www.example.org"), **{"apache@blog": broken})})
    found = [f for f in make_plan(campaign(), hosts, AT, SERVERS).findings if f.code == "config-broken"]
    assert [(f.severity, "apache@blog" in f.message) for f in found] == [("error", True)]


@pytest.mark.parametrize(
    "name", ["apache@", "apache@../../etc", "apache@a b", "apache@-x", "apache@" + "x" * 33, "nginx@x", "x@y"]
)
def test_a_name_that_could_mean_more_is_no_instance(name: str) -> None:
    """Whatever a host says: it would go into paths and configurations."""
    (host,) = fleet(
        {"web1": survey(apache=serving("www.example.org"), **{name: serving("x.example.org")})}
    ).hosts
    assert [site.name for site in host.sites] == ["www.example.org"]


def files_of(*providers: str, variant: str = "rules") -> dict[str, str]:
    """Path → text of a host whose servers each take part in another phase."""
    phases = (
        PHASE,
        replace(
            PHASE, number=2, start_at=PHASE.end_at, end_at=PHASE.end_at + (PHASE.end_at - PHASE.start_at)
        ),
    )
    asked: Campaign = replace(CAMPAIGN, phases=phases)
    servers = tuple(
        replace(facts("apache"), provider=p, variant=variant, dropin_dir=f"/etc/{p}/conf-enabled")
        for p in providers
    )
    entries = tuple(
        Entry(f"{n}.x.org", f"{n}.x.org", (n % 2 + 1,), p, None)
        for number, p in enumerate(providers)
        for n in (2 * number, 2 * number + 1)
    )
    names = tuple(sorted(entry.name for entry in entries))
    texts = [*pages(), *(replace(page, phase=2) for page in pages())]
    (bundle,) = build_bundles(
        plan(HostPlan("web1", "192.0.2.1", servers, entries, names), campaign=asked), texts, None, KEY
    )
    paths = [file.path for file in bundle.files]
    assert len(paths) == len(set(paths))
    return {file.path: file.content.decode("utf-8", "replace") for file in bundle.files}


@pytest.mark.parametrize("variant", ["rules", "lua"])
def test_no_two_instances_share_a_file(variant: str) -> None:
    """Nor does one ask for the other's: the first has what it has alone, and the second names a folder of its own."""
    alone, both = files_of("apache", variant=variant), files_of("apache", "apache@blog", variant=variant)
    decide = "20-decide.conf" if variant == "rules" else "20-lua.conf"
    assert both[f"/etc/piquet/apache@blog/{decide}"].count(f"{WWW}/apache@blog/sites/") > 0
    assert f"{WWW}/sites/" not in both[f"/etc/piquet/apache@blog/{decide}"]
    assert both[f"{WWW}/apache@blog/sites/1"] == " 2.x.org \n"
    assert both[f"{WWW}/sites/1"] == " 0.x.org \n"
    assert "/etc/piquet/apache@blog/*.conf" in both["/etc/apache@blog/conf-enabled/piquet.conf"]
    same = {path for path in alone if both.get(path) == alone[path]}
    unit = "/etc/systemd/system/piquet-boot.service"
    assert {p for p in alone if p not in same and p.startswith(("/etc/apache/", "/etc/systemd", WWW))} == {
        unit
    }
    assert "apache2@blog.service" in both[unit]


def test_code_in_a_file_is_each_servers_own() -> None:
    """So that one can forget it while the other goes on."""
    servers = {
        p: replace(facts("apache"), provider=p, variant="lua", lua_version="5.4")
        for p in ("apache", "apache@b")
    }
    entries = tuple(Entry("x.org", "x.org", (1,), p, None) for p in servers)
    host = HostPlan("web1", "192.0.2.1", tuple(servers.values()), entries, ("x.org",))
    (bundle,) = build_bundles(plan(host), pages(), None, KEY)
    assert len([file.path for file in bundle.files if file.path.endswith(".lua")]) == 2
