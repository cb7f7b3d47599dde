# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of ours tells a cache to keep it, whatever the site says of its own answers and wherever it says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from piquet.answers import ABOUT_PATH, ASSET_PREFIX, STYLE_ASSET, TARGETED
from piquet.fleet.model import Variant

from .cases import Case
from .client import Response, parse
from .picket import picket
from .runner import ask
from .servers import Server, plant
from .test_apache_cases import HOLDER, HOME, LINK, begin, is_ours, rehearse
from .test_banner_behind import site

VHOST = """<VirtualHost *:@HTTP@>
    ServerName @NAME@
    DocumentRoot @ROOT@
    {}
    <Directory @ROOT@>
        Options ExecCGI
        AddHandler cgi-script .cgi
        Require all granted
    </Directory>
</VirtualHost>
"""
KEPT = "Expires Last-Modified ETag".split() + list(TARGETED)
SAYS = "\n".join(f'Header {how}set {name} "3600"' for how in ("", "always ") for name in KEPT)
WAKES = "RewriteEngine On\nRewriteRule ^/x - [R=301]\n"
CGI = f"""#!/bin/sh
printf '%s: 3600\\r\\n' {" ".join(KEPT)} Content-MD5 Accept-Ranges
printf 'Content-Type: text/html\\r\\nCache-Control: max-age=600\\r\\n\\r\\n'
printf '<!doctype html>\\n<html><head><title>a</title></head>\\n<body>\\n<p>x</p></body></html>\\n'
"""
VARIANTS: list[Variant] = ["rules", "lua"]


def raised(folder: Path, **texts: str) -> Server:
    """A server with a virtual host for each text."""
    needs = ("cgid", "expires", "headers", "rewrite")
    kinds = tuple(replace(site(name, text, "apache"), modules=needs) for name, text in texts.items())
    return plant("apache", kinds, folder / "apache", 1)


def answers_to(server: Server, case: Case) -> list[Response]:
    """What each virtual host says."""
    found = [parse(ask(server, kind.asks[0], case).received) for kind in server.kinds]
    return [response for response in found if response]


def kept(response: Response) -> list[str]:
    """Headers by which some cache would keep an answer."""
    names = [name for name in KEPT if response.values(name.lower())]
    return names + [v for v in response.values("cache-control") if "no-store" not in v]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_answer_of_a_block_says_how_long_it_is_kept(variant: Variant, tmp_path: Path) -> None:
    """The page, our own addresses and the link of a rehearsal, by <If> and by inherited rules."""
    server = raised(tmp_path, plain=VHOST.format(SAYS), rules=VHOST.format(WAKES + SAYS))
    strike = picket(server, variant=variant)
    begin(server, strike, strike.inside_ms)
    rehearse(server)
    with server.serving():
        for path in ("/", "/style.css", ABOUT_PATH, ASSET_PREFIX + STYLE_ASSET):
            found = answers_to(server, Case("GET", path))
            assert [(is_ours(answer), kept(answer)) for answer in found] == [(True, [])] * 2, path
        server.box.set_clock(strike.before_ms)
        links = answers_to(server, LINK)
        assert [(answer.status, kept(answer)) for answer in links] == [(303, [])] * 2
        assert [is_ours(answer) for answer in answers_to(server, replace(HOME, headers=HOLDER))] == [True] * 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_page_with_a_banner_says_how_long_it_is_kept(variant: Variant, tmp_path: Path) -> None:
    """A program's own headers stand among those of errors, as those of `Header always` do."""
    server = raised(tmp_path, plain=VHOST.format(""), always=VHOST.format(SAYS))
    for kind in server.kinds:
        script = server.box.path(f"/srv/{kind.name}/app.cgi")
        script.write_text(CGI)
        script.chmod(0o755)
    strike = picket(server, variant=variant, mode="banner")
    begin(server, strike, strike.inside_ms)
    with server.serving():
        for path in ("/", "/app.cgi"):
            for answer in answers_to(server, Case("GET", path)):
                assert is_ours(answer), path
                assert (kept(answer), answer.values("content-md5"), answer.values("accept-ranges")) == (
                    [],
                    [],
                    [],
                )
