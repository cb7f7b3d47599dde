# SPDX-License-Identifier: GPL-3.0-or-later
"""`inspect` sees right and wrong answers of real servers: before, during and after a strike."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from piquet.campaign.model import Campaign
from piquet.errors import FleetError
from piquet.protocol.findings import Finding
from piquet.verify.baseline import Baseline, compare, make_baseline, read_baseline, write_baseline
from piquet.verify.certificate import Certificate, certificate_text, make_certificate
from piquet.verify.expectations import Expectations
from piquet.verify.observation import UNKNOWN_SITE, Observation, Question, Reply, Target
from piquet.verify.outside.inspection import Inspection, inspect, take_baseline
from piquet.verify.outside.probe import Prober
from tests.ports import free_ports

from .servers import SECRET, Server, make_authority, start_nginx, strike_lines

SITES = ("a.example.org", "b.example.org", "*.blogs.example.org")
SITE = """server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl; server_name {name};
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  {strike}
  root {folder}/www; location / {{ try_files $uri $uri/index.html =404; }} {own} }}
"""
Start = Callable[..., Server]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start nginx with the three sites on strike lines of a campaign, and one site outside of it."""
    running: list[Server] = []

    def start_it(campaign: Campaign, fault: dict[str, dict[str, str]] | None = None, own: str = "") -> Server:
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_text("<h1>As usual</h1>\n" * 50)
        (folder / "www" / "robots.txt").write_text("User-agent: *\nDisallow:\n")
        make_authority(folder, ["a.example.org", "b.example.org", "*.blogs.example.org", "free.example.org"])
        ports = free_ports(2)
        fields = {"port": str(ports[0]), "tls": str(ports[1]), "folder": str(folder), "own": own}
        blocks = [
            SITE.format(name=name, strike=strike_lines(campaign, **(fault or {}).get(name, {})), **fields)
            for name in SITES
        ]
        blocks.insert(0, SITE.format(name="free.example.org", strike="", **fields))
        running.append(start_nginx(folder, "".join(blocks), ports))
        return running[-1]

    yield start_it
    for server in running:
        server.stop()


def targets(server: Server) -> tuple[Target, ...]:
    """Every site at both doors, one that is not selected, and an unknown name."""
    found = []
    for port, tls in ((server.port, False), (server.tls_port, True)):
        for site in SITES:
            name = site.replace("*", "piquet-probe")
            found.append(Target("web1", "127.0.0.1", port, tls, site, name, (1,)))
        found.append(Target("web1", "127.0.0.1", port, tls, "free.example.org", "free.example.org"))
        found.append(Target("web1", "127.0.0.1", port, tls, UNKNOWN_SITE, "unknown.invalid"))
    return tuple(found)


def look(server: Server, expectations: Expectations, baseline: Baseline | None = None) -> Inspection:
    """One inspection of the whole server, with the throw-away authority."""

    async def run() -> Inspection:
        async with Prober(5.0, str(server.folder / "ca.pem")) as prober:
            return await inspect(prober, targets(server), expectations, baseline)

    return asyncio.run(run())


def remember(server: Server, campaign: Campaign) -> Baseline:
    """Take a baseline, and read it again from its text."""

    async def run() -> Baseline:
        async with Prober(5.0, str(server.folder / "ca.pem")) as prober:
            return (await take_baseline(prober, targets(server), Expectations(campaign, SECRET)))[0]

    return read_baseline(write_baseline(asyncio.run(run())))


def errors(inspection: Inspection) -> list[Finding]:
    """Findings that make verify red."""
    return [finding for finding in inspection.findings if finding.severity == "error"]


def test_a_right_strike_has_no_finding(start: Start, running: Campaign) -> None:
    """Every row of the table right on every site and door: nothing to report, and the pages are compared."""
    server = start(running)
    server.strike(True)
    seen = look(server, Expectations(running, SECRET))
    assert seen.findings == ()
    assert seen.pace.probes > 2 * len(SITES) * 15


def test_a_site_that_stays_open_is_named(start: Start, running: Campaign) -> None:
    """The one site without the strike is reported with host, door, expected and got; the others are not."""
    server = start(running, {"b.example.org": {"signed": "", "page": "hello"}})
    server.strike(True)
    found = errors(look(server, Expectations(running, SECRET)))
    assert {finding.code for finding in found} == {"not-on-strike"}
    assert {finding.subject for finding in found} == {
        f"b.example.org on web1, 127.0.0.1:{server.port} (http)",
        f"b.example.org on web1, 127.0.0.1:{server.tls_port} (https)",
    }
    front = next(finding for finding in found if finding.message.startswith("GET / is"))
    assert front.expected == "503 the strike page, X-Piquet: greve-test/1/block"
    assert front.got.startswith("503, ") and front.got.endswith(" bytes, without X-Piquet")


def test_a_200_instead_of_503_is_named(start: Start, running: Campaign) -> None:
    """Our page with the wrong status is a finding that tells both statuses."""
    server = start(running, {"a.example.org": {"status": "200"}})
    server.strike(True)
    found = errors(look(server, Expectations(running, SECRET)))
    assert {(f.code, f.expected, f.got) for f in found} == {("wrong-status", "503", "200")}
    assert all(finding.subject.startswith("a.example.org on web1, 127.0.0.1:") for finding in found)


def test_a_missing_header_is_named(start: Start, running: Campaign) -> None:
    """No Retry-After on one site: a finding with the value that should be there."""
    lines = strike_lines(running)
    server = start(running, {"*.blogs.example.org": {"until": ""}})
    server.strike(True)
    found = errors(look(server, Expectations(running, SECRET)))
    assert {finding.code for finding in found} == {"wrong-header"}
    assert all(finding.got == "Retry-After: (absent)" for finding in found)
    assert all(finding.expected.removeprefix("Retry-After: ") in lines for finding in found)
    assert {f.subject.split(" on ")[0] for f in found} == {
        "*.blogs.example.org (asked as piquet-probe.blogs.example.org)"
    }


def test_another_page_on_one_site_is_named(start: Start, running: Campaign) -> None:
    """One site with an older strike page stands out, though every header is right."""
    server = start(running, {"b.example.org": {"page": "old page"}})
    server.strike(True)
    found = errors(look(server, Expectations(running, SECRET)))
    assert {finding.code for finding in found} == {"page-differs"}
    assert {finding.subject.split(" on ")[0] for finding in found} == {"b.example.org"}


def test_a_strike_before_the_start_is_named(start: Start, ahead: Campaign) -> None:
    """Anything of ours a day early is an error on each selected site, and on no other."""
    server = start(ahead)
    assert look(server, Expectations(ahead, SECRET)).findings == ()
    server.strike(True)
    found = errors(look(server, Expectations(ahead, SECRET)))
    assert {finding.code for finding in found} == {"strike-outside"}
    assert {finding.subject.split(" on ")[0].split(" ")[0] for finding in found} == set(SITES)
    assert len(found) == 2 * len(SITES)
    assert all(" more questions alike" in finding.message for finding in found)


def test_a_strike_on_an_unselected_site_is_named(start: Start, running: Campaign) -> None:
    """A site that is not selected is as usual even in the window."""
    server = start(running)
    server.strike(True)
    everyone = targets(server)
    unselected = tuple(
        Target(*(getattr(t, n) for n in ("host", "address", "port", "tls", "site", "name"))) for t in everyone
    )

    async def run() -> Inspection:
        async with Prober(5.0, str(server.folder / "ca.pem")) as prober:
            return await inspect(prober, unselected, Expectations(running, SECRET))

    found = errors(asyncio.run(run()))
    assert {finding.code for finding in found} == {"strike-outside"}


def test_a_door_that_is_shut_is_named(start: Start, running: Campaign) -> None:
    """robots.txt answered by the strike is an error, while the rest of the strike is right."""
    server = start(running)
    server.strike(True)
    server.edit(r"robots\.txt|", "")
    found = errors(look(server, Expectations(running, SECRET)))
    assert {finding.code for finding in found} == {"strike-outside"}
    assert all("/robots.txt" in finding.message for finding in found)


def test_return_is_identical_and_one_byte_is_seen(start: Start, ahead: Campaign) -> None:
    """After the strike all is identical; one changed byte, same length, is a finding with both digests."""
    server = start(ahead)
    baseline = remember(server, ahead)
    after = Expectations(ahead, SECRET, moment="after")
    back = look(server, after, baseline)
    assert back.findings == ()
    assert {row.verdict for row in back.returned} == {"identical"}
    robots = server.folder / "www" / "robots.txt"
    times = robots.stat()
    robots.write_text(robots.read_text().replace("Disallow:", "disallow:"))
    os.utime(robots, ns=(times.st_atime_ns, times.st_mtime_ns))
    found = errors(look(server, after, baseline))
    assert {finding.code for finding in found} == {"not-as-before"}
    assert all(
        finding.message == "GET /robots.txt: body is not as it was at the baseline" for finding in found
    )
    assert all(len(finding.expected) == len(finding.got) == 64 for finding in found)
    assert len(found) == 8


def test_a_site_that_changes_by_itself(start: Start, ahead: Campaign) -> None:
    """A body with the request's own id is compared by its lasting lines only, and these must be there."""
    own = 'location = / { default_type text/plain; return 200 "first\\n$request_id\\nlast\\n"; }'
    server = start(ahead, own=own)
    baseline = remember(server, ahead)
    after = Expectations(ahead, SECRET, moment="after")
    back = look(server, after, baseline)
    assert back.findings == ()
    front = [row for row in back.returned if row.reply.question.path == "/"]
    assert {row.verdict for row in front} == {"stable"}
    assert all("body" in row.volatile for row in front)
    server.edit("last\\n", "least\\n")
    found = errors(look(server, after, baseline))
    assert {finding.got for finding in found} == {"1 of them gone"}


def _certificate(baseline: Baseline, seen: Inspection) -> Certificate:
    moment = datetime.fromtimestamp(baseline.last_at, UTC)
    return make_certificate(baseline, seen.returned, moment, moment)


@pytest.mark.parametrize("is_before", [True, False])
def test_a_site_that_limits_requests_is_not_called_changed(
    start: Start, ahead: Campaign, is_before: bool
) -> None:
    """A 429 on one side of the comparison is no evidence: the path is named, and the rest of the site counts."""
    usual = "location = /robots.txt { try_files $uri =404; }"
    limited = "location = /robots.txt { return 429; }"
    first, then = (limited, usual) if is_before else (usual, limited)
    server = start(ahead, own=first)
    baseline = remember(server, ahead)
    server.edit(first, then)
    seen = look(server, Expectations(ahead, SECRET, moment="after"), baseline)
    assert {("warning", "not-compared")} == {(one.severity, one.code) for one in seen.findings}
    assert all("GET /robots.txt: not compared" in one.message for one in seen.findings)
    certificate = _certificate(baseline, seen)
    assert certificate.is_clean
    assert "limits how often one may ask (429): /robots.txt" in certificate_text(certificate)


def test_a_limit_at_the_baseline_excuses_no_error(start: Start, ahead: Campaign) -> None:
    """A server that fails afterwards, and a strike that stayed, did not come back, whatever the baseline met."""
    first = "location = /robots.txt { return 429; }"
    server = start(ahead, own=first)
    baseline = remember(server, ahead)
    server.edit(first, "location = /robots.txt { return 502; }")
    seen = look(server, Expectations(ahead, SECRET, moment="after"), baseline)
    assert {"not-as-before"} == {one.code for one in errors(seen)}
    assert not _certificate(baseline, seen).is_clean


def test_the_take_that_met_no_limit_counts() -> None:
    """What differs between a page and "too many requests" is no change of the page."""
    target = Target("web1", "192.0.2.1", 80, False, "a.example.org", "a.example.org")

    def take(status: int) -> list[Reply]:
        seen = Observation(status, (("content-type", "text/html"),), f"{status}" * 20, status, 1.0, 1.1)
        return [Reply(target, Question("GET", "/"), seen)]

    for takes in ((200, 429), (429, 200)):
        baseline = make_baseline("greve-test", 0.0, *map(take, takes))
        verdicts = [compare(baseline, take(status)[0]).verdict for status in (200, 404, 429, 502)]
        assert verdicts == ["identical", "different", "limited", "different"]
    baseline = make_baseline("greve-test", 0.0, take(429), take(429))
    verdicts = [compare(baseline, take(status)[0]).verdict for status in (200, 429, 502)]
    assert verdicts == ["limited", "limited", "different"]


def test_a_site_of_which_nothing_can_be_compared_did_not_come_back(start: Start, ahead: Campaign) -> None:
    """Where the front page answers "too many requests", nobody knows: the certificate is not whole."""
    server = start(ahead)
    baseline = remember(server, ahead)
    server.edit("location / {", "location / { return 429;")
    seen = look(server, Expectations(ahead, SECRET, moment="after"), baseline)
    assert not errors(seen)
    certificate = _certificate(baseline, seen)
    assert {"limited"} == {row.verdict for row in certificate.rows}
    assert not certificate.is_clean


def test_no_baseline_during_a_strike(start: Start, ahead: Campaign) -> None:
    """Taking a baseline of a struck site is refused."""
    server = start(ahead)
    server.strike(True)
    with pytest.raises(FleetError, match=r"a.example.org on web1, .* answered by a strike"):
        remember(server, ahead)


def test_a_server_that_is_gone_is_unreachable(start: Start, ahead: Campaign) -> None:
    """A host that is down after the end is named as unreachable, at every door, and quickly."""
    server = start(ahead)
    baseline = remember(server, ahead)
    server.stop()
    seen = look(server, Expectations(ahead, SECRET, moment="after"), baseline)
    assert {row.verdict for row in seen.returned} == {"unreachable"}
    assert len(errors(seen)) == 8
    assert all("Connect call failed" in f.got or "refused" in f.got.lower() for f in errors(seen))


def test_a_wrong_certificate_is_named(start: Start, ahead: Campaign) -> None:
    """Without the authority each https door has one certificate finding, and is still judged."""
    server = start(ahead)

    async def run() -> Inspection:
        async with Prober(5.0) as prober:
            return await inspect(prober, targets(server), Expectations(ahead, SECRET))

    found = errors(asyncio.run(run()))
    assert {finding.code for finding in found} == {"certificate"}
    assert len(found) == len(SITES) + 1
    assert {f"{server.tls_port} (https)" in finding.subject for finding in found} == {True}
