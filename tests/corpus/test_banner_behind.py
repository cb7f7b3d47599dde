# SPDX-License-Identifier: GPL-3.0-or-later
"""A site of the fleet that is proxied behind another one: each way in front of each way, on real servers.

Both put the banner in, each alone. Together a page has exactly one, whoever was first, packed between them or not.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from piquet import banner
from piquet.fleet.model import Variant
from tests.corpus.sites_behind import site

from .bannered import plain
from .cases import Case
from .client import Response, parse
from .kinds import Provider
from .picket import Picket, picket
from .runner import ask
from .servers import Server, plant

WAYS: dict[str, tuple[Provider, Variant]] = {
    "nginx-include": ("nginx", "include"),
    "nginx-lua": ("nginx", "lua"),
    "apache-rules": ("apache", "rules"),
    "apache-lua": ("apache", "lua"),
}
PAIRS = [(front, behind) for front in WAYS for behind in WAYS]
BEHIND: dict[Provider, str] = {
    "nginx": """server {
    listen @HTTP@;
    server_name @NAME@;
    root @ROOT@;
    gzip_proxied any;
    location ~ ^/(?:made|page)/ { proxy_pass http://@UPSTREAM@; }
}
""",
    "apache": """<VirtualHost *:@HTTP@>
    ServerName @NAME@
    DocumentRoot @ROOT@
    ProxyPass /made/ http://@UPSTREAM@/made/
    ProxyPass /page/ http://@UPSTREAM@/page/
    AddOutputFilterByType DEFLATE text/html
    <Directory @ROOT@>
        Require all granted
    </Directory>
</VirtualHost>
""",
}
FRONT: dict[Provider, str] = {
    "nginx": """server {
    listen @HTTP@;
    server_name @NAME@;
    location / {
        proxy_pass http://@UPSTREAM@;
        proxy_http_version 1.1;
        proxy_set_header Host behind.corpus.example;
        proxy_set_header Connection "";
    }
}
""",
    "apache": """<VirtualHost *:@HTTP@>
    ServerName @NAME@
    RequestHeader set Host behind.corpus.example
    ProxyPreserveHost On
    ProxyPass / http://@UPSTREAM@/
</VirtualHost>
""",
}
APPLICATION = ("made/plain", "made/gzip", "made/chunks", "page/plain", "page/capitals", "page/script", "page/comment",
               "page/writing", "page/none", "page/latin", "page/gzip", "page/chunked")  # fmt: skip
STATIC = ("traps", "wide", "opening", "one-line", "script-tail", "latin", "bare")
PATHS = ("/", *(f"/{name}" for name in APPLICATION), *(f"/pages/{name}.html" for name in STATIC))
AS_BROWSER = (("Accept", "text/html,*/*;q=0.8"), ("Accept-Encoding", "gzip, deflate, br"))
CASES = tuple(Case("GET", path, headers) for path in PATHS for headers in ((), AS_BROWSER))


def raised(way: str, name: str, texts: dict[Provider, str], folder: Path, port: int) -> tuple[Server, Picket]:
    """A server of one site with a port behind it, in the window of a banner; its flags are not made yet."""
    provider, variant = WAYS[way]
    kinds = (site(name, texts[provider], provider),)
    server = plant(provider, kinds, folder, port, lua=way == "nginx-lua")
    strike = picket(server, mode="banner", variant=variant)
    strike.hook(server)
    strike.stage(server)
    server.chroot.set_clock(strike.inside_ms)
    return server, strike


def got(server: Server) -> dict[Case, Response]:
    """What every case gets, unpacked."""
    found = {case: parse(ask(server, server.kinds[0].asks[0], case).received) for case in CASES}
    return {case: plain(response) for case, response in found.items() if response}


def banners(page: Response) -> int:
    """How many are in a page."""
    return len(banner.taken_out(page.body)[0])


@pytest.mark.parametrize(("front", "behind"), PAIRS)
def test_a_page_that_comes_by_two_sites_has_one_banner(
    front: str, behind: str, tmp_path: Path, application: int
) -> None:
    """One where either alone puts one, none where neither does; without it, it is the page as usual."""
    inner, inner_strike = raised(behind, "behind", BEHIND, tmp_path / "behind", application)
    outer, outer_strike = raised(front, "front", FRONT, tmp_path / "front", inner.http)
    with inner.serving(), outer.serving():
        usual = got(outer)
        outer.make_flags(outer_strike.keys)
        in_front = got(outer)
        inner.make_flags(inner_strike.keys)
        both = got(outer)
        outer.drop_flags()
        alone = got(outer)
    wanted = {case: max(banners(in_front[case]), banners(alone[case])) for case in CASES}
    assert {case: banners(both[case]) for case in CASES} == wanted
    assert Counter(wanted.values())[1] > len(CASES) // 2
    assert set(wanted.values()) == {0, 1}
    for case in CASES:
        assert banner.taken_out(both[case].body)[1].lower() == usual[case].body.lower()
