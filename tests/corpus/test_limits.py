# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the promise does not hold, and how: each limit is pinned down, so that it can neither grow nor go unnoticed."""

from __future__ import annotations

import pytest

from piquet.answers import BYPASS_COOKIE

from .cases import Case, standard
from .conftest import Planter
from .kinds import Ask, Provider, load
from .picket import SECRET, picket
from .runner import ask, run

CLOCK_HEADER = (("X-Piquet-At", "t=0"),)


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_every_limit_is_tested_here(provider: Provider) -> None:
    """A kind cannot be declared a limit and be forgotten."""
    limits = {kind.name for kind in load(provider, limits=True) if kind.limit}
    assert limits == {"apache": {"ignore-inherit-answers", "server-rules"}, "nginx": set()}[provider]


def test_rules_that_answer_where_nothing_is_inherited(planted: Planter) -> None:
    """Apache, IgnoreInherit: the owner's own [G] or [R] rule wins over the strike; nothing else of the site does."""
    server = planted("apache", "ignore-inherit-answers")
    cases = tuple(
        Case(method, path) for path in ("/", "/own-error", "/old/x", "/api/x") for method in ("GET", "POST")
    )
    tally = run(server, picket(server), cases)
    assert {deviation.state for deviation in tally.deviations} == {"active"}
    assert {deviation.item.case.target for deviation in tally.deviations} == {"/own-error", "/old/x"}


def test_rules_of_the_server_level_stay_there(planted: Planter) -> None:
    """Apache, somebody's rules outside of every virtual host: none of them reaches a site because of us, in any state.

    Inside the window only the site's own rules that answer ([G], [R]) win over the strike.
    """
    server = planted("apache", "server-rules", "redirect-alias", "static")
    tally = run(server, picket(server), standard((), SECRET, BYPASS_COOKIE))
    assert {deviation.item.kind for deviation in tally.deviations} == {"server-rules"}
    assert {deviation.state for deviation in tally.deviations} == {"active"}, tally.report()
    assert {deviation.item.case.target for deviation in tally.deviations} == {"/own-error"}, tally.report()


def test_a_visitors_header_of_the_clocks_name_reaches_the_application(planted: Planter) -> None:
    """Apache's clock is a request header: one of that name that a visitor sends is still the application's."""
    server = planted("apache", "proxy-pass", "rewrite-proxy", "proxy-location", "static")
    cases = (Case("GET", "/", CLOCK_HEADER), Case("GET", "/api/x", CLOCK_HEADER), Case("GET", "/api/x"))
    tally = run(server, picket(server), cases)
    assert not tally.deviations, tally.report()


def test_the_clock_never_reaches_the_application(planted: Planter) -> None:
    """Nothing of ours is in the request that an application gets, in no state."""
    server = planted("apache", "proxy-pass")
    strike = picket(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    way = Ask("http", "proxy-pass.corpus.example")
    with server.serving():
        for at in (strike.before_ms, strike.inside_ms, strike.after_ms):
            server.box.set_clock(at)
            received = ask(server, way, Case("GET", "/api/x")).received
            assert b"GET /api/x HTTP/1.1" in received
            assert b"piquet" not in received.lower()
