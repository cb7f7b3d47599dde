# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache in front that all visitors share: what a tester or a rehearsal is shown, nobody else gets out of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from piquet.answers import BYPASS_COOKIE, REHEARSAL_COOKIE, usual_cookie_name
from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from tests.corpus.rehearsal_words import issue
from tests.ports import free_ports

from .chroot import ADDRESS, Chroot
from .client import Response, exchange, parse
from .conftest import Planter
from .picket import SECRET, Picket, picket
from .servers import Server

WAYS = {
    "nginx-include": ("nginx", "include"),
    "nginx-lua": ("nginx", "lua"),
    "apache-rules": ("apache", "rules"),
    "apache-lua": ("apache", "lua"),
}
PAGE = "/pages/traps.html"
_NGINX = """pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events {{}}
http {{
    access_log off;
    proxy_cache_path /var/lib/nginx/kept keys_zone=kept:1m;
    server {{
        listen {address}:{port};
        location / {{
            proxy_pass http://{address}:{behind};
            proxy_set_header Host $http_host;
            proxy_cache kept;
            proxy_cache_valid 200 1d;
            add_header X-Kept $upstream_cache_status always;
        }}
    }}
}}
"""
_VARNISH = """vcl 4.1;
backend default {{ .host = "{address}"; .port = "{behind}"; }}
# As sites have it that say themselves which cookies matter, and none of ours does.
sub vcl_recv {{ return (hash); }}
sub vcl_deliver {{ if (obj.hits > 0) {{ set resp.http.X-Kept = "HIT"; }} else {{ set resp.http.X-Kept = "MISS"; }} }}
"""
Cache = Callable[[int, Path], AbstractContextManager[int]]


@contextmanager
def nginx_cache(behind: int, folder: Path) -> Iterator[int]:
    """nginx, which knows no cookies and keeps every page for a day that does not forbid it; yields its port."""
    (port,) = free_ports(1)
    chroot = Chroot(folder)
    chroot.write("/etc/nginx/nginx.conf", _NGINX.format(address=ADDRESS, port=port, behind=behind).encode())
    with chroot.serving(["/usr/sbin/nginx", "-g", "daemon off;"], port, on_its_clock=False):
        yield port


@contextmanager
def varnish_cache(behind: int, folder: Path) -> Iterator[int]:
    """Varnish with its own rules for what may be kept; yields its port."""
    (port,) = free_ports(1)
    folder.mkdir()
    (folder / "site.vcl").write_text(_VARNISH.format(address=ADDRESS, behind=behind))
    argv = ["/usr/sbin/varnishd", "-F", "-j", "none", "-n", str(folder / "run"), "-a", f"{ADDRESS}:{port}"]
    with subprocess.Popen([*argv, "-f", str(folder / "site.vcl"), "-s", "malloc,16m"]) as process:
        try:
            _wait(port)
            yield port
        finally:
            process.terminate()


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            if exchange(ADDRESS, port, b"GET / HTTP/1.0\r\n\r\n").received:
                return
        except OSError:
            subprocess.run(["sleep", "0.1"], check=True)
    raise TimeoutError(f"nothing listens on port {port}")


CACHES: dict[str, Cache] = {"nginx": nginx_cache, "varnish": varnish_cache}


def get(port: int, path: str, *cookies: str) -> Response:
    """A page of the static site by the cache."""
    sent = "".join(f"Cookie: {cookie}\r\n" for cookie in cookies)
    head = f"GET {path} HTTP/1.1\r\nHost: static.corpus.example\r\nAccept: text/html\r\n{sent}Connection: close\r\n\r\n"
    found = parse(exchange(ADDRESS, port, head.encode()).received)
    assert found
    return found


def shown(response: Response) -> str:
    """Whose an answer is."""
    is_bannered = b" data-piquet=" in response.body
    return "ours" if response.values("x-piquet") else "banner" if is_bannered else "usual"


def raised(way: str, mode: Mode, planted: Planter) -> tuple[Server, Picket]:
    """A static site, armed."""
    provider, variant = WAYS[way]
    server = planted(provider, "static", lua=way == "nginx-lua")  # type: ignore[arg-type]
    plain: Variant = variant  # type: ignore[assignment]
    strike = picket(server, mode=mode, variant=plain)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    return server, strike


def _rows() -> Iterator[object]:
    for cache in CACHES:
        for way in WAYS:
            is_quick = cache == "nginx" and way in ("nginx-include", "apache-rules")
            yield pytest.param(cache, way, marks=[] if is_quick else [pytest.mark.long])


@pytest.mark.parametrize(("cache", "way"), list(_rows()))
def test_a_tester_fills_no_cache(cache: str, way: str, planted: Planter, tmp_path: Path) -> None:
    """Let through by the cookie in a block: whoever comes next meets the strike, and after the end the site."""
    server, strike = raised(way, "block", planted)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving(), CACHES[cache](server.http, tmp_path / "cache") as port:
        assert shown(get(port, PAGE, f"{BYPASS_COOKIE}={SECRET}")) == "usual"
        looks = [get(port, PAGE) for _ in range(3)]
        assert [(shown(look), look.status) for look in looks] == [("ours", 503)] * 3
        server.chroot.set_clock(strike.after_ms)
        assert {shown(get(port, PAGE)) for _ in range(2)} == {"usual"}
        kept = get(port, PAGE)
        assert kept.values("x-kept") == ["HIT"]


@pytest.mark.parametrize(("cache", "way"), [row for row in _rows() if "apache-rules" not in row.values])  # type: ignore[attr-defined]
def test_a_visitor_of_the_usual_page_fills_no_cache(
    cache: str, way: str, planted: Planter, tmp_path: Path
) -> None:
    """Who went past the occupied front page keeps it occupied for all others."""
    server, strike = raised(way, "occupy", planted)
    server.chroot.set_clock(strike.inside_ms)
    name = usual_cookie_name(strike.campaign, strike.campaign.phases[0])
    with server.serving(), CACHES[cache](server.http, tmp_path / "cache") as port:
        assert shown(get(port, "/", f"{name}=usual")) == "usual"
        assert {shown(get(port, "/")) for _ in range(3)} == {"ours"}


@pytest.mark.parametrize("mode", ["block", "banner"])
@pytest.mark.parametrize(("cache", "way"), list(_rows()))
def test_a_rehearsal_is_seen_by_nobody_else(
    cache: str, way: str, mode: Mode, planted: Planter, tmp_path: Path
) -> None:
    """Before its hour: neither the strike page, nor a banner's style sheet, without which a banner is not shown."""
    server, strike = raised(way, mode, planted)
    holder = f"{REHEARSAL_COOKIE}={issue(server, strike.before_ms)}"
    server.chroot.set_clock(strike.before_ms)
    sheet = "/.well-known/piquet/" + ("strike.css" if mode == "block" else "banner.css")
    with server.serving(), CACHES[cache](server.http, tmp_path / "cache") as port:
        for path in (PAGE, sheet):
            first, second = get(port, path, holder), get(port, path)
            assert shown(first) == ("banner" if (mode, path) == ("banner", PAGE) else "ours")
            assert shown(second) == "usual"
