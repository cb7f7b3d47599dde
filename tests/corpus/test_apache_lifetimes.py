# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of ours tells a cache to keep it, whatever the site says of its own answers and wherever it says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from piquet.answers import STYLE_ASSET
from piquet.fleet.model import Variant
from piquet.protocol.http import ABOUT_PATH, ASSET_PREFIX, TARGETED
from tests.corpus.apache_course import HOLDER, HOME, LINK, begin, is_ours, rehearse
from tests.corpus.apache_texts import APACHE, IF, IN_TWO, LATE, OTHERWISE, PART
from tests.corpus.lifetimes import VHOST, answers_to, raised

from .cases import Case
from .client import Response
from .conftest import Planter
from .kinds import host_name
from .picket import picket
from .surveyed import look

KEPT = ("Expires", "Last-Modified", "ETag", *TARGETED)
UNSET = "Header always unset Cache-Control"
EXPIRES = 'ExpiresActive On\nExpiresDefault "access plus 1 hour"'
SAYS = "\n".join(f'Header {how}set {name} "3600"' for how in ("", "always ") for name in KEPT)
ALL = SAYS + '\nHeader always set Cache-Control "max-age=3600"'
WAKES = "RewriteEngine On\nRewriteRule ^/x - [R=301]\n"
CGI = f"""#!/bin/sh
printf '%s: 3600\\r\\n' {" ".join(KEPT)} Content-MD5 Accept-Ranges
printf 'Content-Type: text/html\\r\\nCache-Control: max-age=600\\r\\n\\r\\n'
printf '<!doctype html>\\n<html><head><title>a</title></head>\\n<body>\\n<p>x</p></body></html>\\n'
"""
VARIANTS: list[Variant] = ["rules", "lua"]


def kept(response: Response) -> list[str]:
    """Headers by which some cache would keep an answer."""
    names = [name for name in KEPT if response.values(name.lower())]
    return names + [v for v in response.values("cache-control") if "no-store" not in v]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_answer_of_a_block_says_how_long_it_is_kept(variant: Variant, tmp_path: Path) -> None:
    """The page, our own addresses and the link of a rehearsal, by <If> and by inherited rules, whatever comes late."""
    texts = {
        "plain": SAYS,
        "rules": WAKES + SAYS,
        "late": PART.format(IF).format(ALL),
        "deep": PART.format(IN_TWO).format(f"{ALL}\n{EXPIRES}"),
        "deeper": IN_TWO.format(IF).format(f"{ALL}\n{EXPIRES}"),
        "page": IN_TWO.format(f"ErrorDocument 503 /own.html\n{ALL}"),
        "part": PART.format(IF).format(f'ErrorDocument 503 "own"\nErrorDocument 200 "own"\n{ALL}'),
    }
    server = raised(tmp_path, **{name: VHOST.format(text) for name, text in texts.items()})
    strike = picket(server, variant=variant)
    begin(server, strike, strike.inside_ms)
    rehearse(server)
    with server.serving():
        for path in ("/", "/style.css", ABOUT_PATH, ASSET_PREFIX + STYLE_ASSET):
            found = answers_to(server, Case("GET", path))
            assert [(is_ours(answer), kept(answer)) for answer in found] == [(True, [])] * len(texts), path
        server.chroot.set_clock(strike.before_ms)
        links = answers_to(server, LINK)
        assert [(answer.status, kept(answer)) for answer in links] == [(303, [])] * len(texts)
        for answer in answers_to(server, replace(HOME, headers=HOLDER)):
            assert is_ours(answer)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_page_with_a_banner_says_how_long_it_is_kept(variant: Variant, tmp_path: Path) -> None:
    """A program's own headers stand among those of errors, as those of `Header always` do."""
    server = raised(tmp_path, plain=VHOST.format(""), always=VHOST.format(SAYS))
    for kind in server.kinds:
        script = server.chroot.path(f"/srv/{kind.name}/app.cgi")
        script.write_text(CGI)
        script.chmod(0o755)
    strike = picket(server, variant=variant, mode="banner")
    begin(server, strike, strike.inside_ms)
    with server.serving():
        for answer in answers_to(server, Case("GET", ABOUT_PATH)):
            assert (answer.values("cache-control"), kept(answer)) == (["no-store"], [])
        for path in ("/", "/app.cgi"):
            for answer in answers_to(server, Case("GET", path)):
                assert is_ours(answer), path
                assert (kept(answer), answer.values("content-md5"), answer.values("accept-ranges")) == (
                    [],
                    [],
                    [],
                )


SAID = 'Header set Cache-Control "max-age=3600"'


@pytest.mark.parametrize(("name", "is_barred"), [("aaa", False), ("zzz", True)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_who_is_read_first_does_not_win(variant: Variant, name: str, is_barred: bool, tmp_path: Path) -> None:
    """A <Location> outside of every virtual host bars the banner only where it is read after ours, staged or not."""
    server = raised(tmp_path, plain=VHOST.format(""))
    server.chroot.write(f"/etc/apache2/conf-enabled/{name}.conf", LATE.format(SAID).encode())
    known = look(server, picket(server).campaign).facts
    assert known.recached == ({"*"} if is_barred else set())
    strike = picket(server, variant=variant, mode="banner", known=known)
    begin(server, strike, strike.inside_ms)
    assert look(server, strike.campaign).facts.recached == known.recached
    with server.serving():
        (answer,) = answers_to(server, HOME)
    assert is_ours(answer) is not is_barred
    assert bool(kept(answer)) is is_barred


LATER = {
    "within": LATE.format("Include snippets/said.conf"),
    "unset": LATE.format("Header unset Cache-Control"),
    "type": 'Header set Content-Type "application/xhtml+xml"',
    "otherwise": OTHERWISE.format(SAID),
    "stores": "CacheEnable disk /\nCacheStoreNoStore On",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_who_undoes_ours_shows_no_banner(variant: Variant, tmp_path: Path) -> None:
    """By what the survey finds; the virtual host beside them has its banner."""
    server = raised(
        tmp_path, **{name: VHOST.format(text) for name, text in LATER.items()}, plain=VHOST.format("")
    )
    server.chroot.write("/etc/apache2/snippets/said.conf", b'Header set Cache-Control "max-age=3600"\n')
    known = look(server, picket(server).campaign).facts
    assert known.barred == {host_name(name) for name in LATER}
    strike = picket(server, variant=variant, mode="banner", known=known)
    begin(server, strike, strike.inside_ms)
    with server.serving():
        found = answers_to(server, HOME)
    assert [is_ours(answer) for answer in found] == [kind.name == "plain" for kind in server.kinds]


BEFORE = {
    "own": IN_TWO.format(IF).format(SAID),
    "late": PART.format(IN_TWO).format(SAID),
    "root": f"<Directory @ROOT@>\n{IF.format(SAID)}\n</Directory>",
    "part": f'<Location "/">\n{SAID}\n</Location>',
    "there": "<Directory @ROOT@>\nAllowOverride All\n</Directory>",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_if_of_a_site_does_not_win(variant: Variant, tmp_path: Path) -> None:
    """Of a virtual host, of a folder or of its .htaccess, which no survey sees: banners, and kept by nobody."""
    server = raised(tmp_path, **{name: VHOST.format(text) for name, text in BEFORE.items()})
    server.chroot.write("/srv/there/.htaccess", f"{IF.format(SAID)}\n".encode())
    strike = picket(server, variant=variant, mode="banner")
    assert look(server, strike.campaign).facts.barred == set()
    begin(server, strike, strike.inside_ms)
    with server.serving():
        for answer in answers_to(server, HOME):
            assert (is_ours(answer), kept(answer)) == (True, [])


DEEPEST = {
    "late": LATE.format(ALL),
    "anywhere": IN_TWO.format(IN_TWO).format(ALL),
    "unset": LATE.format(UNSET),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_who_is_deeper_than_ours_is_named(variant: Variant, tmp_path: Path) -> None:
    """What stands in more <If> than ours wins over a block by rules, which the plan refuses; by Lua it has no say."""
    server = raised(tmp_path, **{name: VHOST.format(text) for name, text in DEEPEST.items()})
    strike = picket(server, variant=variant)
    assert look(server, strike.campaign).facts.recached == {host_name(name) for name in DEEPEST}
    begin(server, strike, strike.inside_ms)
    with server.serving():
        for answer in answers_to(server, HOME):
            assert is_ours(answer)
            assert (answer.values("cache-control") == ["no-store"]) is (variant == "lua")


STORES = """CacheRoot /var/cache/apache2/mod_cache_disk
CacheEnable disk /
CacheStoreNoStore On
CacheIgnoreNoLastMod On
CacheDefaultExpire 3600"""


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_cache_that_stores_everything_keeps_no_answer_of_ours(variant: Variant, tmp_path: Path) -> None:
    """Beyond the end it has nothing: whatever else it is told, what varies by everything cannot be kept."""
    server = raised(tmp_path, stores=VHOST.format(STORES))
    strike = picket(server, variant=variant)
    begin(server, strike, strike.after_ms - 1000)
    with server.serving():
        for is_over in (False, True):
            for path in ("/", ABOUT_PATH):
                (answer,) = answers_to(server, Case("GET", path))
                assert is_ours(answer) is not is_over, path
            server.chroot.set_clock(strike.after_ms)


def test_a_cache_that_stores_everything_is_named(planted: Planter) -> None:
    """By what the server reads: the virtual host that says so, or all; where it only could, nobody."""
    server = planted("apache", "static", "cache")
    campaign = picket(server).campaign
    more = "/etc/apache2/sites-enabled/more.conf"
    assert look(server, campaign).facts.stores_no_store == set()
    server.chroot.write(more, APACHE.format("", "CacheStoreNoStore On").encode())
    assert look(server, campaign).facts.stores_no_store == {"b.example"}
    server.chroot.write(more, b"CacheStoreNoStore On\n")
    assert look(server, campaign).facts.stores_no_store == {"*"}
