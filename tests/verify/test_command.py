# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet verify` as a person runs it: a real inventory, a survey, a real nginx and a real Apache, plain and TLS."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from piquet.cli import run_command
from piquet.cli.exit_codes import FINDINGS, FLEET, OK, USAGE
from piquet.cli.verify import BEFORE_OURS_S
from piquet.fleet.workdir import Workdir
from piquet.verify.baseline import read_baseline
from tests.ports import free_ports

from .conftest import make_campaign
from .fronts import in_front, resolver
from .servers import Server, make_authority, start_apache, start_nginx, strike_lines

NGINX_SITE, APACHE_SITE = "www.nginx.example", "www.apache.example"
CAMPAIGN = """campaign: greve-test
timezone: UTC
languages: [fr, en]
contact: mailto:greve@example.org
phases:
  - {{mode: block, start: "{start:%Y-%m-%dT%H:%M:%S}", duration: 1h, page: pages/greve}}
sites: {{include: ["*"]}}
limits: {{max_block: 24h, max_share: 100%}}
"""
VHOST = """<VirtualHost 127.0.0.1:{port}>
  ServerName {name}
  DocumentRoot "{folder}/www"
  {tls}
</VirtualHost>
"""
NGINX_BLOCK = """server {{ listen 127.0.0.1:{port} default_server; listen 127.0.0.1:{tls} ssl default_server;
  server_name {name}; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  {strike} root {folder}/www; }}
"""


@dataclass
class OneHostFleet:
    """A fleet of one host with both servers, and the arguments of the command for it."""

    folder: Path
    nginx: Server
    apache: Server
    arguments: list[str]

    def verify(self, *more: str) -> int:
        """Run the command."""
        return run_command(["verify", *self.arguments, *more])

    def campaign(self, start_at: datetime) -> None:
        """Write the campaign file, one hour from `start_at`."""
        (self.folder / "campaign.yml").write_text(CAMPAIGN.format(start=start_at))


def survey(kind: str, name: str, server: Server) -> dict[str, Any]:
    """One server's part of a survey; `kind` is where its vhosts are listed."""
    listens = [
        {"address": "127.0.0.1", "port": port, "tls": tls, "default": False}
        for port, tls in ((server.port, False), (server.tls_port, True))
    ]
    vhost = {"file": "/etc/x", "line": 1, "offset": 1, "names": [name], "listens": listens, "hooked": "owner"}
    facts = {"version": "1", "modules": ["headers_module"], "running": True, "dropin_dir": "/etc/x.d"}
    return {**facts, "test": {"ok": True, "output": ""}, kind: [vhost]}


@pytest.fixture
def nginx(folder: Path) -> Iterator[Server]:
    """One site on nginx at two doors, with the strike's lines."""
    make_authority(folder, [NGINX_SITE, APACHE_SITE])
    ports = free_ports(2)
    lines = strike_lines(make_campaign(now() - timedelta(minutes=30)))
    fields = {"folder": folder, "name": NGINX_SITE, "port": ports[0], "tls": ports[1], "strike": lines}
    server = start_nginx(folder, NGINX_BLOCK.format(**fields), ports)
    yield server
    server.stop()


@pytest.fixture
def apache(folder: Path, nginx: Server) -> Iterator[Server]:
    """One site on Apache at two doors, never on strike."""
    ports = free_ports(2)
    tls = f"SSLEngine on\n  SSLCertificateFile {folder}/cert.pem\n  SSLCertificateKeyFile {folder}/key.pem"
    vhosts = VHOST.format(port=ports[0], name=APACHE_SITE, folder=folder, tls="")
    vhosts += VHOST.format(port=ports[1], name=APACHE_SITE, folder=folder, tls=tls)
    mime = "TypesConfig /etc/mime.types\nDirectoryIndex index.html\n"
    server = start_apache(folder / "apache", mime + vhosts, ports)
    yield server
    server.stop()


@pytest.fixture
def one_host(folder: Path, nginx: Server, apache: Server) -> OneHostFleet:
    """Write inventory, survey and pages for both servers; the campaign starts tomorrow."""
    (folder / "www").mkdir()
    index = folder / "www" / "index.html"
    index.write_text("<h1>As usual</h1>\n" * 30)
    os.utime(index, (1_700_000_000, 1_700_000_000))  # Apache's ETag of a brand-new file changes by itself
    pages = folder / "pages" / "greve"
    pages.mkdir(parents=True)
    for language in ("fr", "en"):
        (pages / f"{language}.md").write_text("# Strike\n")
    (folder / "hosts").write_text("web1 ansible_host=127.0.0.1\n")
    document = {"piquet_survey": 1, "at": time.time(), "skew_s": 0.0, "findings": []}
    document["nginx"] = survey("blocks", NGINX_SITE, nginx)
    document["apache"] = survey("vhosts", APACHE_SITE, apache)
    Workdir(folder / ".piquet").write_survey("web1", document)
    arguments = [str(folder / "campaign.yml"), "-i", str(folder / "hosts"), "--ca", str(folder / "ca.pem")]
    made = OneHostFleet(folder, nginx, apache, arguments)
    made.campaign(now() + timedelta(days=1))
    return made


def now() -> datetime:
    """This second, UTC."""
    return datetime.now(UTC).replace(microsecond=0)


def test_there_and_back(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Baseline, before, after: all green on both servers and both schemes, and a certificate that says so."""
    assert one_host.verify("--baseline", "take") == OK
    capsys.readouterr()
    assert one_host.verify("--before") == OK
    out = capsys.readouterr().out
    assert "every site answers as it should" in out and " show " not in out
    assert one_host.verify("--after", "--json") == OK
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    certificate = report["certificate"]
    assert printed.err == ""
    assert certificate["clean"] is True and certificate["summary"].startswith("Every site came back: 2 sites")
    assert {(row["site"], row["tls"], row["verdict"]) for row in certificate["rows"]} == {
        (site, tls, "identical") for site in (NGINX_SITE, APACHE_SITE) for tls in (False, True)
    }
    assert one_host.verify("--after") == OK
    kept = Path(capsys.readouterr().out.rpartition("the certificate is kept in ")[2].strip())
    assert certificate["summary"] in kept.read_text("utf-8") and kept.stat().st_mode & 0o077 == 0


def test_what_was_remembered_before_a_reload_stays(
    one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """`keep`: what is newer than the survey is not replaced, what is missing is added; a new survey begins anew."""
    file = one_host.folder / ".piquet" / "baselines" / "greve-test.json"
    assert one_host.verify("--baseline", "keep") == OK
    first = read_baseline(file.read_text())
    index = one_host.folder / "www" / "index.html"
    index.write_text(index.read_text().replace("usual", "usuaL", 1))
    capsys.readouterr()
    assert one_host.verify("--baseline", "keep") == OK
    assert read_baseline(file.read_text()) == first
    assert f"baseline of {len(first.prints)} answers of " in capsys.readouterr().out
    text = (one_host.folder / "campaign.yml").read_text()
    (one_host.folder / "campaign.yml").write_text(text + "open: {paths: [/new/]}\n")
    assert one_host.verify("--baseline", "keep") == OK
    more = read_baseline(file.read_text())
    assert {key: more.prints[key] for key in first.prints} == first.prints
    assert any(key.path.startswith("/new/") for key in more.prints.keys() - first.prints.keys())
    assert more.taken_at == first.taken_at
    work = Workdir(one_host.folder / ".piquet")
    work.write_survey("web1", work.surveys()["web1"] | {"at": time.time()})
    assert one_host.verify("--baseline", "keep") == OK
    anew = read_baseline(file.read_text())
    fronts = [key for key in first.prints if key.path == "/"]
    assert fronts and all(
        anew.prints[key].fields["body"] != first.prints[key].fields["body"] for key in fronts
    )


def test_a_baseline_from_before_our_lines_is_worth_more_than_a_newer_one(one_host: OneHostFleet) -> None:
    """Surveyed again with our lines in it, a host keeps what was remembered before them; not for longer than a day."""
    file, work = (
        one_host.folder / ".piquet" / "baselines" / "greve-test.json",
        Workdir(one_host.folder / ".piquet"),
    )
    assert one_host.verify("--baseline", "keep") == OK
    first = read_baseline(file.read_text())
    index = one_host.folder / "www" / "index.html"
    index.write_text(index.read_text().replace("usual", "usuaL", 1))
    hooked = work.surveys()["web1"] | {"at": time.time()}
    hooked["nginx"]["blocks"][0]["hooked"] = "ours"
    work.write_survey("web1", hooked)
    assert one_host.verify("--baseline", "keep") == OK
    assert read_baseline(file.read_text()) == first
    work.write_survey("web1", hooked | {"at": time.time() + BEFORE_OURS_S})
    assert one_host.verify("--baseline", "keep") == OK
    assert read_baseline(file.read_text()) != first


def test_in_a_window_nothing_is_remembered_anew(
    one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hook line is put back while others are on strike, after a new survey: the baseline of before stays."""
    file = one_host.folder / ".piquet" / "baselines" / "greve-test.json"
    assert one_host.verify("--baseline", "keep") == OK
    before = file.read_bytes()
    work = Workdir(one_host.folder / ".piquet")
    work.write_survey("web1", work.surveys()["web1"] | {"at": time.time()})
    one_host.campaign(now() - timedelta(minutes=30))
    one_host.nginx.strike(True)
    capsys.readouterr()
    assert one_host.verify("--baseline", "keep") == OK
    assert "a window is open" in capsys.readouterr().out and file.read_bytes() == before


def test_one_byte_on_apache(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """One changed byte after the end: exit code 1, the certificate names site, host, port and both digests."""
    assert one_host.verify("--baseline", "take") == OK
    index = one_host.folder / "www" / "index.html"
    index.write_text(index.read_text().replace("usual", "usuaL", 1))
    capsys.readouterr()
    assert one_host.verify("--after") == FINDINGS
    text = capsys.readouterr().out
    place = f"{APACHE_SITE} on web1, 127.0.0.1:{one_host.apache.tls_port} (https)"
    assert ": GET /: body is not as it was at the baseline [not-as-before]" in text
    assert f"\n  {place}: GET /\n" in text
    assert "Not every site came back as it was: 2 sites on 1 host, 4 doors: 4 different." in text
    assert "NOT as it should be" in text


def test_a_site_that_does_not_strike(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """In the window nginx strikes and Apache does not: each door of Apache is named, none of nginx."""
    one_host.campaign(now() - timedelta(minutes=30))
    one_host.nginx.strike(True)
    assert one_host.verify("--during", "--json") == FINDINGS
    report = json.loads(capsys.readouterr().out)
    red = {finding["subject"] for finding in report["findings"] if finding["code"] == "not-on-strike"}
    assert red == {
        f"{APACHE_SITE} on web1, 127.0.0.1:{one_host.apache.port} (http)",
        f"{APACHE_SITE} on web1, 127.0.0.1:{one_host.apache.tls_port} (https)",
    }
    late = [f for f in report["findings"] if NGINX_SITE in f["subject"] and f["code"] != "wrong-header"]
    assert late == []
    assert report["shown"] == {"block": 1}
    assert one_host.verify("--during") == FINDINGS
    assert "\n1 of 2 sites show the strike page\n" in capsys.readouterr().out


def test_a_strike_that_outlives_its_end(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """Past the end the clock alone decides: still on strike is an error, with the way to end it."""
    one_host.campaign(now() - timedelta(hours=2))
    one_host.nginx.strike(True)
    assert one_host.verify() == FINDINGS
    text = capsys.readouterr().out
    assert (
        "[strike-outside]" in text and "end it now: piquet rollback -i " in text and "INVENTORY" not in text
    )
    assert APACHE_SITE not in "".join(line for line in text.splitlines() if line.startswith("error"))


def test_a_long_report_is_cut(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """What has one cause is one paragraph with its first places; with `--all` every place is named."""
    one_host.campaign(now() - timedelta(minutes=30))
    assert one_host.verify() == FINDINGS
    text = capsys.readouterr().out
    assert text.count("\nerror: ") == 1
    assert "\nerror: 4 places: GET / is not answered by the strike, and " in text
    assert "\n  … and 1 more\n" in text and "NOT as it should be: 4 errors" in text
    assert one_host.verify("--all") == FINDINGS
    text = capsys.readouterr().out
    assert text.count("\nerror: ") == 1 and " … and " not in text
    assert text.count(" on web1, 127.0.0.1:") == 4


def test_what_is_not_asked_is_not_counted_as_well(
    one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """A door elsewhere that a survey names: the verdict, the baseline and the certificate say that it was not asked."""
    work = Workdir(one_host.folder / ".piquet")
    document = dict(work.surveys()["web1"])
    elsewhere = {"address": "192.0.2.99", "port": 8080, "tls": False, "default": False}
    document["nginx"]["blocks"][0]["listens"].append(elsewhere)
    work.write_survey("web1", document)
    assert one_host.verify("--baseline", "take") == OK
    assert f"not asked, so without a baseline: {NGINX_SITE} on web1, 192.0.2.99:8080: no address of" in (
        capsys.readouterr().out
    )
    assert one_host.verify("--before") == OK
    text = capsys.readouterr().out
    assert text.rstrip().endswith("every site that was asked answers as it should (1 place not asked)")
    assert (
        f"\nnot asked, so nothing is said of it (1 place):\n  {NGINX_SITE} on web1, 192.0.2.99:8080: " in text
    )
    assert one_host.verify("--after") == OK
    text = capsys.readouterr().out
    assert "Every site that was asked came back: 2 sites on 1 host, 4 doors: 4 identical. 1 place not" in text


def test_wrong_use(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """`--during` outside a window, and comparing without a baseline, are told apart from findings."""
    assert one_host.verify("--during") == USAGE
    assert one_host.verify("--baseline", "compare") == FLEET
    assert "piquet verify --baseline take" in capsys.readouterr().err


def test_no_certificate_for_the_name(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate for other names only is an error at https doors; known from the baseline, a warning."""
    make_authority(one_host.folder, ["other.example"])
    one_host.nginx.restart()
    assert one_host.verify("--before", "--json") == FINDINGS
    report = json.loads(capsys.readouterr().out)
    assert {(f["severity"], f["code"]) for f in report["findings"]} == {("error", "certificate")}, report
    assert any("Hostname mismatch" in f["got"] for f in report["findings"])
    one_host.verify("--baseline", "take")
    capsys.readouterr()
    assert one_host.verify("--before", "--json") == OK
    report = json.loads(capsys.readouterr().out)
    assert {f["severity"] for f in report["findings"]} == {"warning"}


def test_what_stands_in_front_by_dns(one_host: OneHostFleet, capsys: pytest.CaptureFixture[str]) -> None:
    """`--public`: HAProxy before one site is told before, and the other's name, which DNS does not know, is named."""
    address = f"127.{os.getpid() % 250}.{time.time_ns() % 250}.77"
    zone = {NGINX_SITE: ["front.example"], "front.example": [address]}
    with (
        in_front("haproxy", one_host.nginx.port, (80, 443), one_host.folder, address),
        resolver(zone) as where,
    ):
        public = ("--public", "--resolver", where)
        assert one_host.verify("--baseline", "take", *public) == OK
        assert f"not asked, so without a baseline: {APACHE_SITE} by DNS: DNS knows no such name" in (
            capsys.readouterr().out
        )
        assert one_host.verify("--before", *public) == OK
        text = capsys.readouterr().out
        assert (
            f"warning: {NGINX_SITE} by DNS, {address}:80 (http): DNS leads visitors to something that" in text
        )
        assert "\n  got:      an alias of front.example\n" in text
        assert "\nby DNS, 2 names of sites that take part:\n  1 to something else: " in text
        assert f"\n  not asked: DNS knows no such name: {APACHE_SITE}\n" in text
        assert text.rstrip().endswith(
            "every site that was asked answers as it should (1 place not asked, 1 warning)"
        )
        one_host.campaign(now() - timedelta(minutes=30))
        one_host.nginx.strike(True)
        assert one_host.verify("--during", "--json", *public) == FINDINGS
        report = json.loads(capsys.readouterr().out)
        assert report["public"]["elsewhere"] == report["public"]["showing"] == [NGINX_SITE]
        by_dns = {one["code"] for one in report["findings"] if "by DNS" in one["subject"]}
        assert by_dns == {
            "wrong-header"
        }  # as at the host's own doors: the strike is imitated, its hours are others
        one_host.nginx.strike(False)
        assert one_host.verify("--after", *public) == OK
        text = capsys.readouterr().out
        assert "came back: 2 sites on 1 host, 4 doors and 2 by DNS: 6 identical. 1 place not asked" in text
    assert one_host.verify("--resolver", "9.9.9.9") == USAGE
