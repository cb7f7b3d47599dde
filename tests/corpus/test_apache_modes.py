# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache in both variants and all modes: byte-identical whenever we do not act, right whenever we do.

The modules that ours loads (mod_lua, mod_substitute) are loaded in every state but the first,
so "identical" holds with them, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from piquet.answers import BYPASS_COOKIE, usual_cookie_name
from piquet.fleet.model import Variant

from .cases import Case, standard
from .conftest import Planter
from .kinds import HERE, load
from .modes import keep, run_banner
from .page_judge import Count as Bannered
from .page_judge import pages
from .picket import OCCUPIED, SECRET, Picket, own_addresses, picket
from .runner import Tally, ask, run

Count = Callable[[str, Tally], None]
TELLING = (
    "environment",
    "filters",
    "htaccess-cloud",
    "late-lifetime",
    "pages",
    "rewrite-proxy",
    "vary",
    "wildcard",
)
"""Kinds of an ordinary run."""
ALL = tuple(kind.name for kind in load("apache"))
_ALONE = {
    "filters": "mod_substitute is the site's own",
    "late-lifetime": "packs some pages whatever is asked",
}
"""Kinds whose pages carry no banner though they could, and why."""
_CACHING = ("cache",)
"""Kinds whose answers depend on those before: a page with a banner is not stored, what follows comes from elsewhere."""
_TWO_AT_ONCE = "connection"
_MADE = ("plain", "gzip", "members", "empty", "br", "long", "chunks", "broken", "missing")
_LIMITED = "commented.html"
KINDS = [pytest.param(TELLING, 3, id="telling"), pytest.param(ALL, 1, id="all", marks=pytest.mark.long)]
"""With the share of what is asked outside of the window."""


def asked_pages() -> list[str]:
    """Addresses of pages: those of every root, those of the application, and some of no page."""
    static = sorted(path.name for path in (HERE / "www/pages").iterdir() if path.name != _LIMITED)
    made = [f"/made/{kind}" for kind in _MADE]
    return [*(f"/pages/{name}" for name in static), *made, "/", "/front.html", "/nowhere", "/own-error"]


def occupied(strike: Picket) -> tuple[Case, ...]:
    """What is asked of an occupied site besides: the link, the cookie, other queries and methods."""
    name = usual_cookie_name(strike.campaign, strike.campaign.phases[0])
    cookies = [
        f"{name}=usual",
        f"a=b; {name}=usual; c=d",
        f"{name}=other",
        f"x{name}=usual",
        f"{name}x=usual",
    ]
    paths = [*OCCUPIED, "/style.css"]
    queries = ["?piquet=usual", "?piquet=usual&x=1", "?x=1", "?", "?piquet=usual%20"]
    links = [
        Case(method, path + query)
        for path in paths
        for query in queries
        for method in ("GET", "HEAD", "POST")
    ]
    return (*links, *(Case("GET", path, (("Cookie", value),)) for path in paths for value in cookies))


def usual_cases(strike: Picket) -> list[Case]:
    """The ordinary list, without the two requests on one connection: only the first of two answers is judged."""
    listed = standard(own_addresses(strike.files), SECRET, BYPASS_COOKIE)
    return [case for case in listed if _TWO_AT_ONCE not in case.target]


@pytest.mark.parametrize(("names", "share"), KINDS)
def test_lua_blocks_before_anything_of_the_site(
    names: Sequence[str], share: int, planted: Planter, count: Count
) -> None:
    """The quick handler gives every row of the table, and nothing differs outside of the window."""
    server = planted("apache", *names)
    strike = picket(server, variant="lua")
    tally = run(server, strike, standard(own_addresses(strike.files), SECRET, BYPASS_COOKIE), share=share)
    count("apache, lua", tally)
    keep(("apache", "lua", "block"), tally, 0, {}, {})
    assert not tally.deviations, tally.report()


@pytest.mark.parametrize(("names", "share"), KINDS)
def test_lua_occupies_the_listed_paths_only(
    names: Sequence[str], share: int, planted: Planter, count: Count
) -> None:
    """Listed paths show the page, the link leads to the usual one, and every other answer is identical."""
    server = planted("apache", *names)
    strike = picket(server, variant="lua", mode="occupy")
    tally = run(server, strike, [*usual_cases(strike), *occupied(strike)], share=share)
    count("apache, lua, occupy", tally)
    keep(("apache", "lua", "occupy"), tally, 0, {}, {})
    assert not tally.deviations, tally.report()


@pytest.mark.parametrize("variant", ["rules", "lua"])
@pytest.mark.parametrize(("names", "share"), KINDS)
def test_every_page_that_can_has_one_banner(
    names: Sequence[str],
    share: int,
    variant: Variant,
    planted: Planter,
    count: Count,
    told: Callable[[Bannered, str], None],
) -> None:
    """One banner, where it belongs, in every page that can carry it; nothing else differs but what must."""
    server = planted("apache", *(name for name in names if name not in _CACHING))
    strike = picket(server, variant=variant, mode="banner")
    tally, found = run_banner(server, strike, [*usual_cases(strike), *pages(asked_pages())], share)
    count(f"apache, {variant}, banner", tally)
    told(found, f"apache, {variant}, banner: what became of the answers")
    assert not found.wrong, "\n\n".join(found.wrong.values())
    keep(("apache", variant, "banner"), tally, found.outcomes["banner"], found.missed, _ALONE)
    assert not tally.deviations, tally.report()
    assert found.missed.keys() == _ALONE.keys()


@pytest.mark.parametrize("variant", ["rules", "lua"])
def test_a_comment_over_several_lines_is_a_limit(variant: Variant, planted: Planter) -> None:
    """A line of a comment that begins like a page gets a banner of its own, which no browser shows."""
    server = planted("apache", "pages")
    strike = picket(server, variant=variant, mode="banner")
    tally, found = run_banner(server, strike, [Case("GET", f"/pages/{_LIMITED}")])
    assert not tally.deviations, tally.report()
    assert found.outcomes == {"banner": 2}
    assert all("body of" in why for why in found.wrong.values())
    with server.serving():
        got = ask(server, server.kinds[0].asks[0], Case("GET", f"/pages/{_LIMITED}"))
    assert got.received.count(b"<aside data-piquet=") == 2


@pytest.mark.parametrize("name", ["own-lua", "cache"])
def test_lua_beside_what_is_asked_alone(name: str, planted: Planter) -> None:
    """Where the site itself speaks Lua or caches: the same promises."""
    server = planted("apache", name)
    for mode in ("block", "occupy"):
        strike = picket(server, variant="lua", mode=mode)
        tally = run(server, strike, usual_cases(strike))
        assert not tally.deviations, tally.report()
        strike.withdraw(server)
