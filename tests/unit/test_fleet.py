# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories and surveys become a fleet; what hosts say is not believed blindly."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piquet import resources
from piquet.errors import FleetError, PlanError
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.model import Listen, Site
from piquet.fleet.read import known_variables, read_fleet
from piquet.fleet.workdir import Workdir
from piquet.protocol.findings import Finding
from piquet.servers.registry import SERVERS

from .samples import apache, block, fleet, nginx, survey

SURVEY = survey(
    nginx=nginx(
        block(1, "www.example.org", "EXAMPLE.org"),
        block(9, "www.example.org", port=443, tls=True, hooked="owner"),
        block(20, "late.example.org", hooked="ours"),
        block(30, "late.example.org", port=443, tls=True, hooked=None),
        block(40, "_", "", "~^(?<x>.+)$", "www.*", "*", "étudiants.fr"),
        block(50, ".blogs.example.org"),
    ),
    apache=apache(block(1, "shop.example.org:443", "https://pay.example.org", hooked=None)),
    findings=[Finding("info", "cache-seen", "web1", "varnish").to_json()],
)


def test_one_site_per_name_and_server() -> None:
    """All vhosts of a name together: hooked only if all are; odd spellings of names made plain."""
    web1 = fleet({"web1": SURVEY}).hosts[0]
    plain, tls = Listen("0.0.0.0", 80, False), Listen("0.0.0.0", 443, True)
    expected = (
        Site("pay.example.org", "apache", (plain,), True, False),
        Site("shop.example.org", "apache", (plain,), True, False),
        Site("*.blogs.example.org", "nginx", (plain,), True, False),
        Site("blogs.example.org", "nginx", (plain,), True, False),
        Site("example.org", "nginx", (plain,), True, False),
        Site("late.example.org", "nginx", (plain, tls), False, False),
        Site("www.example.org", "nginx", (plain, tls), True, False),
    )
    assert expected == web1.sites
    assert sorted({site.name for site in expected}) == list(web1.served)


def test_names_that_are_no_sites_are_found() -> None:
    """Regular expressions and stars elsewhere cannot be chosen; somebody should know. The survey's own stay."""
    expected = [("warning", "name-not-a-site"), ("info", "cache-seen")]
    found = fleet({"web1": SURVEY}).hosts[0].findings
    assert expected == [(finding.severity, finding.code) for finding in found]
    assert found[0].got == r"'www.*', '~^(?<x>.+)$', '\xe9tudiants.fr'"


def test_a_declaration_narrows_but_hides_nothing() -> None:
    """Only declared names may be chosen, one below a wildcard too; yet all that is served stays known."""
    declared = ["example.org", "a.blogs.example.org", "nowhere.example.org"]
    web1 = fleet({"web1": SURVEY}, piquet_sites=declared).hosts[0]
    assert [site.name for site in web1.sites] == ["a.blogs.example.org", "example.org"]
    assert "www.example.org" in web1.served
    assert [f.message[:19] for f in web1.findings if f.code == "site-not-served"] == ["nowhere.example.org"]


def test_a_host_without_a_survey() -> None:
    """It is in the fleet, and nothing is known of it."""
    web1 = fleet({"web1": None}, ansible_host="192.0.2.7").hosts[0]
    assert (web1.address, web1.sites, web1.surveyed_at) == ("192.0.2.7", (), None)


def test_a_host_may_have_further_addresses() -> None:
    """As the inventory names them, each in its one form."""
    web1 = fleet({"web1": SURVEY}, piquet_addresses=["192.0.2.77", "2001:DB8::0:7"]).hosts[0]
    assert web1.addresses == ("192.0.2.77", "2001:db8::7")


def test_all_hosts_that_cannot_be_read_are_told_at_once() -> None:
    """With their names and the way out."""
    hosts = {
        "a": {"piquet_sites": "www"},
        "b": {"ansible_host": "{{ x }}"},
        "c": {},
        "d": {"piquet_sites": ["a;b"]},
        "e": {"piquet_addresses": "192.0.2.7"},
        "f": {"piquet_addresses": ["web1.example.org"]},
        "g": {"piquet_addresses": [3221225985]},
        "h": {"piquet_nginx_harmless": "waf_zone"},
    }
    with pytest.raises(FleetError) as caught:
        read_fleet(hosts, {"c": {"piquet_survey": 2}}, SERVERS)
    assert [problem.file for problem in caught.value.problems] == list("abcdefgh")


@given(st.data())
def test_a_survey_that_lies_never_breaks_anything(data: st.DataObject) -> None:
    """Whatever one field is replaced by: a fleet with safe names, or a FleetError."""
    document = copy.deepcopy(SURVEY)
    spot: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.booleans()):
            break
        spot = spot[key]
    spot[key] = data.draw(
        st.sampled_from([None, 0, -1, 1e999, "x;y{", True, [], {}, [None], [["x"]], {"a": 1}, 10**30])
    )
    try:
        read = fleet({"web1": document})
    except FleetError:
        return
    assert not [site.name for site in read.hosts[0].sites if set(site.name) & set(" ;{}$'\"\n\\/")]


@pytest.mark.parametrize("value", ["corn", "Cron", "", None, True, ["cron"], "auto; rm -rf /"])
def test_a_schedule_that_is_none_is_refused(value: Any) -> None:
    """Nothing is guessed, and a slip of the pen is answered with the word that was meant."""
    with pytest.raises(FleetError) as caught:
        fleet({"web1": SURVEY}, piquet_scheduler=value)
    (problem,) = caught.value.problems
    assert "auto, systemd, cron" in problem.expected
    assert ("did you mean cron?" in problem.hint) == (value in ("corn", "Cron", ["cron"]))


def test_every_choice_that_is_none_is_said_at_once() -> None:
    """Schedule and servers, each with what it may say."""
    with pytest.raises(FleetError) as caught:
        fleet({"web1": SURVEY}, piquet_scheduler="corn", piquet_nginx="rules", piquet_apache="Lua")
    expected = {"auto, systemd, cron", "auto, include, lua", "auto, rules, lua"}
    assert {problem.expected for problem in caught.value.problems} == expected


@pytest.mark.parametrize(
    ("wanted", "usable", "own", "expected"),
    [
        ("auto", False, [], "include"),
        ("auto", True, [], "lua"),
        ("auto", True, ["location sub_filter", "location header_filter_by_lua"], "lua"),
        ("auto", True, ["http header_filter_by_lua"], "include"),
        ("auto", True, ["server subs_filter"], "include"),
        ("auto", True, ["server more_headers:content-type"], "include"),
        ("auto", True, ["server server_rewrite_by_lua"], "include"),
        ("auto", True, ["server add_after_body"], "include"),
        ("auto", True, ["http add_header:surrogate-control"], "include"),
        ("auto", True, ["server more_set_headers:cache-control"], "include"),
        ("auto", True, ["http gzip_vary"], "include"),
        ("auto", True, ["server add_header:vary"], "include"),
        ("auto", True, ["location add_header:cache-control"], "lua"),
        ("include", True, [], "include"),
        ("lua", False, [], "lua"),
    ],
)
def test_how_a_server_is_spoken_to(wanted: str, usable: bool, own: list[str], expected: str) -> None:
    """The inventory's word; else Lua where it is loaded and the owner's own does not stand in its place."""
    nginx = SURVEY["nginx"] | {"lua": {"usable": usable}, "own": own}
    (server,) = (
        fleet({"web1": SURVEY | {"nginx": nginx, "apache": None}}, piquet_nginx=wanted).hosts[0].servers
    )
    assert server.variant == expected


def test_hosts_come_from_ansible_itself(tmp_path: Path) -> None:
    """Groups, ranges, host variables, hosts without any, and limits: whatever Ansible reads."""
    file = tmp_path / "hosts.ini"
    file.write_text(
        "[web]\nweb[1:2] ansible_host=192.0.2.1\nbare\n[web:vars]\npiquet_sites=['a.example.org']\n[db]\ndb1\n"
    )
    hosts = inventory_hosts(file)
    assert sorted(hosts) == ["bare", "db1", "web1", "web2"]
    assert hosts["web2"] == {"ansible_host": "192.0.2.1", "piquet_sites": ["a.example.org"]}
    assert hosts["db1"] == {}
    assert list(inventory_hosts(file, "web,!bare")) == ["web1", "web2"]


def test_inventories_that_are_none(tmp_path: Path) -> None:
    """Missing, broken or empty: an error, never an empty fleet."""
    (tmp_path / "broken.yml").write_text("all: [")
    (tmp_path / "one.ini").write_text("web1\n")
    with pytest.raises(FleetError, match="nowhere"):
        inventory_hosts(tmp_path / "nowhere")
    with pytest.raises(FleetError, match=r"broken\.yml"):
        inventory_hosts(tmp_path / "broken.yml")
    with pytest.raises(FleetError, match="db"):
        inventory_hosts(tmp_path / "one.ini", "db")


def test_where_things_are_kept(tmp_path: Path) -> None:
    """Beside the inventory, in a hidden folder that Ansible does not read as a part of it."""
    (tmp_path / "inventory").mkdir()
    assert default_workdir(tmp_path / "inventory") == tmp_path / "inventory/.piquet"
    assert default_workdir(tmp_path / "hosts.ini") == tmp_path / ".piquet"
    assert default_workdir("web1,web2,") == Path(".piquet")


@pytest.mark.parametrize("host", ["web1", "../../etc/x", "2001:db8::1", ".", "é", "a b/c%2f"])
def test_surveys_are_kept_by_host(tmp_path: Path, host: str) -> None:
    """Whatever a host is called, its survey is one private file below the folder."""
    work = Workdir(tmp_path / "work")
    file = work.write_survey(host, SURVEY)
    assert work.surveys() == {host: SURVEY}
    assert file.resolve().parent == (tmp_path / "work/surveys").resolve()
    assert [oct(path.stat().st_mode & 0o777) for path in (file, work.path)] == ["0o600", "0o700"]


def test_the_folder_keeps_out_of_git_and_survives_a_crash(tmp_path: Path) -> None:
    """A half-written file beside the surveys is not one; a broken one is named."""
    work = Workdir(tmp_path)
    work.write_survey("web1", SURVEY)
    (tmp_path / "surveys/.web2.json.x").write_text("{")
    assert list(work.surveys()) == ["web1"]
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    (tmp_path / "surveys/web3.json").write_text("{")
    with pytest.raises(FleetError, match=r"web3\.json"):
        work.surveys()


def test_plans_are_kept_by_digest(tmp_path: Path) -> None:
    """Read back as written; one that is not there is told apart from an empty one."""
    work = Workdir(tmp_path)
    work.write_plan("0" * 64, b"{}\n")
    assert work.plan_document("0" * 64) == b"{}\n"
    with pytest.raises(PlanError, match="piquet plan"):
        work.plan_document("1" * 64)
    assert [path.name for path in work.bundle_dir("0" * 64).iterdir()] == ["plan.json"]


def test_every_variable_of_ours_is_known() -> None:
    """What an inventory may say of us is what the roles take, and the names of sites, addresses and directives."""
    specs = (resources.collection() / "roles").glob("*/meta/argument_specs.yml")
    taken = {name for spec in specs for name in re.findall(r"^\s+(piquet_[a-z_]+):", spec.read_text(), re.M)}
    assert taken | {"piquet_addresses", "piquet_nginx_harmless", "piquet_sites"} == set(
        known_variables(SERVERS)
    )


@pytest.mark.parametrize(
    ("wanted", "lua", "expected"),
    [
        ("auto", {"version": "5.3"}, "rules"),
        ("auto", {"usable": True, "version": "5.3"}, "lua"),
        ("auto", {"usable": True, "version": "5.4"}, "rules"),
        ("auto", {"usable": True}, "rules"),
        ("auto", {"usable": True, "own": True, "version": "5.3"}, "rules"),
        ("lua", {"usable": True, "own": True, "version": "5.4"}, "lua"),
        ("rules", {"usable": True, "version": "5.3"}, "rules"),
    ],
)
def test_how_apache_is_spoken_to(wanted: str, lua: Mapping[str, Any], expected: str) -> None:
    """Not by Lua, unless the inventory says so, where its owner speaks it too, or where our code would not run."""
    facts = apache(block(1, "www.example.org"), lua=lua)
    document = SURVEY | {"nginx": None, "apache": facts}
    (server,) = fleet({"web1": document}, piquet_apache=wanted).hosts[0].servers
    assert server.variant == expected
