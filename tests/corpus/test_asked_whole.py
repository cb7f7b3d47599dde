# SPDX-License-Identifier: GPL-3.0-or-later
"""A visitor's browser asks for compressed pages and for what has changed; with a banner a page must come whole.

By Lua and by headers-more what such a request asks for is taken off it, inside the window and where somebody goes to
a page. Everything else goes to the site as it came, line by line: the application's answer repeats what it was asked.
"""

from __future__ import annotations

import re

import pytest

from piquet.servers.nginx.banner import momentary_type
from tests.corpus.ways import Way

from . import bannered
from .cases import Case
from .chroot import of_system
from .client import parse
from .conftest import Planter
from .picket import SECRET, picket
from .runner import Item, Recorder, items
from .surveyed import look

NAVIGATION = (
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br"),
)
KNOWN = (("If-None-Match", '"page"'), ("If-Modified-Since", "Fri, 11 Dec 2026 00:00:00 GMT"))
WHOLE = "/etc/piquet/nginx/http/45-whole.conf"
ECHO = "/deep/echo"
"""Text that repeats the request's headers as they came."""


def _lines(target: str, *lines: str) -> Case:
    sent = "\r\n".join([f"GET {target} HTTP/1.1", "Host: @HOST@", *lines, "Connection: close", "", ""])
    return Case("GET", f"{target} {lines}", sent=sent.encode(), means=target)


PLAIN, COMPRESSED, UNCHANGED, FORM = (
    Case("GET", "/page/asked", NAVIGATION[:1]),
    Case("GET", "/page/asked", NAVIGATION),
    Case("GET", "/page/asked", (*NAVIGATION, *KNOWN)),
    Case("POST", "/page/asked", NAVIGATION),
)
TWO_LINES = _lines("/page/asked", "Accept: text/html", "Accept-Encoding: br", "accept-encoding: gzip")
TWO_TYPES = tuple(
    _lines(ECHO, "Accept: text/html", "content-type: a/b", "Content-Type: c/d", more)
    for more in ("Accept-Language: fr", "Accept-Encoding: gzip")
)
SCRIPT = Case("GET", "/page/asked", (("Accept", "*/*"), ("Accept-Encoding", "gzip"), *KNOWN))
ELSEWHERE = (
    SCRIPT,
    Case("GET", ECHO, (("Accept", "*/*"), ("Accept-Encoding", "gzip"), *KNOWN)),
    _lines(ECHO, "Accept: */*", "Accept-Encoding: br", "accept-encoding: gzip, deflate"),
    TWO_TYPES[0],
    _lines(ECHO, "Accept: */*", "Content-Type: piquet/whole", "Accept-Encoding: gzip", 'If-None-Match: "a"'),
)
"""No page is gone to, or nothing is asked for that could keep a banner out."""
PAGES = (PLAIN, COMPRESSED, UNCHANGED, FORM, TWO_LINES)
OUTSIDE = (
    *PAGES,
    *ELSEWHERE,
    Case("GET", ECHO, (*NAVIGATION, *KNOWN)),
    Case("POST", ECHO, (*NAVIGATION, *KNOWN)),
    _lines(ECHO, "Accept: text/html", "Accept-Encoding: br", "accept-encoding: gzip, deflate"),
    TWO_TYPES[1],
)


def joins_lines() -> bool:
    """Whether this nginx gives a variable all lines of a header. Source: nginx CHANGES, 1.23.0."""
    found = re.search(r"nginx/(\d+)\.(\d+)", of_system("/usr/sbin/nginx", "-v"))
    assert found
    return (int(found[1]), int(found[2])) >= (1, 23)


@pytest.mark.parametrize(
    ("way", "carrying"),
    [
        ("include", {PLAIN}),
        ("lua", set(PAGES)),
        (
            "include and headers-more",
            set(PAGES) - {FORM},
        ),  # what has a type of its own cannot be given another
    ],
)
def test_pages_are_asked_for_whole(way: Way, carrying: set[Case], planted: Planter) -> None:
    """Inside the window, whoever goes to a page gets it with its banner; outside, applications hear every byte."""
    server = planted("nginx", "proxy", lua=way == "lua", headers_more=way == "include and headers-more")
    strike = picket(server, mode="banner", variant="lua" if way == "lua" else "include")
    are_left_out = way == "include and headers-more" and joins_lines()  # the limit below
    cases = tuple(dict.fromkeys(case for case in OUTSIDE if not (are_left_out and case in TWO_TYPES)))
    recorder = Recorder(server, strike, (items(server.kinds, cases),))
    before, inside, after = strike.before_ms, strike.inside_ms, strike.after_ms
    unhooked = {at: recorder.at(at) for at in (before, inside, after)}
    strike.hook(server)
    strike.stage(server)
    assert recorder.at(before) == unhooked[before]
    server.make_flags(strike.keys)
    assert recorder.at(before) == unhooked[before]
    assert recorder.at(after) == unhooked[after]
    active = recorder.at(inside)
    for item, wire in active.items():
        plain = unhooked[inside][Item(item.kind, item.ask, PLAIN)]
        if item.case in carrying:
            got, fragment = parse(wire.received), strike.fragments[1, "fr"].encode()
            assert got and bannered.plain(got).body.count(fragment) == 1, item
            assert bannered.wrong(parse(plain.received), got, fragment) == [], item
        elif item.case in (*PAGES, *ELSEWHERE):
            assert wire == unhooked[inside][item], item
    server.drop_flags()
    assert recorder.at(inside) == unhooked[inside]


def test_two_types_of_one_request(planted: Planter) -> None:
    """By headers-more, from nginx 1.23 on, the first line of a type that was sent twice arrives as both joined."""
    server = planted("nginx", "proxy", headers_more=True)
    strike = picket(server, mode="banner", variant="include")
    recorder = Recorder(server, strike, (items(server.kinds, TWO_TYPES),))
    unhooked = recorder.at(strike.before_ms)
    strike.hook(server)
    strike.stage(server)
    first = b"a/b, c/d" if joins_lines() else b"a/b"
    for item, wire in recorder.at(strike.before_ms).items():
        got, usual = parse(wire.received), parse(unhooked[item].received)
        assert got and usual
        assert got.body == usual.body.replace(b"content-type: a/b\r\n", b"content-type: " + first + b"\r\n")


@pytest.mark.parametrize(
    ("loaded", "line", "is_used"),
    [
        ((), "", False),
        (("headers_more",), "", True),
        (("headers_more",), "more_clear_headers Server;", True),
        (("headers_more",), 'more_set_input_headers "Content-Type: a/b";', False),
        (("headers_more", "lua"), "", False),
    ],
)
def test_headers_more_is_used_where_survey_finds_it_free(
    loaded: tuple[str, ...], line: str, is_used: bool, planted: Planter
) -> None:
    """Loaded, and the owner does not change requests by it: what the owner sets comes through as without us."""
    server = planted("nginx", "proxy", **dict.fromkeys(loaded, True))
    (site,) = server.vhost_files()
    site.write_text(site.read_text().replace("location / {", f"location / {{\n    {line}"))
    surveyed = look(server, picket(server).campaign).facts
    strike = picket(server, mode="banner", variant="include", known=surveyed)
    assert (WHOLE in strike.contents) == is_used
    echo, form = Case("GET", ECHO, (*NAVIGATION, *KNOWN)), Case("POST", ECHO, NAVIGATION)
    recorder = Recorder(server, strike, (items(server.kinds, (echo, form)),))
    unhooked = recorder.at(strike.before_ms)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    assert recorder.at(strike.before_ms) == unhooked


def test_nobody_can_send_the_type_that_is_set_for_a_moment(planted: Planter) -> None:
    """Who knew it could ask any site of the server whether a strike is staged: only the server's master reads it."""
    server = planted("nginx", "proxy", headers_more=True)
    strike = picket(server, mode="banner", variant="include")
    text = strike.contents[WHOLE].decode()
    (moment,) = re.findall(r"more_clear_input_headers -t \"(\S+)\" ", text)
    assert strike.files[WHOLE].mode == "0600"
    assert re.fullmatch("piquet/[0-9a-f]{32}", moment)
    others = (content for path, content in strike.contents.items() if path != WHOLE)
    assert not any(moment.encode() in content for content in others)
    assert SECRET not in text


def test_the_type_of_a_moment_is_of_the_secret() -> None:
    """Each bundle has another, and where there is no secret there is none: nothing would be the organisers' alone."""
    assert momentary_type(SECRET) == momentary_type(SECRET) != momentary_type("f" * 32)
    assert momentary_type(None) == ""
