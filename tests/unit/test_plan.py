# SPDX-License-Identifier: GPL-3.0-or-later
"""Who shows what, and what stops a plan: each gate with a case on which it fires and one on which it is silent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from piquet.campaign.model import Campaign, Phase, Theme
from piquet.errors import PlanError
from piquet.plan import Entry, Plan, Probe, make_plan, plan_digest, plan_document, raise_if_unsafe
from piquet.plan.gates.server import BROKEN
from piquet.protocol.findings import Finding
from piquet.servers.apache.modules import BANNER_MODULES
from piquet.servers.registry import SERVERS
from tests.unit.package import ROOT

from .samples import AT, apache, block, campaign, fleet, nginx, survey

SITES = nginx(block(1, "www.example.org"), block(9, "shop.example.org"), block(20, "*.blogs.example.org"))
Survey = dict[str, Any]


def plan_of(asked: Campaign | None = None, at: datetime = AT, **surveys: Survey | None) -> Plan:
    """The plan for these hosts, or for one sound host."""
    documents = surveys or {"web1": survey(nginx=SITES)}
    said = (document.get("_variables", {}) for document in documents.values() if document)
    return make_plan(
        asked or campaign(), fleet(documents, **{k: v for one in said for k, v in one.items()}), at, SERVERS
    )


def shown(plan: Plan) -> list[str]:
    """Names of the first host that show something."""
    return [entry.name for entry in plan.hosts[0].entries]


def codes(plan: Plan) -> dict[str, str]:
    """Code → severity of all findings."""
    return {finding.code: finding.severity for finding in plan.findings}


def test_a_sound_plan_has_nothing_to_say() -> None:
    """Every gate is silent at once, and the plan passes."""
    plan = plan_of()
    assert plan.findings == ()
    raise_if_unsafe(plan)


def test_entries_in_full() -> None:
    """Key, phases, server, and how the host asks itself: the plain socket first, below a wildcard a free name."""
    blocks = (block(1, "www.example.org", port=443, tls=True), block(5, "www.example.org", port=8080))
    wild = block(9, "*.blogs.example.org", "piquet-probe-1.blogs.example.org")
    ipv6 = {**block(1, "v6.example.org"), "listens": [{"address": "::", "port": 80, "tls": False}]}
    unix = {**block(1, "u.example.org"), "listens": [{"address": "unix:/run/x", "port": 0, "tls": False}]}
    plan = plan_of(None, web1=survey(nginx=nginx(*blocks, wild), apache=apache(ipv6, unix)))
    local = "127.0.0.1"
    probe = "piquet-probe-1.blogs.example.org"
    expected = (
        Entry("u.example.org", "u.example.org", (1,), "apache", None),
        Entry("v6.example.org", "v6.example.org", (1,), "apache", Probe("::1", 80, False, "v6.example.org")),
        Entry("*.blogs.example.org", "_.blogs.example.org", (1,), "nginx",
              Probe(local, 80, False, "piquet-probe-2.blogs.example.org")),
        Entry(probe, probe, (1,), "nginx", Probe(local, 80, False, probe)),
        Entry("www.example.org", "www.example.org", (1,), "nginx", Probe(local, 8080, False, "www.example.org")),
    )  # fmt: skip
    assert expected == plan.hosts[0].entries


def test_a_door_without_a_proxy_line_is_asked_before_one_with() -> None:
    """Where there is no other, the host is told to speak the line."""
    only, both = block(1, "only.example.org", port=81), block(5, "both.example.org", port=8443, tls=True)
    proxied = {"address": "0.0.0.0", "port": 81, "tls": False, "proxy_protocol": True}
    only["listens"] = [proxied]
    both["listens"] = [*both["listens"], proxied]
    entries = {e.name: e.probe for e in plan_of(None, web1=survey(nginx=nginx(only, both))).hosts[0].entries}
    assert entries == {
        "only.example.org": Probe("127.0.0.1", 81, False, "only.example.org", proxy_protocol=True),
        "both.example.org": Probe("127.0.0.1", 8443, True, "both.example.org"),
    }


@pytest.mark.parametrize(
    ("sites", "consent", "expected"),
    [
        ('{include: ["*"]}', None, ["*.blogs.example.org", "shop.example.org", "www.example.org"]),
        ("{include: [www.example.org]}", None, ["www.example.org"]),
        (
            '{include: ["*.example.org"], exclude: [shop.example.org]}',
            None,
            ["*.blogs.example.org", "www.example.org"],
        ),
        ('{include: ["*", www.example.org], exclude: ["*.example.org"]}', None, []),
        ('{include: ["*.blogs.example.org"]}', None, ["*.blogs.example.org"]),
        ("{include: [a.blogs.example.org]}", None, ["a.blogs.example.org"]),
        ('{include: ["*.x.blogs.example.org"]}', None, ["*.x.blogs.example.org"]),
        ('{include: ["*"], consent: c.csv}', "www.example.org,in\nshop.example.org,out", ["www.example.org"]),
        (
            '{include: ["*"], consent: c.csv}',
            "*,in\nshop.example.org,message",
            ["*.blogs.example.org", "www.example.org"],
        ),
        (
            '{include: ["*.blogs.example.org"], consent: c.csv}',
            "*.blogs.example.org,in\nb.blogs.example.org,out\nc.blogs.example.org,in",
            ["*.blogs.example.org", "c.blogs.example.org"],
        ),
    ],
)
def test_which_sites_are_meant(sites: str, consent: str | None, expected: list[str]) -> None:
    """Patterns choose, exclude wins, silence is no consent, names below a wildcard can be treated by themselves."""
    asked = campaign(f"site,answer\n{consent}" if consent else None, sites=sites)
    assert expected == shown(plan_of(asked))


def test_why_the_other_sites_stay_as_usual() -> None:
    """Each with its reason, which a person at the phone will ask for; none is in two places."""
    sites = '{include: ["*.example.org"], exclude: [a.blogs.example.org], consent: c.csv}'
    asked = campaign("site,answer\nwww.example.org,in\nshop.example.org,out", sites=sites)
    (planned,) = make_plan(asked, fleet(one()), AT, SERVERS).hosts
    reasons = {site.name: site.reason for site in planned.usual}
    shown = {entry.name for entry in planned.entries}
    assert reasons["shop.example.org"] == "did not agree"
    assert reasons["a.blogs.example.org"] == "excluded"
    assert reasons["*.blogs.example.org"] == "without an answer in the consent list"
    assert set(reasons) | shown == set(planned.known)
    assert not set(reasons) & shown
    (narrowed,) = make_plan(campaign(), fleet(one(), piquet_sites=["www.example.org"]), AT, SERVERS).hosts
    assert {site.reason for site in narrowed.usual} == {"not among the sites that the inventory names"}


def test_what_is_left_out_below_a_wildcard_is_known() -> None:
    """Or else it would fall to the wildcard: by exclude, by consent, or because the inventory narrows the host."""
    sites = '{include: ["*"], exclude: [a.blogs.example.org, "*.x.blogs.example.org"], consent: c.csv}'
    asked = campaign("site,answer\n*,in\nb.blogs.example.org,out", sites=sites)
    served = nginx(block(1, "*.blogs.example.org"), block(5, "own.blogs.example.org"))
    hosts = fleet({"web1": survey(nginx=served)}, piquet_sites=["*.blogs.example.org"])
    plan = make_plan(asked, hosts, AT, SERVERS)
    left_out = {f"{name}.blogs.example.org" for name in ("a", "b", "own", "*.x")}
    assert shown(plan) == ["*.blogs.example.org"]
    assert left_out == set(plan.hosts[0].known) - {"*.blogs.example.org"}


def test_a_name_served_by_itself_is_not_drawn_from_the_wildcard() -> None:
    """`own.blogs` has a vhost of its own on Apache behind; the wildcard is nginx's."""
    surveys = survey(
        nginx=nginx(block(1, "*.blogs.example.org")), apache=apache(block(1, "own.blogs.example.org"))
    )
    plan = plan_of(campaign(sites="{include: [own.blogs.example.org]}"), web1=surveys)
    assert [(entry.name, entry.provider) for entry in plan.hosts[0].entries] == [
        ("own.blogs.example.org", "apache")
    ]


def one(_variables: Mapping[str, Any] = MappingProxyType({}), **changes: Any) -> dict[str, Survey | None]:
    """A fleet of one host whose survey is changed, with its variables."""
    return {"web1": survey(**({"nginx": SITES} | changes)) | {"_variables": _variables}}


def on_apache(
    _variables: Mapping[str, Any] = MappingProxyType({}), **changes: Any
) -> dict[str, Survey | None]:
    """A fleet of one Apache host whose facts are changed."""
    return one(_variables, nginx=None, apache=apache(block(1, "www.example.org"), **changes))


PANEL = {"title": "Panel", "place": "/etc/p/*.conf", "rebuild": "p rebuild", "used": True, "apart": []}


def on_nginx(
    _variables: Mapping[str, Any] = MappingProxyType({}), **changes: Any
) -> dict[str, Survey | None]:
    """A fleet of one nginx host whose facts are changed."""
    return one(_variables, nginx=SITES | changes)


def phases(*windows: str) -> dict[str, str]:
    """Block phases from `start duration` pairs."""
    items = (window.split() for window in windows)
    listed = ", ".join(
        f"{{mode: block, start: {start}, duration: {length}, page: p}}" for start, length in items
    )
    return {"phases": f"[{listed}]"}


STARVED = {"dropin_dir": None}
ACCEPTED = {"piquet_late_release": "accept"}


def cached(lag_s: int, *names: str) -> Survey:
    """A survey's nginx where the blocks of these names may see a flag that is gone, and no other."""
    late = [block(1, name) | {"flag_lag_s": lag_s} for name in names or ("www.example.org",)]
    return nginx(*late, block(2, "other.example.org"))


MANDATE = {"mandate": "{decision: general-assembly, decided_on: 2026-12-12}"}
OCCUPY = {"phases": "[{mode: occupy, start: 2026-12-17T00:00, duration: 1h, page: p, paths: [/]}]"}
BANNER = {"phases": "[{mode: banner, start: 2026-12-17T00:00, duration: 1h, style: bar, message: m}]"}
LUA, MOD_LUA = {"usable": True, "version": "5.3"}, {"lua_module": "/usr/lib/apache2/modules/mod_lua.so"}
HANDED = {"place": "/etc/nginx/nginx.conf:7", "off": False}
BY_LUA = {"piquet_nginx": "lua", "piquet_apache": "lua"}
BY_CRON = {"piquet_scheduler": "cron"}
Case = tuple[str, str, Mapping[str, str], Mapping[str, Survey | None]]

NETWORK = {"open": "{networks: [192.0.2.0/24]}"}


def tiers(
    way: Mapping[str, Any] = MappingProxyType({}), believed: Sequence[str] = ()
) -> dict[str, Survey | None]:
    """nginx in front of Apache on one host, for the same name; and a site that is only in front."""
    passes = [{"address": "127.0.0.1", "port": 8080, "host": "", "cached": False, **way}]
    front = block(1, "www.example.org") | {"passes": passes}
    behind = block(1, "www.example.org", port=8080) | {"realip": list(believed)}
    return one(nginx=nginx(front, block(9, "other.example.org")), apache=apache(behind))


CHECKED = {"path": "/up", "agent": "HAProxy", "count": 12}
"""What the access log of a host suggests."""
FILTERING = ["alias_module", "headers_module", "filter_module"]
"""What a usual Apache has loaded."""

BARRED = ("own-substitute", "own-lifetime", "own-type", "own-store")
FIRES: list[Case] = [
    ("window-past", "error", phases("2026-12-16T11:00 2h"), {}),
    ("window-past", "warning", phases("2026-12-16T11:00 2h", "2026-12-17T00:00 1h"), {}),
    ("window-begun", "warning", phases("2026-12-16T13:00 1h"), {}),
    ("window-far", "warning", phases("2027-01-01T00:00 1h"), {}),
    ("window-far", "warning", phases("2027-12-17T00:00 1h"), {}),
    ("window-too-long", "error", phases("2026-12-17T00:00 86401s"), {}),
    ("lua-missing", "error", {}, on_nginx(_variables=BY_LUA)),
    ("lua-missing", "error", {}, on_apache(_variables=BY_LUA)),
    ("lua-taken", "error", {}, on_nginx(lua=LUA, own=["server server_rewrite_by_lua"], _variables=BY_LUA)),
    ("lua-awaited", "error", {}, on_apache(loadable=MOD_LUA, conditional=["lua_module"], _variables=BY_LUA)),
    *[("lua-unwatched", "error", {}, on_apache(lua=lua, loadable=MOD_LUA, _variables=BY_LUA | BY_CRON))
      for lua in ({"usable": True, "version": "5.4"}, {"usable": True}, {"version": "5.4"})],
    ("occupy-needs-lua", "error", OCCUPY, on_apache()),
    ("lua-filtered", "warning", {}, on_nginx(lua=LUA, own=["http sub_filter"], _variables=BY_LUA)),
    ("lua-filtered", "warning", {},
     on_nginx(lua=LUA, own=["server more_set_headers:edge-control"], _variables=BY_LUA)),
    *[("lua-filtered", "warning", {}, on_nginx(lua=LUA, own=[word], _variables=BY_LUA))
      for word in ("http gzip_vary", "server add_header:vary", "http more_set_headers:vary")],
    ("block-kept", "error", {}, on_nginx(lua=LUA, own=["http add_header:cdn-cache-control"], _variables=BY_LUA)),
    ("occupy-expires", "error", OCCUPY, on_nginx(lua=LUA, own=["server expires"], _variables=BY_LUA)),
    ("occupy-expires", "error", OCCUPY,
     on_nginx(lua=LUA, own=["http add_header:cdn-cache-control"], _variables=BY_LUA)),
    ("banner-needs-module", "error", BANNER, on_nginx()),
    ("banner-needs-module", "error", BANNER, on_apache()),
    ("banner-needs-module", "error", BANNER,
     on_apache(modules=FILTERING, loadable={"substitute_module": "x"}, conditional=["substitute_module"])),
    ("banner-needs-module", "error", BANNER, on_apache(loadable=dict.fromkeys(BANNER_MODULES, "x"))),
    ("banner-kept", "error", BANNER, on_nginx(own=["location sub_filter_last_modified"])),
    ("lua-needs-setenvif", "error", {}, on_apache(loadable=MOD_LUA, _variables=BY_LUA)),
    ("modules-loaded", "info", {}, on_apache(loadable=MOD_LUA, _variables=BY_LUA)),
    ("modules-loaded", "info", BANNER, on_apache(modules=FILTERING, loadable={"substitute_module": "x"})),
    ("stores-no-store", "error", {}, on_apache(lua=LUA, stores_no_store=["*"])),
    ("answers-kept", "error", {}, on_apache(recached=["www.example.org"])),
    ("https-first", "warning", {}, on_apache(https_first=["www.example.org"])),
    ("https-first", "warning", {}, on_apache(lua=LUA, https_first=["www.example.org"])),
    ("answers-filtered", "warning", {}, on_apache(filtered=["www.example.org"])),
    ("answers-filtered", "error", {}, on_apache(filtered=["*"], filtered_strictly=True)),
    ("conditions-broken", "error", {}, on_apache(version="2.4.64")),
    ("conditions-broken", "error", BANNER, on_apache(version="2.4.64 (Debian)")),
    ("answers-kept", "error", BANNER, on_apache(recached=["*"])),
    ("stores-no-store", "error", OCCUPY, on_apache(lua=LUA, stores_no_store=["www.example.org"])),
    ("lua-too-old", "error", {}, on_nginx(modules=["http_lua"], _variables=BY_LUA)),
    *[("banner-hangs", "error", BANNER, on_nginx(lua=LUA, own=[f"{level} add_after_body"], _variables=BY_LUA))
      for level in ("http", "server", "location")],
    ("banner-taken", "error", BANNER, on_nginx(lua=LUA, own=["http body_filter_by_lua"], _variables=BY_LUA)),
    ("banner-partial", "warning", BANNER, on_nginx(own=["location sub_filter"])),
    ("banner-partial", "warning", BANNER,
     on_nginx(lua=LUA, own=["server header_filter_by_lua"], _variables=BY_LUA)),
    ("site-unknown", "error", {"sites": '{include: ["*", www.exmaple.org]}'}, {}),
    ("site-unknown", "error", {"sites": '{include: ["*", "*.exmaple.org"]}'}, {}),
    ("name-doubtful", "error", {"sites": '{include: ["*"], exclude: [wwww.example.org]}'},
     one(nginx=nginx(block(1, "www.example.org", "*.example.org")))),
    ("left-out-in-part", "warning", {"sites": '{include: ["*"], exclude: [example.org]}'},
     one(nginx=nginx(block(1, "www.example.org", "example.org")))),
    ("nothing-chosen", "error", {"sites": '{include: ["*"], exclude: ["*"]}'}, {}),
    ("share-too-large", "error", {"limits": "{max_share: 99%}"}, {}),
    ("no-survey", "error", {}, {"web1": survey(nginx=SITES), "web2": None}),
    ("survey-old", "warning", {}, one(at=(AT - timedelta(hours=25)).timestamp())),
    ("clock-skew", "error", {}, one(skew_s=2.1)),
    ("clock-skew", "error", {}, one(skew_s=-2.1)),
    ("clock-unknown", "warning", {}, one(skew_s=None)),
    ("cron-not-running", "warning", {}, one(init="other", cron=False)),
    ("health-path-occupied", "error", {"phases": OCCUPY["phases"].replace("[/]", "[/, /press/today]")},
     one(_variables={"piquet_health_paths": ["/press"]})),
    ("health-check-suspected", "warning", {}, one(health_checks=[CHECKED])),
    ("health-check-suspected", "warning", {}, one(health_checks=[{**CHECKED, "path": "/"}])),
    ("health-check-suspected", "warning", {},
     one(_variables={"piquet_health_paths": ["/up"]}, health_checks=[{**CHECKED, "path": "/upper"}])),
    ("not-hooked", "error", {}, one(nginx=nginx(block(1, "www.example.org", hooked=None)))),
    ("not-hooked", "error", {"sites": "{include: [a.example.org]}"},
     one(nginx=nginx(block(1, "*.example.org", hooked=None)))),
    ("config-broken", "error", {}, on_nginx(test={"ok": False, "output": "[emerg] x"})),
    ("no-dropin-folder", "error", {}, on_nginx(dropin_dir=None)),
    ("no-dropin-folder", "error", {}, on_apache(dropin_dir=None)),
    ("module-missing", "error", {}, on_apache(modules=["alias_module"])),
    ("module-missing", "error", {}, on_nginx(modules=["http_map", "http_rewrite"])),
    ("use-canonical-name", "warning", {}, on_apache(use_canonical_name=True)),
    ("quick-handler-cache", "warning", {}, on_apache(quick_handler_cache=True)),
    ("own-server-rewrite", "warning", {}, on_nginx(own=["server server_rewrite_by_lua"])),
    ("trace-enabled", "warning", {}, on_apache(trace=True)),
    ("ignore-inherit", "warning", {}, on_apache(own_rules_first=["www.example.org"])),
    ("server-level-rules", "warning", {}, on_apache(server_rules=True)),
    ("own-substitute", "warning", {}, on_apache(substitutes=["www.example.org"])),
    ("own-lifetime", "warning", {}, on_apache(recached=["other.example.org"])),
    ("own-type", "warning", {}, on_apache(retyped=["*"])),
    ("own-store", "warning", {}, on_apache(stores_no_store=["www.example.org"])),
    ("open-file-cache", "warning", {}, one(nginx=cached(1))),
    ("open-file-cache", "warning", {}, one(nginx=cached(10))),
    ("open-file-cache", "error", {}, one(nginx=cached(11))),
    ("open-file-cache", "error", {}, one(nginx=cached(3600, "*.example.org"))),
    ("open-file-cache", "error", {}, one({"piquet_late_release": "refuse"}, nginx=cached(11))),
    ("open-file-cache", "warning", {}, one(ACCEPTED, nginx=cached(3600))),
    ("panel-rebuilds", "warning", {}, on_nginx(panels=[PANEL | {"used": False}])),
    ("panel-place", "warning", {}, on_nginx(panels=[PANEL | {"apart": [{"block": "a:1", "before": []}]}])),
    ("timer-resolution", "warning", {}, on_nginx(http={"timer_resolution_ms": 1})),
    ("timer-resolution", "warning", {}, on_nginx(http={"timer_resolution_ms": 100})),
    ("timer-resolution", "error", {}, on_nginx(http={"timer_resolution_ms": 101})),
    ("timer-resolution", "error", {}, on_nginx(http={"timer_resolution_ms": 10_000})),
    ("disable-symlinks", "error", {}, on_nginx(inherited=[{"name": "disable_symlinks", **HANDED}])),
    ("inherited-answers", "error", {},
     on_nginx(inherited=[{"name": "nchan_pubsub", **HANDED}], _variables={"piquet_nginx_harmless": ["nchan_pubsub"]})),
    ("inherited-answers", "error", {}, on_nginx(inherited=[{"name": "nchan_pubsub", **HANDED}])),
    ("inherited-unknown", "error", {}, on_nginx(inherited=[{"name": "auth_ldap", **HANDED}])),
    ("inherited-unknown", "warning", {},
     on_nginx(inherited=[{"name": "auth_ldap", **HANDED}], lua=LUA, _variables=BY_LUA)),
    ("sites-not-held", "error", {}, on_nginx(inherited=[{"name": "auth_ldap", **HANDED}])),
    ("two-tiers-network-door", "error", NETWORK, tiers()),
    ("two-tiers-network-door", "error", NETWORK, tiers(believed=["192.0.2.0/24"])),
    ("two-tiers-network-door", "error", NETWORK, tiers(way={"host": "www.example.org"})),
    ("two-tiers-cache", "warning", {}, tiers(way={"cached": True})),
    *[("lua-filtered", "warning", {}, on_nginx(lua=LUA, own=[word], _variables=BY_LUA))
      for word in ("http header_filter_by_lua", "server subs_filter", "http more_headers:retry-after")],
]  # fmt: skip

SILENT: list[Case] = [
    ("window-past", "", phases("2026-12-16T13:00 1s"), {}),
    ("window-begun", "", phases("2026-12-16T13:00:01 1h"), {}),
    ("window-far", "", phases("2026-12-31T23:59:59 1h"), {}),
    ("window-far", "", phases("2026-12-16T13:00 1h"), {}),
    ("window-too-long", "", phases("2026-12-17T00:00 1d"), {}),
    ("lua-missing", "", {}, on_apache(loadable=MOD_LUA, _variables=BY_LUA)),
    ("lua-unwatched", "", {}, on_apache(loadable=MOD_LUA, lua={"version": "5.3"}, _variables=BY_LUA | BY_CRON)),
    ("lua-unwatched", "", {}, on_apache(lua={"usable": True, "version": "5.4"}, _variables=BY_LUA)),
    ("lua-unwatched", "", {}, on_apache(lua={"usable": True, "version": "5.4"}, _variables=BY_CRON)),
    ("lua-missing", "", {}, on_nginx(lua=LUA, _variables=BY_LUA)),
    ("lua-missing", "", {}, on_nginx(modules=["http_lua"], _variables=BY_LUA)),
    ("banner-hangs", "", BANNER, on_nginx(lua=LUA, own=["location add_before_body"])),
    ("lua-too-old", "", {}, on_nginx(_variables=BY_LUA)),
    ("banner-hangs", "", {}, on_nginx(lua=LUA, own=["location add_before_body"], _variables=BY_LUA)),
    ("lua-taken", "", {}, on_nginx(lua=LUA, own=["server server_rewrite_by_lua"])),
    ("lua-awaited", "", {}, on_apache(loadable=MOD_LUA, conditional=["filter_module"], _variables=BY_LUA)),
    ("occupy-needs-lua", "", OCCUPY, on_apache(lua=LUA)),
    ("lua-filtered", "", {}, on_nginx(lua=LUA, own=["http sub_filter"])),
    ("lua-filtered", "", {}, on_nginx(lua=LUA, own=["location sub_filter"], _variables=BY_LUA)),
    ("lua-filtered", "", {}, on_nginx(lua=LUA, own=["location add_header:cache-control"], _variables=BY_LUA)),
    ("block-kept", "", {}, on_nginx(lua=LUA, own=["server expires"], _variables=BY_LUA)),
    ("block-kept", "", {}, on_nginx(lua=LUA, own=["server add_header:vary"], _variables=BY_LUA)),
    *[("lua-filtered", "", {}, on_nginx(lua=LUA, own=[word]))
      for word in ("http gzip_vary", "server add_header:vary", "http more_set_headers:vary")],
    ("block-kept", "", {}, on_nginx(lua=LUA, own=["http add_header:cdn-cache-control"])),
    ("occupy-expires", "", OCCUPY, on_nginx(lua=LUA, own=["server expires"])),
    ("occupy-expires", "", OCCUPY, on_nginx(lua=LUA, own=["server sub_filter"], _variables=BY_LUA)),
    ("occupy-expires", "", OCCUPY, on_nginx(lua=LUA, own=["location expires"])),
    ("banner-needs-module", "", {}, on_nginx()),
    ("banner-needs-module", "", BANNER, on_nginx(modules=["http_geo", "http_map", "http_rewrite", "http_sub"])),
    ("banner-needs-module", "", BANNER, on_apache(modules=FILTERING, loadable={"substitute_module": "x"})),
    ("banner-kept", "", BANNER, on_nginx(own=["location sub_filter"])),
    ("banner-kept", "", BANNER, on_nginx(lua=LUA, own=["location sub_filter_last_modified"])),
    ("lua-needs-setenvif", "", {}, on_apache()),
    ("lua-needs-setenvif", "", {},
     on_apache(loadable=MOD_LUA, modules=["headers_module", "setenvif_module"], _variables=BY_LUA)),
    ("modules-loaded", "", {}, on_apache(loadable=MOD_LUA)),
    ("modules-loaded", "", BANNER, on_apache(modules=[*FILTERING, "substitute_module"])),
    ("stores-no-store", "", {}, on_apache(stores_no_store=["*"])),
    ("answers-kept", "", {}, on_apache(lua=LUA, recached=["*"])),
    ("https-first", "", {}, on_apache(https_first=["other.example.org"])),
    ("answers-filtered", "", {}, on_apache(lua=LUA, filtered=["*"], filtered_strictly=True)),
    ("answers-filtered", "", {}, on_apache(filtered=["other.example.org"])),
    ("conditions-broken", "", {}, on_apache(lua=LUA, version="2.4.64")),
    ("conditions-broken", "", {}, on_apache(version="2.4.65")),
    ("conditions-broken", "", {}, on_apache(version="2.4.640")),
    ("conditions-broken", "", {}, on_apache(version="2.4.63")),
    ("answers-kept", "", {}, on_apache(recached=["other.example.org"])),
    ("stores-no-store", "", BANNER, on_apache(stores_no_store=["*"])),
    ("stores-no-store", "", OCCUPY, on_apache(lua=LUA, stores_no_store=["other.example.org", "*.example.org"])),
    ("banner-taken", "", BANNER, on_nginx(own=["http body_filter_by_lua"])),
    ("banner-partial", "", BANNER, on_nginx(own=["http sub_filter"])),
    ("banner-partial", "", {}, on_nginx(own=["location sub_filter"])),
    ("site-unknown", "", {"sites": '{include: [WWW.example.org, x.blogs.example.org, "*.example.org"]}'}, {}),
    ("name-doubtful", "", {"sites": '{include: ["*"], exclude: [shopp.blogs.example.org]}'}, {}),
    ("left-out-in-part", "", {"sites": '{include: ["*"], exclude: [www.example.org]}'}, {}),
    ("nothing-chosen", "", {"sites": "{include: [www.example.org]}"}, {}),
    ("share-too-large", "", {"sites": "{include: [www.example.org]}", "limits": "{max_share: 34%}"}, {}),
    ("no-survey", "", {}, {}),
    ("survey-old", "", {}, one(at=(AT - timedelta(hours=24)).timestamp())),
    ("clock-skew", "", {}, one(skew_s=-2.0)),
    ("clock-unknown", "", {}, one(skew_s=0.0)),
    ("cron-not-running", "", {}, one(init="other", cron=True)),
    ("health-path-occupied", "", {"phases": OCCUPY["phases"].replace("[/]", "[/, /press]")},
     one(_variables={"piquet_health_paths": ["/press/health", "/pre"]})),
    ("health-check-suspected", "", {}, one(_variables={"piquet_health_paths": ["/up"]}, health_checks=[CHECKED])),
    ("health-check-suspected", "", {},
     one(_variables={"piquet_health_paths": ["/up"]}, health_checks=[{**CHECKED, "path": "/up/1"}])),
    ("health-check-suspected", "", {"open": "{paths: [/up]}"}, one(health_checks=[CHECKED])),
    ("health-check-suspected", "", BANNER, one(health_checks=[CHECKED])),
    ("health-check-suspected", "", {}, one(health_checks=[{**CHECKED, "path": "/robots.txt"}])),
    ("not-hooked", "", {"sites": "{include: [www.example.org]}"},
     one(nginx=nginx(block(1, "www.example.org"), block(5, "other.example.org", hooked=None)))),
    ("not-hooked", "", {}, one(nginx=nginx(block(1, "www.example.org", hooked="owner")))),
    ("config-broken", "", {"sites": "{include: [www.example.org]}"}, one(apache=apache(test={"ok": False}))),
    ("no-dropin-folder", "", {"sites": "{include: [www.example.org]}"}, one(apache=apache(dropin_dir=None))),
    ("module-missing", "", {}, on_apache()),
    ("module-missing", "", {}, on_apache(modules=[], test={"ok": False, "output": "broken"})),
    ("use-canonical-name", "", {}, on_apache()),
    ("quick-handler-cache", "", {}, on_apache()),
    ("own-server-rewrite", "", {}, on_nginx(own=["server rewrite_by_lua"])),
    *((code, "", {}, on_apache()) for code in ("trace-enabled", "ignore-inherit", "server-level-rules", *BARRED)),
    ("open-file-cache", "", {}, one()),
    ("panel-rebuilds", "", {}, on_nginx(panels=[PANEL])),
    ("panel-rebuilds", "", {}, on_nginx(panels=[PANEL | {"used": False}], lua={"usable": True})),
    ("panel-place", "", {}, on_nginx(panels=[PANEL])),
    ("timer-resolution", "", {}, one()),
    ("timer-resolution", "", {}, on_nginx(http={"timer_resolution_ms": None})),
    ("timer-resolution", "", {}, on_nginx(http={"timer_resolution_ms": 0})),
    ("disable-symlinks", "", {}, on_nginx(inherited=[{"name": "disable_symlinks", "place": "x:1", "off": True}])),
    ("disable-symlinks", "", {},
     on_nginx(inherited=[{"name": "disable_symlinks", **HANDED}], lua=LUA, _variables=BY_LUA)),
    ("inherited-answers", "", {}, on_nginx(inherited=[{"name": "auth_pam", **HANDED}])),
    ("inherited-answers", "", {},
     on_nginx(inherited=[{"name": "nchan_pubsub", **HANDED}], lua=LUA, _variables=BY_LUA)),
    ("inherited-unknown", "", {},
     on_nginx(inherited=[{"name": "waf_zone", **HANDED}], _variables={"piquet_nginx_harmless": ["waf_zone"]})),
    ("inherited-unknown", "", {}, on_nginx(inherited=[{"name": "access_by_lua_file", **HANDED}])),
    ("two-tiers-network-door", "", {}, tiers()),
    ("two-tiers-network-door", "", NETWORK, tiers(believed=["127.0.0.0/8"])),
    ("two-tiers-network-door", "", NETWORK, tiers(way={"port": 8081})),
    ("two-tiers-network-door", "", NETWORK, tiers(way={"host": "127.0.0.1"})),
    ("two-tiers-network-door", "", NETWORK | {"sites": "{include: [other.example.org]}"}, tiers()),
    ("two-tiers-cache", "", {}, tiers()),
    ("sites-not-held", "", {},
     on_nginx(inherited=[{"name": "auth_ldap", **HANDED}], lua=LUA, _variables=BY_LUA)),
    ("open-file-cache", "", {"sites": "{include: [other.example.org]}"}, one(nginx=cached(3600))),
    ("open-file-cache", "", {}, one({"piquet_nginx": "lua"}, nginx=cached(3600) | {"lua": LUA})),
]  # fmt: skip


@pytest.mark.parametrize(("code", "severity", "parts", "surveys"), FIRES)
def test_gates_fire(code: str, severity: str, parts: Mapping[str, str], surveys: Mapping[str, Any]) -> None:
    """One thing wrong, and the gate for it speaks with the weight it should have."""
    assert severity == codes(plan_of(campaign(**parts), **surveys)).get(code)


@pytest.mark.parametrize(("code", "severity", "parts", "surveys"), SILENT)
def test_gates_are_silent(
    code: str, severity: str, parts: Mapping[str, str], surveys: Mapping[str, Any]
) -> None:
    """Just not wrong, or on a server that shows nothing: no word of it."""
    assert code not in codes(plan_of(campaign(**parts), **surveys))


def test_where_a_banner_is_missing_can_be_looked_up() -> None:
    """The finding says by what, and at which level; the hint leads to the lines themselves."""
    own = ["location sub_filter", "server sub_filter", "http sub_filter"]
    plan = plan_of(campaign(**BANNER), **on_nginx(own=own))
    (found,) = (finding for finding in plan.findings if finding.code == "banner-partial")
    assert found.got == "location sub_filter, server sub_filter"
    assert "grep -nE 'sub_filter'" in found.hint


LETTERED = Theme("themes/ours", {"strike.css": b"", "hand.woff2": b"wOF2"})


@pytest.mark.parametrize(
    ("changes", "parts", "surveys", "is_said"),
    [
        ({"illustrated": frozenset({1})}, {}, on_apache(), True),
        ({"theme": LETTERED}, {}, on_apache(), True),
        ({"illustrated": frozenset({2})}, {}, on_apache(), False),
        ({"illustrated": frozenset({1})}, {}, on_apache(lua=LUA), False),
        ({"illustrated": frozenset({1})}, {}, on_nginx(), False),
        ({"illustrated": frozenset({1})}, OCCUPY, on_apache(), False),
        ({"illustrated": frozenset({1})}, {"sites": '{include: ["*"], exclude: ["*"]}'}, on_apache(), False),
        ({"theme": Theme("themes/ours", {"strike.css": b"", "icon.png": b"x"})}, {}, on_apache(), False),
        ({}, {}, on_apache(), False),
    ],
)
def test_a_block_without_its_pictures(
    changes: Mapping[str, Any], parts: Mapping[str, str], surveys: Mapping[str, Any], is_said: bool
) -> None:
    """Told where Apache answers by rules and the page, or its theme, has any; nowhere else."""
    found = codes(plan_of(replace(campaign(**parts), **changes), **surveys))
    assert found.get("block-without-pictures") == ("warning" if is_said else None)


@pytest.mark.parametrize("surveys", [on_nginx(running=False), on_apache(running=False)])
def test_a_server_that_does_not_run_is_left_out(surveys: Mapping[str, Any]) -> None:
    """Its names are nobody's sites, and that is said; with nothing else to show there is no plan."""
    assert codes(plan_of(campaign(), **surveys))["server-not-running"] == "warning"
    assert "server-not-running" not in codes(plan_of(campaign(), **one()))


@pytest.mark.parametrize(
    ("init", "wanted", "scheduler", "is_refused"),
    [
        ("systemd", "auto", "systemd", False),
        ("systemd", "systemd", "systemd", False),
        ("systemd", "cron", "cron", False),
        ("other", "auto", "cron", False),
        ("other", "cron", "cron", False),
        ("other", "systemd", "systemd", True),
    ],
)
def test_the_schedule_of_a_host(init: str, wanted: str, scheduler: str, is_refused: bool) -> None:
    """The inventory's word counts, `auto` is what process 1 allows; timers without systemd are refused."""
    made = fleet(one(init=init, cron=True), piquet_scheduler=wanted)
    plan = make_plan(campaign(), made, AT, SERVERS)
    assert [host.scheduler for host in plan.hosts] == [scheduler]
    assert codes(plan) == ({"no-systemd": "error"} if is_refused else {})


def test_another_schedule_is_another_plan() -> None:
    """The document says it, so the digest that people review changes with it."""
    plans = [
        make_plan(campaign(), fleet(one(init="systemd"), piquet_scheduler=s), AT, SERVERS)
        for s in ("auto", "cron")
    ]
    documents = [plan_document(plan, {"web1": "0" * 64}, "d" * 64) for plan in plans]
    said = [json.loads(document)["hosts"]["web1"]["scheduler"] for document in documents]
    assert said == ["systemd", "cron"]
    assert len({plan_digest(document) for document in documents}) == 2


def test_consent_is_told() -> None:
    """Silence, and a message only."""
    consent = "site,answer\nwww.example.org,in\nshop.example.org,message"
    found = codes(plan_of(campaign(consent, sites='{include: ["*"], consent: c.csv}')))
    assert found == {
        "consent-missing": "warning",
        "consent-message-only": "info",
    }
    everybody = plan_of(campaign("site,answer\n*,in", sites='{include: ["*"], consent: c.csv}'))
    assert not everybody.findings


def test_overlapping_phases_are_refused_however_they_were_made() -> None:
    """The campaign file's reader refuses them too; a plan does not rely on it."""
    asked = campaign()
    first = asked.phases[0]
    second = Phase(2, "block", first.end_at - timedelta(seconds=1), first.end_at + timedelta(hours=1), "p")
    assert codes(plan_of(replace(asked, phases=(first, second)))) == {"phases-overlap": "error"}
    touching = replace(second, start_at=first.end_at)
    assert not codes(plan_of(replace(asked, phases=(first, touching))))


def handing(line: int, name: str, directive: str) -> dict[str, Any]:
    """A server block that hands a directive down."""
    place = f"/etc/nginx/sites-enabled/all:{line + 2}"
    return block(line, name) | {"inherited": [{"name": directive, "place": place, "off": False}]}


def test_sites_that_cannot_be_held_are_named_once_with_what_leaves_them_out() -> None:
    """The reason names site, file and line; the list is the whole `exclude`, and with it the plan passes."""
    blocks = (
        handing(1, "b.example.org", "auth_ldap"), handing(5, "a.example.org", "auth_ldap"),
        handing(9, "c.example.org", "nchan_pubsub"), handing(13, "d.example.org", "auth_pam"),
        block(17, "*.wild.example.org"),
    )  # fmt: skip
    asked = campaign(sites='{include: ["*"], exclude: ["*.wild.example.org"]}')
    plan = plan_of(asked, web1=survey(nginx=nginx(*blocks)))
    found = {finding.code: finding for finding in plan.findings}
    assert set(found) == {"inherited-answers", "inherited-unknown", "sites-not-held"}
    places = "a.example.org (/etc/nginx/sites-enabled/all:7), b.example.org (/etc/nginx/sites-enabled/all:3)"
    assert found["inherited-unknown"].got == places
    assert found["sites-not-held"].got == "a.example.org, b.example.org, c.example.org"
    ready = found["sites-not-held"].hint.partition("\n\n")[2]
    excluded = yaml.safe_load(ready)["sites"]["exclude"]
    assert excluded == ["*.wild.example.org", "a.example.org", "b.example.org", "c.example.org"]
    listed = ", ".join(f'"{name}"' for name in excluded)
    again = plan_of(
        campaign(sites=f'{{include: ["*"], exclude: [{listed}]}}'), web1=survey(nginx=nginx(*blocks))
    )
    assert (shown(again), again.findings) == (["d.example.org"], ())


def test_where_no_site_can_be_held_nothing_is_left_out() -> None:
    """An `exclude` of everything would help nobody."""
    plan = plan_of(web1=survey(nginx=nginx(handing(1, "a.example.org", "auth_ldap"))))
    (found,) = [finding for finding in plan.findings if finding.code == "sites-not-held"]
    assert "exclude" not in found.hint


def test_what_a_block_says_wins_over_http() -> None:
    """`off` in a server block takes back what http says, there alone."""
    off = {"name": "disable_symlinks", "place": "x:2", "off": True}
    server = nginx(block(1, "a.example.org") | {"inherited": [off]}, block(5, "b.example.org"))
    plan = plan_of(web1=survey(nginx=server | {"inherited": [{"name": "disable_symlinks", **HANDED}]}))
    (found,) = [finding for finding in plan.findings if finding.code == "disable-symlinks"]
    assert found.sites == ("b.example.org",)


def test_every_gate_has_both_cases() -> None:
    """A new gate without a case for each side makes this fail."""
    gates = [*(ROOT / "plan/gates").glob("*.py"), *(ROOT / "servers").glob("*/*_gates.py")]
    source = "".join(path.read_text("utf-8") for path in gates)
    made = set(re.findall(r'"(?:error|warning|info)", "([a-z-]+)"', source)) | {
        *(
            "site-unknown",
            "disable-symlinks",
            "inherited-answers",
            "inherited-unknown",
            "clock-skew",
            BROKEN,
            *BARRED,
        ),
    }
    elsewhere = {
        *("consent-missing", "consent-message-only"),
        *("phases-overlap", "no-systemd", "block-without-pictures"),
    }
    assert made - elsewhere == {case[0] for case in FIRES} == {case[0] for case in SILENT}


def test_findings_of_surveys_are_passed_on() -> None:
    """Once, and even from a host that shows nothing."""
    note = Finding("info", "cache-seen", "varnish", "a cache")
    other = survey(findings=[note.to_json(), note.to_json()])
    expected = (replace(note, subject="web2:varnish"),)
    assert expected == plan_of(None, web1=survey(nginx=SITES), web2=other).findings


@pytest.mark.parametrize(
    ("subject", "changes", "severity"),
    [
        ("nginx", {"nginx": SITES}, "error"),
        ("/etc/nginx/x:7", {"nginx": SITES}, "error"),
        ("apache", {"nginx": SITES, "apache": apache()}, "warning"),
        ("nginx", {}, "warning"),
    ],
)
def test_an_error_of_a_survey_weighs_where_the_plan_acts(
    subject: str, changes: Survey, severity: str
) -> None:
    """On an idle host or in an idle server it is worth knowing, and no reason to refuse."""
    broken = survey(findings=[Finding("error", "x", subject, "broken").to_json()], **changes)
    plan = plan_of(None, web1=survey(nginx=SITES), web2=broken)
    assert codes(plan) == {"x": severity}


def test_what_survey_and_plan_both_saw_is_said_once() -> None:
    """The plan's word, which has the hint that fits."""
    seen = Finding("warning", "open-file-cache", "nginx", "seen").to_json()
    plan = plan_of(None, web1=survey(nginx=cached(5), findings=[seen]))
    assert [finding.subject for finding in plan.findings] == ["web1"]


def test_a_declared_site_that_nobody_serves_stops_the_plan() -> None:
    """Even on a host where nothing else is chosen."""
    hosts = fleet({"web1": survey(nginx=SITES)}, piquet_sites=["nowhere.example.org"])
    assert codes(make_plan(campaign(), hosts, AT, SERVERS))["site-not-served"] == "error"


def test_an_unsafe_plan_is_refused_with_every_reason() -> None:
    """Errors only, with their way out; warnings are no reason."""
    plan = plan_of(campaign(**phases("2026-12-16T11:00 2h")), **one(skew_s=9.0), web2=None)
    with pytest.raises(PlanError) as caught:
        raise_if_unsafe(plan)
    assert [problem.file for problem in caught.value.problems] == ["phase 1", "web1", "web2"]
    assert "piquet survey -i INVENTORY" in str(caught.value)


def test_thousands_of_sites_are_one_line_per_host() -> None:
    """Nobody reads three thousand errors."""
    many = nginx(*(block(n, f"s{n}.example.org", hooked=None) for n in range(3000)))
    plan = plan_of(None, web1=survey(nginx=many))
    assert [finding.code for finding in plan.findings] == ["not-hooked"]
    assert "3000 sites" in plan.findings[0].message
    assert plan.findings[0].got.endswith("and 2995 more")


def test_the_document_is_canonical_and_holds_the_meaning() -> None:
    """Sorted keys, no spaces, one newline; epoch seconds; every manifest."""
    document = plan_document(plan_of(campaign(**MANDATE)), {"web1": "ab" * 32}, "d" * 64)
    value = json.loads(document)
    again = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
    start = int(datetime(2026, 12, 16, 23, tzinfo=UTC).timestamp())
    assert document == again.encode()
    assert (value["phases"][0]["start"], value["phases"][0]["end"]) == (start, start + 86400)
    assert value["hosts"]["web1"]["manifest"] == "ab" * 32
    assert value["hosts"]["web1"]["entries"][0]["key"] == "_.blogs.example.org"


def test_the_digest_follows_the_meaning_and_nothing_else() -> None:
    """Another hour or another order of the file: the same. Another byte anywhere that matters: another."""
    base = plan_of()
    same = [
        plan_of(at=AT + timedelta(hours=20)),
        plan_of(campaign(sites='{include: ["*", www.example.org]}')),
    ]
    other = [
        plan_of(campaign(**phases("2026-12-17T00:00:01 24h"))),
        plan_of(campaign(contact="mailto:a@example.org")),
        plan_of(campaign(open="{bypass: true}")),
        plan_of(campaign(sites='{include: ["*"], exclude: [shop.example.org]}')),
        plan_of(campaign(**MANDATE)),
    ]
    manifests = {"web1": "0" * 64}
    digests = [plan_digest(plan_document(plan, manifests, "d" * 64)) for plan in (base, *same, *other)]
    changed = plan_digest(plan_document(base, {"web1": "1" * 64}, "d" * 64))
    assert set(digests[:3]) == {digests[0]}
    assert len({*digests[2:], changed}) == 7


def test_a_document_for_other_hosts_is_refused() -> None:
    """Neither a host without a manifest nor a manifest without a host."""
    with pytest.raises(PlanError, match="web1"):
        plan_document(plan_of(), {}, "d" * 64)
    with pytest.raises(PlanError, match="web9"):
        plan_document(plan_of(), {"web1": "0" * 64, "web9": "0" * 64}, "d" * 64)
