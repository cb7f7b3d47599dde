# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that is used again is the server's to close: what it then says, or does not, is no answer of a site."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from piquet.campaign.model import Campaign
from piquet.verify.baseline import Baseline
from piquet.verify.expectations import Expectations
from piquet.verify.observation import Observation, Target
from piquet.verify.outside.inspection import Inspection, inspect, take_baseline
from piquet.verify.outside.probe import Prober
from piquet.verify.questions import FRONT
from tests.ports import free_ports

from .servers import Server, make_authority, start_apache, start_nginx

ROOT = Path(__file__).parents[2]
NAMES = ("a.example.org", "b.example.org", "c.example.org")
BLOCK = """server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl; server_name {names};
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  {own} location / {{ return 200 "$host $http_connection"; }} }}
"""
USERS = ("www-data www-data", "daemon daemon", "nobody nogroup")
VHOST = """<VirtualHost 127.0.0.1:{port}>
  ServerName {name}
  AssignUserId {user}
  DocumentRoot {folder}/www
  FallbackResource /index.html
</VirtualHost>
"""
ITK = "LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so\nLoadModule mpm_itk_module {itk}"
Start = Callable[[str], Server]


@pytest.fixture(autouse=True)
def _takes_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is made from the current second."""
    monkeypatch.setattr("piquet.verify.outside.inspection.TAKES_APART_S", 0.0)


@pytest.fixture
def nginx(folder: Path) -> Iterator[Start]:
    """Start nginx with three names and some lines in their block."""
    running: list[Server] = []

    def start(own: str) -> Server:
        make_authority(folder, list(NAMES))
        ports = free_ports(2)
        fields = {"port": ports[0], "tls": ports[1], "folder": folder, "names": " ".join(NAMES), "own": own}
        running.append(start_nginx(folder, BLOCK.format(**fields), ports))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def itk(folder: Path) -> Iterator[Server]:
    """Apache with mpm-itk, each of three virtual hosts on one door with a user of its own."""
    subprocess.run(["bash", "-c", ". script/lib/setup.sh; setup_modules"], cwd=ROOT, check=True)
    module = folder / "mpm_itk.so"
    module.write_bytes((ROOT / ".cache/modules/mpm_itk.so").read_bytes())
    ports = free_ports(1)
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("As usual\n")
    os.utime(folder / "www" / "index.html", (1_700_000_000, 1_700_000_000))
    vhosts = zip(NAMES, USERS, strict=True)
    sites = "".join(VHOST.format(port=ports[0], name=n, user=u, folder=folder) for n, u in vhosts)
    loads = ITK.format(modules="/usr/lib/apache2/modules", itk=module)
    server = start_apache(folder / "itk", sites, ports, ("authz_core", "dir"), loads)
    yield server
    server.stop()


def targets(server: Server) -> tuple[Target, ...]:
    """The three names at each door."""
    doors = dict.fromkeys(((server.port, False), (server.tls_port, True)))
    return tuple(
        Target("web1", "127.0.0.1", port, tls and port != server.port, name, name)
        for port, tls in doors
        if not tls or port != server.port
        for name in NAMES
    )


def baseline_of(server: Server, campaign: Campaign, ca: str | None = None) -> Baseline:
    """Take a baseline with all targets at once, so that they share connections."""

    async def run() -> Baseline:
        async with Prober(5.0, ca) as prober:
            return (await take_baseline(prober, targets(server), Expectations(campaign)))[0]

    return asyncio.run(run())


def look(server: Server, campaign: Campaign, baseline: Baseline, ca: str | None = None) -> Inspection:
    """Everything as usual, against the baseline."""

    async def run() -> Inspection:
        async with Prober(5.0, ca) as prober:
            return await inspect(prober, targets(server), Expectations(campaign, moment="before"), baseline)

    return asyncio.run(run())


def test_mpm_itk_closes_where_the_user_changes(itk: Server, ahead: Campaign) -> None:
    """Browsers ask again; so the baseline notes answers that do not change, and nothing is wrong afterwards."""
    baseline = baseline_of(itk, ahead)
    fronts = [one for key, one in baseline.prints.items() if key.path == "/"]
    assert {one.fields.get("status") for one in fronts} == {"200"}
    assert {one.volatile for one in baseline.prints.values()} == {()}
    seen = look(itk, ahead, baseline)
    assert seen.findings == ()
    assert {row.verdict for row in seen.returned} == {"identical"}


@pytest.mark.parametrize(
    "own",
    [
        "if ($connection_requests != 1) { return 444; }",
        "if ($connection_requests != 1) { return 421; }",
        "keepalive_requests 2;",
        "keepalive_timeout 0;",
        "keepalive_timeout 5ms;",
    ],
)
def test_a_server_that_wants_a_connection_of_its_own_gets_it(nginx: Start, ahead: Campaign, own: str) -> None:
    """Closed without a word, or 421, on a connection used before, or a limit on its use."""
    server = nginx(own)
    ca = str(server.folder / "ca.pem")
    baseline = baseline_of(server, ahead, ca)
    assert {one.fields.get("status") for one in baseline.prints.values()} == {"200"}
    assert {one.volatile for one in baseline.prints.values()} == {()}
    assert look(server, ahead, baseline, ca).findings == ()


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("return 444;", (None, "closed: the connection was closed before the answer was complete")),
        ("return 421;", (421, "")),
    ],
)
def test_what_a_new_connection_brings_is_the_answer(
    nginx: Start, own: str, expected: tuple[int | None, str]
) -> None:
    """A site that does so on every connection answers just that."""
    server = nginx(own)

    async def ask() -> list[Observation]:
        async with Prober(5.0, str(server.folder / "ca.pem")) as prober:
            return [await prober.ask(target, FRONT) for target in targets(server) for _ in range(2)]

    assert {(seen.status, seen.error) for seen in asyncio.run(ask())} == {expected}
