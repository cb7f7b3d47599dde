# SPDX-License-Identifier: GPL-3.0-or-later
"""What nginx tells caches: nothing of ours is kept beyond its end, nothing private loses its protection.

A site says it for a page, for an authorising subrequest, or to a cache in front by another name; the application says
it, too. Every row is a site of its own on a real server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from piquet.host.servers.nginx.config import own_words
from piquet.host.servers.nginx.tokens import parse_directives as parse_nginx
from piquet.protocol.http import TARGETED
from tests.corpus.sites_behind import site

from .cases import Case
from .client import Response, parse
from .conftest import Planter
from .picket import picket
from .runner import ask
from .servers import Server, plant
from .surveyed import look

PAGE = "<!doctype html>\n<html><head></head>\n<body>\n<p>x</p></body></html>\n"
ESCAPED = PAGE.replace("\n", "\\n")
SITE = """server {
    listen @HTTP@;
    server_name @NAME@;
    root @ROOT@;
    %s
    location = /let-in { internal; proxy_pass http://127.0.0.1:@HTTP@; proxy_set_header Host let-in.internal; }
    location = /no-word { internal; proxy_pass http://127.0.0.1:@HTTP@; proxy_set_header Host no-word.internal; }
    location = /private { proxy_pass http://127.0.0.1:@HTTP@; proxy_set_header Host private.internal; }
    location = /bare { proxy_pass http://127.0.0.1:@HTTP@; proxy_set_header Host bare.internal; }
}
server { listen @HTTP@; server_name let-in.internal; default_type text/html; add_header Cache-Control no-store;
    return 200 "<p>come in</p>"; }
server { listen @HTTP@; server_name no-word.internal; default_type text/html; return 200 "<p>come in</p>"; }
server { listen @HTTP@; server_name private.internal; default_type text/html;
    add_header Cache-Control "private, no-store";
    return 200 "@PAGE@"; }
server { listen @HTTP@; server_name bare.internal; default_type text/html;
    add_header Cache-Control "private, no-store";
    return 200 "<p>no body tag</p>"; }
"""
HTML = (("Accept", "text/html"),)
Get = Callable[[str], Response]


@contextmanager
def standing(
    folder: Path, lines: str, variant: Variant, mode: Mode = "banner", **loaded: bool
) -> Iterator[Get]:
    """The site with these lines of its owner, inside the window; asks it for a path."""
    text = (SITE % lines).replace("@PAGE@", ESCAPED)
    kinds = (site("kept", text, "nginx"),)
    has_more = "more_set_headers" in lines
    server = plant("nginx", kinds, folder / "chroot", 1, lua=variant == "lua", headers_more=has_more)
    server.chroot.path("/srv/kept/page.html").write_text(PAGE)
    known = look(server, picket(server).campaign).facts
    strike = picket(server, mode=mode, variant=variant, known=known)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        yield lambda path: _got(server, path)


def _got(server: Server, path: str) -> Response:
    got = parse(ask(server, server.kinds[0].asks[0], Case("GET", path, HTML)).received)
    assert got
    return got


def carries(page: Response) -> bool:
    """Whether a banner is in the page."""
    return b"<aside data-piquet" in page.body


AUTHORISED = "location = /page.html { auth_request %s; %s }"


@pytest.mark.parametrize("variant", ["include", "lua"])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (AUTHORISED % ("/let-in", "expires 1h; add_header X-Own 1;"), False),
        (AUTHORISED % ("/let-in", 'add_header CDN-Cache-Control "max-age=86400";'), False),
        (AUTHORISED % ("/no-word", ""), True),
        (AUTHORISED % ("/let-in", ""), True),
    ],
)
def test_a_subrequest_says_nothing_of_the_page(
    lines: str, expected: bool, variant: Variant, tmp_path: Path
) -> None:
    """What an authorising subrequest tells caches is its own: the page's own words decide."""
    with standing(tmp_path, lines, variant) as get:
        page = get("/page.html")
    assert carries(page) == expected
    assert not expected or "no-store" in ", ".join(page.values("cache-control"))


@pytest.mark.parametrize("lines", ["", "add_header X-Frame-Options DENY;"])
def test_what_an_application_keeps_out_of_caches_stays_out(lines: str, tmp_path: Path) -> None:
    """Its `no-store` goes to the visitor with the banner, and without one."""
    with standing(tmp_path, lines, "include") as get:
        private, bare = get("/private"), get("/bare")
    assert carries(private)
    for page in (private, bare):
        assert "private, no-store" in page.values("cache-control")
        assert "no-cache" not in page.values("cache-control")


QUALIFIED = """expires off; add_header X-Own 1; add_header Cache-Control 'no-cache="Set-Cookie"';"""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (QUALIFIED, False),
        (QUALIFIED.replace('="Set-Cookie"', ""), True),
        *((f"add_header {name} max-age=86400; add_header X-Own 1;", False) for name in TARGETED),
    ],
)
def test_what_lets_a_cache_keep_a_page_keeps_the_banner_out(
    lines: str, expected: bool, tmp_path: Path
) -> None:
    """A word about one header is none about the page (RFC 9111, 5.2.2.4); what one cache alone is told counts."""
    with standing(tmp_path, lines, "include") as get:
        assert carries(get("/page.html")) == expected


@pytest.mark.parametrize(
    "lines",
    [
        "location = /page.html { expires 1h; }",
        *(f"add_header {name} max-age=86400;" for name in TARGETED),
    ],
)
def test_by_lua_too(lines: str, tmp_path: Path) -> None:
    """These are told behind our header filter, so that the page is left as it is."""
    with standing(tmp_path, lines, "lua") as get:
        assert not carries(get("/page.html"))


@pytest.mark.parametrize("mode", ["block", "occupy"])
def test_our_own_answers_are_told_to_no_cache(mode: Mode, tmp_path: Path) -> None:
    """By the include line they have a place of their own; what headers-more inherits is cleared there."""
    words = " ".join(f'"{name}: max-age=86400"' for name in (*TARGETED, "Cache-Control"))
    added = "".join(f"add_header {name} max-age=86400 always; " for name in TARGETED)
    with standing(tmp_path, f"{added} more_set_headers {words};", "include", mode) as get:
        page, usual = get("/"), get("/private")
    assert page.status == {"block": 503, "occupy": 200}[mode]
    assert page.values("cache-control") == ["no-store"]
    assert [name for name in TARGETED if page.values(name.lower())] == []
    assert mode == "block" or usual.values(TARGETED[0].lower())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('add_header Cdn-Cache-Control "max-age=60" always;', "include"),
        ("add_header Cache-Control $own_lifetime;", "include"),
        ("add_header Cache-Control no-store;", "lua"),
        ("add_header Cache-Control max-age=0;", "lua"),
        ("add_header X-Frame-Options DENY; add_header Link '</a.css>; rel=preload';", "lua"),
        ("location /x/ { add_header Cache-Control max-age=60; }", "lua"),
        ('more_set_headers -s "503 200" "Surrogate-Control: max-age=60" "X-Own: 1";', "include"),
        ('more_set_headers "X-Own: max-age=60";', "lua"),
        ("add_header Vary Origin;", "include"),
        ('more_set_headers "Vary: Origin";', "include"),
        ("gzip_vary on;", "include"),
        ("gzip_vary off;", "lua"),
        ("location /x/ { gzip_vary on; add_header Vary Origin; }", "lua"),
    ],
)
def test_auto_leaves_lua_where_our_answers_would_be_kept(
    lines: str, expected: Variant, planted: Planter
) -> None:
    """By Lua they have no place of their own, so that what stands at http or server level is told of them too."""
    server = planted("nginx", "static", lua=True, headers_more=True)
    (file,) = server.vhost_files()
    text = file.read_text().replace("index index.html;", f"index index.html;\n    {lines}")
    file.write_text("map $uri $own_lifetime { default max-age=60; }\n" + text)
    assert server.test() == ""
    assert look(server, picket(server).campaign).facts.variant == expected


@pytest.mark.parametrize("name", [*TARGETED, "Cache-Control"])
def test_the_agent_knows_every_one_of_them(name: str) -> None:
    """Its own pattern and the table of answers speak of the same headers."""
    (directive,) = parse_nginx(f"add_header {name} 86400;".encode())
    assert own_words(directive, "http") == {f"http add_header:{name.lower()}"}
