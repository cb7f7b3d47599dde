# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the promise does not hold, and how: each limit is pinned down, so that it can neither grow nor go unnoticed."""

from __future__ import annotations

import pytest

from piquet.answers import BYPASS_COOKIE
from piquet.fleet.model import Variant

from .cases import Case, standard
from .conftest import Planter
from .kinds import Ask, Provider, load
from .picket import SECRET, picket
from .runner import ask, run
from .surveyed import look

CLOCK_HEADER = (("X-Piquet-At", "t=0"),)


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_every_limit_is_tested_here(provider: Provider) -> None:
    """A kind cannot be declared a limit and be forgotten."""
    limits = {kind.name for kind in load(provider, limits=True) if kind.limit}
    pinned = {
        "md-https",
        "security2-strict",
        "ignore-inherit-answers",
        "server-rules",
        "cache-quick",
        "canonical-name",
        "trace",
    }
    assert limits == {"apache": pinned, "nginx": set()}[provider]


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


def test_what_a_quick_cache_holds_is_shown_during_a_block(planted: Planter) -> None:
    """Apache, mod_cache as it comes: a page that it holds is shown on; whatever it does not hold is on strike."""
    server = planted("apache", "cache-quick")
    strike = picket(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    way = Ask("http", "cache-quick.corpus.example")
    held, other, posted = Case("GET", "/"), Case("GET", "/files/two.txt"), Case("POST", "/")
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        usual = ask(server, way, held).received
        server.chroot.set_clock(strike.inside_ms)
        shown = {case: ask(server, way, case).received for case in (held, other, posted)}
    assert usual.partition(b"\r\n\r\n")[2] == shown[held].partition(b"\r\n\r\n")[2]
    assert [b"\r\nX-Piquet: " in shown[case] for case in (held, other, posted)] == [False, True, True]


def test_an_alias_follows_the_canonical_name(planted: Planter) -> None:
    """Apache, UseCanonicalName On: an alias that nobody selected is on strike with its main name, and only then."""
    server = planted("apache", "canonical-name")
    tally = run(server, picket(server), (Case("GET", "/"), Case("POST", "/deep/x"), Case("GET", "/api/x")))
    assert {deviation.state for deviation in tally.deviations} == {"active"}
    assert {deviation.item.ask.host for deviation in tally.deviations} == {
        "alias.canonical-name.corpus.example"
    }


def test_the_echo_of_trace_shows_the_clock(planted: Planter) -> None:
    """Apache, TraceEnable On: the echo, and nothing else, differs as soon as the bundle is there."""
    server = planted("apache", "trace")
    tally = run(server, picket(server), (Case("GET", "/"), Case("TRACE", "/"), Case("POST", "/")))
    assert {deviation.item.case.method for deviation in tally.deviations} == {"TRACE"}
    assert all(b"X-Piquet-At: t=" in deviation.got for deviation in tally.deviations)


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
            server.chroot.set_clock(at)
            received = ask(server, way, Case("GET", "/api/x")).received
            assert b"GET /api/x HTTP/1.1" in received
            assert b"piquet" not in received.lower()


@pytest.mark.parametrize("variant", ["rules", "lua"])
def test_mod_md_sends_plain_requests_to_https_first(variant: Variant, planted: Planter) -> None:
    """Apache, MDRequireHttps: http is redirected as without us, in both ways, and https is on strike; both are said."""
    server = planted("apache", "md-https")
    seen = look(server, picket(server).campaign)
    assert seen.facts.https_first == {"md-https.corpus.example"}
    assert (seen.survey["https-first"], seen.plan["https-first"]) == ("warning", "warning")
    cases = tuple(
        Case(method, path) for path in ("/", "/deep/er/missing", "/api/x") for method in ("GET", "POST")
    )
    tally = run(server, picket(server, known=seen.facts, variant=variant), cases)
    assert {deviation.state for deviation in tally.deviations} == {"active"}
    assert {deviation.item.ask.scheme for deviation in tally.deviations} == {"http"}
    assert all(b" 301 " in d.got[:14] or b" 308 " in d.got[:14] for d in tally.deviations), tally.report()


@pytest.mark.parametrize(("kind", "severity"), [("security2", "warning"), ("security2-strict", "error")])
def test_a_filter_of_answers_is_named_by_what_it_does(kind: str, severity: str, planted: Planter) -> None:
    """Apache, mod_security2 with the core rules: at level 2 our 503 by rules is a 403, by Lua nothing is filtered."""
    server = planted("apache", kind)
    seen = look(server, picket(server).campaign)
    assert seen.facts.filtered == {f"{kind}.corpus.example"}
    assert seen.plan["answers-filtered"] == severity
    cases = tuple(
        Case(method, path) for path in ("/", "/deep/er/missing", "/api/x") for method in ("GET", "POST")
    )
    by_rules = run(server, picket(server, known=seen.facts, variant="rules"), cases)
    assert {deviation.state for deviation in by_rules.deviations} == (
        {"active"} if severity == "error" else set()
    )
    server.remove(tuple(picket(server, known=seen.facts, variant="rules").contents))
    by_lua = run(server, picket(server, known=seen.facts, variant="lua"), cases)
    assert not by_lua.deviations, by_lua.report()
