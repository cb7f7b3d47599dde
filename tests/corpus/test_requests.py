# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd requests, and what is no single request: big bodies, kept connections, conditions, old protocols, addresses."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
from dataclasses import dataclass, replace

import pytest

from piquet.answers import APART_STORE

from .cases import Case
from .chroot import ADDRESS
from .client import Wire, exchange, parse
from .conftest import Planter
from .kinds import Ask, Provider
from .picket import WWW, Picket, picket
from .runner import ask, run
from .servers import Server
from .states import check, through

BOTH = pytest.mark.parametrize("provider", ["nginx", "apache"])
BIG_BYTES = 50 * 1024 * 1024
AT_ONCE_S = 2.0
_TRIES = 5
_MARK = f"Cache-Control: {APART_STORE}\r\n".encode()
LIMITED = {"nginx": "small-body", "apache": "body-limit"}


@dataclass(frozen=True)
class Upload:
    """What came of a big POST: the answer, and whether it came soon enough."""

    wire: Wire
    is_quick: bool


def upload(server: Server, host: str, *, expects: bool, reads_first: bool) -> Upload:
    """POST 50 MB; a client that expects 100 waits for an answer, others listen while they send, or send all first."""
    head = f"POST /deep/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: {BIG_BYTES}\r\nConnection: close\r\n"
    head += "Expect: 100-continue\r\n\r\n" if expects else "\r\n"
    began = time.monotonic()
    with socket.create_connection((ADDRESS, server.http), 10) as connection:
        connection.sendall(head.encode())
        if not expects:
            _send_body(connection, reads_first=reads_first)
        received, ended, first_s = b"", "", 0.0
        try:
            while chunk := connection.recv(65536):
                first_s = first_s or time.monotonic() - began
                received += chunk
                if expects and received.endswith(b"100 Continue\r\n\r\n"):
                    break
                with contextlib.suppress(OSError):  # it may be closed already
                    connection.shutdown(socket.SHUT_WR)  # else the server lingers for the body
        except ConnectionResetError:
            ended = "reset"
    return Upload(Wire(received, ended), first_s < AT_ONCE_S)


def _send_body(connection: socket.socket, *, reads_first: bool) -> None:
    block = b"x" * 65536
    try:
        for _ in range(BIG_BYTES // len(block)):
            connection.sendall(block)
            if reads_first and _has_answer(connection):
                return
    except (ConnectionResetError, BrokenPipeError):
        return


def _has_answer(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        connection.settimeout(10)


@BOTH
@pytest.mark.parametrize(
    ("expects", "reads_first"),
    [(True, True), (False, True), (False, False)],
    ids=["expects", "listens", "pushes"],
)
def test_a_big_upload_gets_the_page_at_once(
    provider: Provider, expects: bool, reads_first: bool, planted: Planter
) -> None:
    """50 MB above the site's own limit: the whole page, without waiting for the body; else what the site says."""
    name = LIMITED[provider]
    server = planted(provider, name)
    strike = picket(server)
    host = f"{name}.corpus.example"
    given = through(server, strike, lambda: upload(server, host, expects=expects, reads_first=reads_first))
    statuses = {state: one.wire.received[:12] for state, one in given.items() if state != "active"}
    assert len(set(statuses.values())) == 1, statuses
    shown = given["active"]
    assert shown.is_quick
    assert_page(strike, "POST", shown.wire)


@BOTH
def test_a_kept_connection_gets_whole_pages(provider: Provider, planted: Planter) -> None:
    """POST, then GET, on one connection: nothing of the first body is read as a request, every answer is ours."""
    name = {"nginx": "proxy", "apache": "proxy-pass"}[provider]
    server = planted(provider, name)
    host = f"{name}.corpus.example"
    inner = "GET /api/x HTTP/1.1\r\nHost: evil\r\n\r\n"
    post = f"POST /deep/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
    get = f"GET /files/one.txt HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    sent = (post + get).encode()
    given = through(server, picket(server), lambda: exchange(ADDRESS, server.http, sent))
    received = check(given).received
    firsts = re.findall(rb"HTTP/1\.1 (\d+)", received)
    assert set(firsts) == {b"503"}
    assert len(firsts) == received.count(b"\r\nX-Piquet: ") == {"nginx": 2, "apache": 1}[provider]
    assert b"upstream" not in received.lower()


@BOTH
def test_conditions_and_ranges(provider: Provider, planted: Planter) -> None:
    """The page is always whole; before, after and once rolled back the site's own 304 and 206 come as ever."""
    server = planted(provider, "static")
    strike = picket(server)
    way = Ask("http", "static.corpus.example")
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        plain = parse(ask(server, way, Case("GET", "/files/one.txt")).received)
    assert plain
    (etag,), (modified,) = plain.values("etag"), plain.values("last-modified")
    for headers, status in (
        ((("If-None-Match", etag),), 304),
        ((("If-Modified-Since", modified),), 304),
        ((("Range", "bytes=0-1"),), 206),
        ((("Range", "bytes=0-1"), ("If-Range", etag)), 206),
        ((("If-Match", '"other"'),), 412),
    ):
        case = Case("GET", "/files/one.txt", headers)
        given = through(server, strike, lambda case=case: ask(server, way, case))  # type: ignore[misc]
        assert given["unhooked inside"].received.startswith(b"HTTP/1.1 %d " % status), headers
        assert_page(strike, "GET", check(given))
        strike.withdraw(server)


ODD_HOSTS = {
    "upper case": (b"GET / HTTP/1.1\r\nHost: STATIC.corpus.EXAMPLE\r\nConnection: close\r\n\r\n", True),
    "port": (b"GET / HTTP/1.1\r\nHost: static.corpus.example:8080\r\nConnection: close\r\n\r\n", True),
    "trailing dot": (b"GET / HTTP/1.1\r\nHost: static.corpus.example.\r\nConnection: close\r\n\r\n", True),
    "dot and port": (b"GET / HTTP/1.1\r\nHost: static.corpus.example.:80\r\nConnection: close\r\n\r\n", True),
    "absolute form": (
        b"GET http://static.corpus.example/ HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n", True
    ),
    "absolute form of another": (
        b"GET http://other.example/ HTTP/1.1\r\nHost: static.corpus.example\r\nConnection: close\r\n\r\n", False
    ),
    "absolute form, odd scheme": (
        b"GET HTTP://Static.Corpus.Example:80/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", True
    ),
    "absolute form, odd scheme, a door": (
        b"GET HTTP://Static.Corpus.Example:80/api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False
    ),
    "absolute form of https": (  # Apache goes by Host then, nginx by the target
        b"GET https://static.corpus.example/ HTTP/1.1\r\nHost: static.corpus.example\r\nConnection: close\r\n\r\n",
        True,
    ),
    "missing in 1.0": (b"GET / HTTP/1.0\r\n\r\n", False),
    "missing in 1.1": (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False),
    "empty": (b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", False),
    "twice": (
        b"GET / HTTP/1.1\r\nHost: static.corpus.example\r\nHost: static.corpus.example\r\nConnection: close\r\n\r\n",
        None,
    ),
    "hostile": (b"GET / HTTP/1.1\r\nHost: ../../static.corpus.example\r\nConnection: close\r\n\r\n", False),
    "another above it": (b"GET / HTTP/1.1\r\nHost: x.static.corpus.example\r\nConnection: close\r\n\r\n", False),
    "HTTP/0.9": (b"GET /\r\n", False),
}  # fmt: skip


@BOTH
def test_hosts_in_odd_form(provider: Provider, planted: Planter) -> None:
    """Whatever way a selected name is written, the page comes; where none is said, or another, all stays as usual."""
    server = planted(provider, "00-default", "static")
    strike = picket(server)
    given = through(
        server,
        strike,
        lambda: {how: exchange(ADDRESS, server.http, sent) for how, (sent, _) in ODD_HOSTS.items()},
    )
    active = check(given)
    shown = {how: b"\r\nX-Piquet: " in wire.received for how, wire in active.items()}
    assert {how: is_ours for how, (_, is_ours) in ODD_HOSTS.items() if is_ours is not None} == {
        how: shown[how] for how, (_, is_ours) in ODD_HOSTS.items() if is_ours is not None
    }
    usual = given["unhooked inside"]
    assert [how for how, is_ours in shown.items() if not is_ours and active[how] != usual[how]] == []


@BOTH
def test_http_0_9_and_no_host_follow_the_default_server(provider: Provider, planted: Planter) -> None:
    """Where the campaign names the default server itself, a request without any name is shown its page too."""
    server = planted(provider, "00-default", "default-named")
    strike = picket(server)

    def without_a_name() -> list[Wire]:
        texts = (b"GET /\r\n", b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\nHost: unknown.example\r\n\r\n")
        return [exchange("127.0.0.2", server.http, sent) for sent in texts]

    old, nameless, unknown = check(through(server, strike, without_a_name))
    page = strike.contents[f"{WWW}/page/1/fr.html"]
    assert old.received == page
    assert nameless.received.endswith(page)
    assert b"X-Piquet" not in unknown.received


def without_mark(wire: Wire) -> Wire:
    """The site's own answer to somebody who may see it, without what keeps it from caches: that, and nothing else."""
    assert wire.received.count(_MARK) == 1, wire
    return replace(wire, received=wire.received.replace(_MARK, b""))


@BOTH
def test_addresses_said_by_a_balancer_open_doors(provider: Provider, planted: Planter) -> None:
    """A network's door asks for the visitor's address as the site's own module finds it, not for the balancer's."""
    name = {"nginx": "realip", "apache": "remoteip"}[provider]
    server = planted(provider, name)
    way = Ask("http", f"{name}.corpus.example")

    def said() -> dict[str, Wire]:
        return {
            address: ask(server, way, Case("GET", "/", (("X-Forwarded-For", address),)))
            for address in ("127.0.0.9", "192.0.2.7")
        }

    given = through(server, picket(server), said)
    active = check(given)
    came = active["127.0.0.9"]  # nginx's site has an add_header of its own, which takes the place of ours
    assert (came if provider == "nginx" else without_mark(came)) == given["unhooked inside"]["127.0.0.9"]
    assert b"\r\nX-Piquet: " in active["192.0.2.7"].received


@BOTH
def test_a_network_of_ipv6_is_a_door(provider: Provider, planted: Planter) -> None:
    """Open to ::1, the site is as usual over IPv6 and on strike over IPv4."""
    server = planted(provider, "ipv6")
    strike = picket(server, networks=("::1/128",))
    host = "ipv6.corpus.example"
    ways = [Ask("http", host), Ask("http", host, "::1"), Ask("https", host, "::1")]
    given = through(server, strike, lambda: [ask(server, way, Case("GET", "/")) for way in ways])
    active = check(given)
    assert [b"\r\nX-Piquet: " in wire.received for wire in active] == [True, False, False]
    assert [without_mark(wire) for wire in active[1:]] == given["unhooked inside"][1:]


@BOTH
def test_http2_requests_on_one_connection(provider: Provider, planted: Planter) -> None:
    """POST, HEAD and GET one after the other on one HTTP/2 connection: 503 each, and as usual in every other state."""
    server = planted(provider, "00-default", "http2")

    def three() -> list[str]:
        said = [
            "--silent",
            "--http2",
            "--insecure",
            "--max-time",
            "10",
            "--output",
            "/dev/null",
            "--connect-to",
        ]
        said += [
            f"::{ADDRESS}:{server.https}",
            "--write-out",
            "%{http_version} %{http_code} %{num_connects}\\n",
        ]
        url = "https://http2.corpus.example/"
        parts = [["--data", "field=0123456", f"{url}api/y"], ["--head", url], [f"{url}files/one.txt"]]
        argv = ["curl", *said, *parts[0], "--next", *said, *parts[1], "--next", *said, *parts[2]]
        # Under load the whole answer can arrive before curl has sent the body: 7.88 then shows "stream 1 closed" and
        # tells a broken stream, though every byte of the answer is there. Only that is asked again.
        for _ in range(_TRIES):
            lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
            if lines[0] != "0 000 1":
                break
        return lines

    active = check(through(server, picket(server, paths=("/none/",)), three))
    assert active == ["2 503 1", "2 503 0", "2 503 0"]


@BOTH
def test_pages_for_monitoring(provider: Provider, planted: Planter) -> None:
    """Counters and the server's own description are as ever outside the window, and on strike inside like all else."""
    name, paths = {"nginx": ("stub-status", ("/status",)), "apache": ("status", ("/status", "/info"))}[
        provider
    ]
    server = planted(provider, name)

    def kinds_of_page() -> list[tuple[int, list[str]]]:
        found = (
            parse(ask(server, Ask("http", f"{name}.corpus.example"), Case("GET", p)).received) for p in paths
        )
        return [(one.status, one.values("content-type")) for one in found if one]

    given = through(server, picket(server), kinds_of_page)
    assert {status for status, _ in given["unhooked inside"]} == {200}
    assert {status for status, _ in check(given)} == {503}


def test_a_counting_cookie_is_not_set_by_the_strike(planted: Planter) -> None:
    """nginx's userid puts its number on the site's own answers only."""
    server = planted("nginx", "userid")
    for case in (Case("GET", "/"), Case("GET", "/.well-known/piquet/strike.css"), Case("GET", "/api/x")):
        strike = picket(server)
        tally = run(server, strike, (case,))
        assert not tally.deviations, tally.report()
        strike.withdraw(server)


def assert_page(strike: Picket, method: str, wire: Wire) -> None:
    """A whole strike page in the campaign's first language."""
    response = parse(wire.received)
    assert response is not None, wire
    assert (response.status, wire.ended) == (503, "")
    assert response.body == strike.contents[f"{WWW}/page/1/fr.html"]
    assert not any(
        response.values(name) for name in ("etag", "last-modified", "content-range", "accept-ranges")
    )
