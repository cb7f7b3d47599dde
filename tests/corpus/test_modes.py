# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise for every mode and every way to speak to a server; the misses of the banner are listed by their cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from piquet.answers import BYPASS_COOKIE, usual_cookie_name
from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from tests.corpus.ways import Way

from .cases import Case, of_mode, standard
from .client import parse
from .conftest import Planter
from .kinds import Provider, load
from .modes import keep
from .picket import SECRET, own_addresses, picket
from .runner import Tally, ask, items, run
from .surveyed import look

Count = Callable[[str, Tally], None]
WAYS: list[tuple[Provider, Way, Mode]] = [
    ("nginx", "include", "occupy"),
    ("nginx", "include", "banner"),
    ("nginx", "include and headers-more", "banner"),
    ("nginx", "lua", "block"),
    ("nginx", "lua", "occupy"),
    ("nginx", "lua", "banner"),
]
TELLING: dict[Provider, tuple[str, ...]] = {
    "nginx": ("00-default", "auth-basic", "error-pages", "front-controller", "own-headers", "proxy", "redirect-https",
              "ssi", "static", "sub-filter", "unselected", "vary", "wildcard"),
}  # fmt: skip
CAUSES: dict[tuple[str, str], str] = {
    ("include", "sub-filter"): "sub_filter of the owner takes the place of ours",
    (
        "include",
        "own-headers",
    ): "add_header of the owner takes the place of our no-store, and caches are told to keep it",
    ("include", "ssi"): "the body tag comes from a subrequest",
    ("lua", "ssi"): "the body tag comes from a subrequest",
    ("include", "slice"): "the owner asks the application for compressed pages",
    ("lua", "slice"): "the owner asks the application for compressed pages",
}
"""Where whole kinds of pages carry no banner though they could, and why."""
ONE_PAGE = ("/page/big", "/page/gzip")
"""Pages whose body tag neither begins a line nor comes right behind the head, which `include` asks for."""


def chosen(provider: Provider, way: Way, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The kinds that work in this way, all of them or those of the given names."""
    kinds = [kind for kind in load(provider) if not names or kind.name in names]
    return tuple(kind.name for kind in kinds if kind.lua or way != "lua")


def asked(
    provider: Provider, way: Way, mode: Mode, planted: Planter, names: tuple[str, ...], share: int = 1
) -> Tally:
    """All states of a server under a campaign of one mode."""
    variant: Variant = "lua" if way == "lua" else "include"
    server = planted(provider, *names, lua=way == "lua", headers_more=way == "include and headers-more")
    strike = picket(server, mode=mode, variant=variant)
    cookie = usual_cookie_name(strike.campaign, strike.campaign.phases[0])
    cases = (*standard(own_addresses(strike.files), SECRET, BYPASS_COOKIE), *of_mode(cookie))
    return run(server, strike, cases, share=share)


def judge(provider: Provider, way: Way, mode: Mode, tally: Tally, count: Count) -> None:
    """No deviation, and no page without a banner but for a known cause."""
    count(f"{provider} {way} {mode}", tally)
    plain = way.partition(" ")[0]
    missed = Counter(item.kind for item in tally.missed)
    print(
        f"{len(tally.carried)} pages carry the banner, {len(tally.missed)} could and do not: {dict(missed)}"
    )
    causes = {kind: cause for (by, kind), cause in CAUSES.items() if by == plain}
    why = {kind: causes.get(kind, "its body tag is in the middle of a line") for kind in missed}
    keep((provider, way, mode), tally, len(tally.carried), missed, why)
    assert not tally.deviations, tally.report()
    assert bool(tally.carried) == (mode == "banner")
    strange = [i for i in tally.missed if (plain, i.kind) not in CAUSES]
    assert [str(item) for item in strange if way == "lua" or item.case.target not in ONE_PAGE] == []


@pytest.mark.parametrize(("provider", "way", "mode"), WAYS)
def test_telling_kinds(provider: Provider, way: Way, mode: Mode, planted: Planter, count: Count) -> None:
    """Identical whenever we do not act; each row of the table whenever we do, and nothing besides."""
    names = chosen(provider, way, TELLING[provider])
    judge(provider, way, mode, asked(provider, way, mode, planted, names, share=2), count)


@pytest.mark.long
@pytest.mark.parametrize(("provider", "way", "mode"), WAYS)
def test_every_kind(provider: Provider, way: Way, mode: Mode, planted: Planter, count: Count) -> None:
    """The same of all of them."""
    judge(provider, way, mode, asked(provider, way, mode, planted, chosen(provider, way)), count)


@pytest.mark.parametrize(
    ("names", "variant"),
    [(chosen("nginx", "lua"), "lua")] + [((kind.name,), "include") for kind in load("nginx") if not kind.lua],
    ids=lambda value: value if isinstance(value, str) else value[0] if len(value) == 1 else "others",
)
def test_what_survey_proposes(names: tuple[str, ...], variant: Variant, planted: Planter) -> None:
    """Lua where its module is loaded, the include line where one site's filters would change our answers."""
    server = planted("nginx", *names, lua=True)
    assert look(server, picket(server).campaign).facts.variant == variant


def test_without_the_module_there_is_no_lua(planted: Planter) -> None:
    """The survey finds it by what the server loads."""
    server = planted("nginx", "static")
    facts = look(server, picket(server).campaign).facts
    assert (facts.has_lua, facts.variant) == (False, "include")


@pytest.mark.parametrize(
    ("way", "status", "coding"),
    [("include", 304, []), ("lua", 200, ["gzip"]), ("include and headers-more", 200, [])],
)
def test_a_visitor_who_has_the_page_in_cache(
    way: Way, status: int, coding: list[str], planted: Planter
) -> None:
    """By Lua or headers-more the page comes whole, with its banner; else a browser may go on with what it has."""
    server = planted("nginx", "static", lua=way == "lua", headers_more=way == "include and headers-more")
    strike = picket(server, mode="banner", variant="lua" if way == "lua" else "include")
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    (plain,) = items(server.kinds, (Case("GET", "/"),))
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        before = parse(ask(server, plain.ask, plain.case).received)
        assert before
        (tag,) = before.values("etag")
        asked_again = Case(
            "GET", "/", (("Accept", "text/html,*/*"), ("If-None-Match", tag), ("Accept-Encoding", "gzip"))
        )
        server.chroot.set_clock(strike.inside_ms)
        got = parse(ask(server, plain.ask, asked_again).received)
        assert got
        assert got.status == status
        if status == 200:
            assert got.values("content-encoding") == coding
            assert got.values("cache-control") == (["no-store"] if way == "lua" else ["no-cache", "no-store"])


def test_lua_whose_decision_is_gone_shows_nothing(planted: Planter) -> None:
    """Somebody deletes one file of ours and restarts the server before the agent looks: every site is as usual."""
    server = planted("nginx", "static", "proxy", lua=True)
    strike = picket(server, mode="banner", variant="lua")
    (plain, proxied) = items(server.kinds, (Case("GET", "/page/plain"),))
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        usual = [ask(server, item.ask, item.case) for item in (plain, proxied)]
    strike.stage(server)
    server.make_flags(strike.keys)
    for path in server.chroot.path("/etc/piquet/nginx/http").glob("*.conf"):
        if path.name != "50-answer.conf":
            path.unlink()
    assert server.test() == ""
    with server.serving():
        assert [ask(server, item.ask, item.case) for item in (plain, proxied)] == usual


@pytest.mark.parametrize(
    ("line", "carries"),
    [
        ("", True),
        ("add_header X-Frame-Options DENY;", True),
        ("add_header X-Frame-Options DENY; add_header Cache-Control s-maxage=60;", False),
        ("add_header X-Frame-Options DENY; expires 1h;", False),
        ("add_header X-Frame-Options DENY; expires off;", False),
        ("add_header Cache-Control no-store;", True),
    ],
)
def test_no_banner_where_a_cache_could_keep_it(line: str, carries: bool, planted: Planter) -> None:
    """A page that a cache was told to hold stays as it is; one with a banner has nothing to go on with afterwards."""
    server = planted("nginx", "static")
    (site,) = server.vhost_files()
    site.write_text(site.read_text().replace("index index.html;", f"index index.html;\n    {line}"))
    strike = picket(server, mode="banner", variant="include")
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    (home,) = items(server.kinds, (Case("GET", "/"),))
    with server.serving():
        got = parse(ask(server, home.ask, home.case).received)
    assert got
    assert (b"<aside data-piquet" in got.body) == carries
    stored = ", ".join(got.values("cache-control"))
    assert not carries or ("no-store" in stored or "no-cache" in stored)
    assert not carries or not (got.values("etag") or got.values("last-modified"))
