# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers before anything of ours: told as a limit where that is so, and as an error where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from piquet.answers import sign
from piquet.campaign.model import Campaign
from piquet.fleet.model import Fleet, Host, Listen, Site
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS
from piquet.verify.baseline import Baseline, make_baseline
from piquet.verify.expectations import Expectations
from piquet.verify.observation import Observation, Reply, Target
from piquet.verify.outside.inspection import Inspection, inspect, judged, take_baseline
from piquet.verify.outside.probe import Prober
from piquet.verify.questions import CLIMBING, FRONT
from piquet.verify.targets import targets_of
from tests.ports import free_ports
from tests.server_facts import made_facts

from .servers import SECRET, Server, make_authority, start_apache, start_nginx, strike_lines

NAME = "secure.example.org"
NGINX = """server {{ listen 127.0.0.1:{port}; server_name {name};
  if ($request_uri ~* "\\.\\.|%2e") {{ return {status}; }}
  {strike} location / {{ return 200 "usual"; }} }}
"""
MD = """MDStoreDir "{folder}/md"
MDPortMap http:{port} https:{tls}
<MDomainSet {name}>
  MDCertificateFile {folder}/cert.pem
  MDCertificateKeyFile {folder}/key.pem
  MDRequireHttps {way}
</MDomainSet>
<VirtualHost 127.0.0.1:{port}>
  ServerName {name}
  <Location "/.well-known/">
    {strike}
  </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:{tls}>
  ServerName {name}
  SSLEngine on
  {strike}
</VirtualHost>
"""
STRIKE = 'Redirect 503 /\n  Header always set X-Piquet "{sign}"'


@pytest.fixture(autouse=True)
def _takes_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is made from the current second."""
    monkeypatch.setattr("piquet.verify.outside.inspection.TAKES_APART_S", 0.0)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """What a test has started."""
    found: list[Server] = []
    yield found
    for server in found:
        server.stop()


def look(targets: list[Target], campaign: Campaign, baseline: Baseline | None, ca: str) -> Inspection:
    """Everything in the campaign's window."""

    async def run() -> Inspection:
        async with Prober(5.0, ca or None) as prober:
            return await inspect(prober, targets, Expectations(campaign, SECRET), baseline)

    return asyncio.run(run())


def remember(targets: list[Target], campaign: Campaign, ca: str) -> Baseline:
    """How it answers now."""

    async def run() -> Baseline:
        async with Prober(5.0, ca or None) as prober:
            return (await take_baseline(prober, targets, Expectations(campaign, SECRET)))[0]

    return asyncio.run(run())


@pytest.mark.parametrize("status", [403, 400, 406])
def test_a_firewall_that_refuses_climbing_paths(
    servers: list[Server], folder: Path, running: Campaign, status: int
) -> None:
    """Refused at the baseline as well: for the record only; without a baseline nobody knows, so it is a warning."""
    port = free_ports(1)
    fields = {"port": port[0], "name": NAME, "status": status, "strike": strike_lines(running)}
    servers.append(start_nginx(folder, NGINX.format(**fields), port))
    targets = [Target("web1", "127.0.0.1", port[0], False, NAME, NAME, (1,))]
    baseline = remember(targets, running, "")
    servers[0].strike(True)
    found = look(targets, running, baseline, "").findings
    assert {(f.severity, f.code) for f in found} == {("info", "refused-before-us")}
    assert f"({status})" in found[0].message
    found = look(targets, running, None, "").findings
    assert {(f.severity, f.code) for f in found} == {("warning", "refused-before-us")}


@pytest.mark.parametrize(
    ("path", "before", "now", "expected"),
    [
        (CLIMBING[0], 403, 403, "refused-before-us"),
        (CLIMBING[1], 403, 403, "refused-before-us"),
        (CLIMBING[0], 200, 403, "not-on-strike"),
        (CLIMBING[0], 404, 404, "not-on-strike"),
        (CLIMBING[0], 200, 200, "not-on-strike"),
        (CLIMBING[0], 403, 200, "not-on-strike"),
        ("/", 403, 403, "not-on-strike"),
        ("/a..b", 403, 403, "not-on-strike"),
    ],
)
def test_only_a_refusal_of_a_climbing_path_is_one(
    running: Campaign, path: str, before: int, now: int, expected: str
) -> None:
    """A page of the site, its own 404, another answer than at the baseline, or another path: not on strike."""
    place, question = Target("web1", "192.0.2.1", 80, False, NAME, NAME, (1,)), replace(FRONT, path=path)
    at = running.phases[0].start_at.timestamp() + 60
    takes = [
        [Reply(place, question, Observation(status, (), "b" * 64, 3, at, at))] for status in (before, now)
    ]
    baseline = make_baseline("c", 0.0, takes[0], takes[0])
    found, _ = judged(takes[1], Expectations(running), baseline)
    assert [finding.code for finding in found] == [expected]


@pytest.mark.parametrize("way", ["permanent", "temporary"])
def test_mod_md_sends_to_https_before_us(
    servers: list[Server], folder: Path, running: Campaign, way: str
) -> None:
    """Apache's own mod_md: http is a limit with its cause, as long as https shows the strike."""
    make_authority(folder, [NAME])
    port, tls = free_ports(2)
    fields = {"folder": folder, "port": port, "tls": tls, "name": NAME, "way": way, "strike": "# none"}
    modules = ("mpm_event", "authz_core", "alias", "headers", "ssl", "socache_shmcb", "md")
    servers.append(start_apache(folder / "apache", MD.format(**fields), [port, tls], modules))
    site = (NAME, NAME, (1,))
    targets = [
        Target("web1", "127.0.0.1", port, False, *site, may_redirect=True),
        Target("web1", "127.0.0.1", tls, True, *site),
    ]
    baseline = remember(targets, running, str(folder / "ca.pem"))
    fronts = [p.fields["status"] for k, p in baseline.prints.items() if not k.tls and k.path == "/"]
    assert set(fronts) <= {"301", "302"}
    off = look(targets, running, baseline, str(folder / "ca.pem")).findings
    assert {f.code for f in off if f":{port} " in f.subject} == {"not-on-strike"}
    config = servers[0].folder / "apache.conf"
    strike = STRIKE.format(sign=sign(running, running.phases[0]))
    config.write_text(config.read_text().replace("# none", strike))
    servers[0].restart()
    seen = look(targets, running, baseline, str(folder / "ca.pem"))
    found = [f for f in seen.findings if f":{port} " in f.subject]
    assert not [f for f in found if f.code == "not-on-strike"]
    assert [(f.severity, f.subject) for f in found if f.code == "redirected-before-us"] == [
        ("warning", targets[0].label)
    ]
    assert any("(mod_md); https shows the strike" in f.message for f in found)


def test_who_has_mod_md_is_known_from_the_survey(running: Campaign) -> None:
    """Only plain HTTP of a name that mod_md stands for: elsewhere a redirect in the window is an error."""
    doors = (Listen("0.0.0.0", 80, False), Listen("0.0.0.0", 443, True))

    def host(name: str, provider: str, *first: str) -> Host:
        site = Site(f"{name}.example.org", provider, doors, True, False)  # type: ignore[arg-type]
        facts = made_facts(provider, frozenset({"md_module"}), https_first=frozenset(first))
        return Host(name, "192.0.2.1", (site,), (facts,), datetime.now(UTC), 0.0, (), (site.name,))

    fleet = Fleet(
        (host("a", "apache", "a.example.org"), host("b", "apache", "x.example.org"), host("c", "nginx"))
    )
    targets, _ = targets_of(fleet, make_plan(running, fleet, datetime.now(UTC), SERVERS))
    assert {(t.host, t.port) for t in targets if t.may_redirect and t.phases} == {("a", 80)}
