# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the promise does not hold, and how: each limit is pinned down, so that it can neither grow nor go unnoticed."""

from __future__ import annotations

import pytest

from .cases import Case
from .conftest import Planter
from .kinds import Ask, Provider, load
from .picket import picket
from .runner import ask, run

CLOCK_HEADER = (("X-Piquet-At", "t=0"),)


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_every_limit_is_tested_here(provider: Provider) -> None:
    """A kind cannot be declared a limit and be forgotten."""
    limits = {kind.name for kind in load(provider, limits=True) if kind.limit}
    assert limits == {"apache": {"ignore-inherit-answers"}, "nginx": set()}[provider]


def test_rules_that_answer_where_nothing_is_inherited(planted: Planter) -> None:
    """Apache, IgnoreInherit: the owner's own [G] or [R] rule wins over the strike; nothing else of the site does."""
    server = planted("apache", "ignore-inherit-answers")
    cases = tuple(
        Case(method, path) for path in ("/", "/own-error", "/old/x", "/api/x") for method in ("GET", "POST")
    )
    tally = run(server, picket(server), cases)
    assert {deviation.state for deviation in tally.deviations} == {"active"}
    assert {deviation.item.case.target for deviation in tally.deviations} == {"/own-error", "/old/x"}


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
