# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers vary by themselves, by size and by how an answer arrives, is no difference; all else is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from piquet.answers import sign
from piquet.campaign.model import Campaign
from piquet.verify.baseline import Baseline, compare, make_baseline
from piquet.verify.expectations import Expectations
from piquet.verify.fingerprint import Difference
from piquet.verify.observation import Observation, Reply, Target
from piquet.verify.outside.inspection import Inspection, inspect, take_baseline
from piquet.verify.outside.probe import Prober
from piquet.verify.questions import FRONT
from tests.ports import free_ports

from .servers import Server, start_apache, start_nginx

NAME = "app.example.org"
APACHE = """<VirtualHost 127.0.0.1:{port}>
  ServerName {name}
  AddOutputFilterByType DEFLATE text/html text/css application/json
  ProxyPass / http://127.0.0.1:{backend}/
</VirtualHost>
"""
MODULES = ("mpm_event", "authz_core", "filter", "deflate", "proxy", "proxy_http")
NGINX = """server {{ listen 127.0.0.1:{port}; server_name {name};
  gzip on; gzip_vary on; gzip_min_length 1000; default_type text/html;
  {filter}
  location / {{ root {folder}/www; try_files /page.html =404; }} }}
"""
PAGE = "<html><head></head>\n<body>\n" + "As usual\n" * 100 + "</body></html>\n"


class Application(BaseHTTPRequestHandler):
    """Writes its head and body in one go, or a moment apart."""

    protocol_version = "HTTP/1.1"
    is_apart = False

    def do_GET(self) -> None:
        """One style sheet for every path, too short to be worth deflating."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 20\r\n\r\n"
        parts = (head, b"p" * 20) if self.is_apart else (head + b"p" * 20,)
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()
            time.sleep(0.02 * (len(parts) - 1))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


class Applications(ThreadingHTTPServer):
    """Leaves no connection behind."""

    daemon_threads = False
    block_on_close = True


@pytest.fixture
def apache(folder: Path) -> Iterator[Server]:
    """Debian's Apache with mod_deflate as it comes, before an application."""
    port, backend = free_ports(2)
    application = Applications(("127.0.0.1", backend), Application)
    Thread(target=application.serve_forever, daemon=True).start()
    server = start_apache(
        folder / "apache", APACHE.format(port=port, name=NAME, backend=backend), [port], MODULES
    )
    yield server
    server.stop()
    application.shutdown()
    application.server_close()
    Application.is_apart = False


@pytest.fixture(autouse=True)
def _takes_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is made from the current second."""
    monkeypatch.setattr("piquet.verify.outside.inspection.TAKES_APART_S", 0.0)


def target(server: Server) -> Target:
    """Its one site."""
    return Target("web1", "127.0.0.1", server.port, False, NAME, NAME, (1,))


def remember(server: Server, campaign: Campaign) -> Baseline:
    """How it answers now."""

    async def run() -> Baseline:
        async with Prober(5.0) as prober:
            return (await take_baseline(prober, [target(server)], Expectations(campaign)))[0]

    return asyncio.run(run())


def look(server: Server, expectations: Expectations, baseline: Baseline) -> Inspection:
    """Is it the same?"""

    async def run() -> Inspection:
        async with Prober(5.0) as prober:
            return await inspect(prober, [target(server)], expectations, baseline)

    return asyncio.run(run())


def front_headers(server: Server) -> set[str]:
    """Names of headers of its front page."""

    async def run() -> Observation:
        async with Prober(5.0) as prober:
            return await prober.ask(target(server), FRONT)

    return {name for name, _ in asyncio.run(run()).headers}


@pytest.mark.parametrize("is_apart_first", [False, True])
def test_mod_deflate_varies_as_an_answer_arrives(
    apache: Server, ahead: Campaign, is_apart_first: bool
) -> None:
    """`Vary: Accept-Encoding` there or not, for one and the same page: no difference, in both directions."""
    Application.is_apart = is_apart_first
    baseline = remember(apache, ahead)
    had = "vary" in front_headers(apache)
    Application.is_apart = not is_apart_first
    assert ("vary" in front_headers(apache)) != had, "this server does not do it"
    seen = look(apache, Expectations(ahead, moment="after"), baseline)
    assert seen.findings == ()
    assert {row.verdict for row in seen.returned} == {"identical"}


def test_a_page_that_grows_by_its_banner_may_vary(folder: Path, running: Campaign) -> None:
    """Past gzip_min_length nginx adds `Vary` by itself."""
    campaign = replace(running, phases=(replace(running.phases[0], mode="banner", style="bar"),))
    (folder / "www").mkdir()
    (folder / "www/page.html").write_text(PAGE)
    fragment = f'<aside data-piquet="{sign(campaign, campaign.phases[0])}"><p>{"Strike " * 20}</p></aside>'
    ports = free_ports(1)
    fields = {"port": ports[0], "name": NAME, "folder": folder, "filter": "# none"}
    server = start_nginx(folder, NGINX.format(**fields), ports)
    try:
        baseline = remember(server, campaign)
        assert "vary" not in front_headers(server)
        server.edit("# none", f"sub_filter '<body>' '<body>{fragment}'; sub_filter_once on;")
        assert "vary" in front_headers(server)
        seen = look(server, Expectations(campaign), baseline)
        assert [f for f in seen.findings if f.code == "not-as-before"] == []
        assert seen.shown == {"banner": 1}
    finally:
        server.stop()


CSS, NONE = ("content-type", "text/css"), ("", "")
LENGTH, ENCODING = ("content-length", "3"), ("vary", "Accept-Encoding")


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (NONE, ENCODING, []),
        (("vary", "Cookie"), ("vary", "Cookie, accept-encoding"), []),
        (("vary", "Accept-Encoding, Cookie"), ("vary", "cookie"), []),
        (NONE, ("vary", "Cookie"), ["header vary"]),
        (ENCODING, ("vary", "Cookie"), ["header vary"]),
        (ENCODING, ("vary", "*"), ["header vary"]),
        (NONE, ("vary", "*"), ["header vary"]),
        (NONE, ("vary", "Accept-Encoding, *"), ["header vary"]),
        (LENGTH, NONE, []),
        (LENGTH, ("transfer-encoding", "chunked"), []),
        (LENGTH, ("content-length", "4"), ["header content-length"]),
        (("etag", '"1"'), ("etag", 'W/"1"'), []),
        (("etag", '"1"'), ("etag", 'W/"2"'), ["header etag"]),
        (("etag", '"1"'), NONE, ["header etag"]),
        (NONE, ("connection", "keep-alive"), []),
        (NONE, ("keep-alive", "timeout=5"), []),
        (NONE, ("age", "5"), []),
        (NONE, ("accept-ranges", "bytes"), ["header accept-ranges"]),
        (NONE, ("content-encoding", "gzip"), ["header content-encoding"]),
        (NONE, ("cache-control", "no-store"), ["header cache-control"]),
    ],
)
@pytest.mark.parametrize("is_back", [False, True])
def test_what_is_no_difference(
    first: tuple[str, str], then: tuple[str, str], expected: list[str], is_back: bool
) -> None:
    """Header by header, one way and the other; and it is not noted as changing by itself, so the rest still counts."""
    one, other = (then, first) if is_back else (first, then)
    place = Target("web1", "192.0.2.1", 80, False, NAME, NAME)

    def answer(header: tuple[str, str]) -> Reply:
        headers = (CSS, header) if header != NONE else (CSS,)
        return Reply(place, FRONT, Observation(200, headers, "b" * 64, 3, 1.0, 1.0))

    baseline = make_baseline("c", 0.0, [answer(one)], [answer(one)])
    assert [d.field for d in compare(baseline, answer(other)).found] == expected
    twice = make_baseline("c", 0.0, [answer(one)], [answer(other)])
    assert list(next(iter(twice.prints.values())).volatile) == expected


def test_a_baseline_that_met_both_still_sees_another_vary() -> None:
    """What differs between the takes by the server alone hides no change of the site's."""
    place = Target("web1", "192.0.2.1", 80, False, NAME, NAME)
    takes = [
        [Reply(place, FRONT, Observation(200, headers, "b" * 64, 3, 1.0, 1.0))]
        for headers in ((CSS,), (CSS, ENCODING), (CSS, ("vary", "Cookie")))
    ]
    baseline = make_baseline("c", 0.0, takes[0], takes[1])
    assert compare(baseline, takes[2][0]).found == (Difference("header vary", "(absent)", "Cookie"),)
