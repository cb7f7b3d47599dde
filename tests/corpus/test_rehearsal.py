# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal on real servers: the agent's own pass, piquet's own configuration, and who does not know the secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from piquet import answers
from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from piquet.host.state import rehearsal_tokens
from piquet.host.system.paths import Paths
from piquet.protocol.http import REHEARSAL_PREFIX
from tests.corpus.rehearsal_words import issue
from tests.corpus.release_cases import CASES, STATELESS, VARIANTS

from .cases import Case
from .client import Wire, parse
from .conftest import Planter
from .kinds import Provider
from .picket import DEFAULT_WINDOW, Picket, picket
from .runner import Item, ask, items
from .servers import Server

BEFORE, INSIDE = (int(DEFAULT_WINDOW[0].timestamp()) - shift for shift in (1, 0))


def unknown(at: int) -> str:
    """A word that nobody has made, for the same time as one that is made at an instant; as long as that."""
    return f"1-{'f' * 32}{rehearsal_tokens.moments(at, rehearsal_tokens.until(at))}"


UNKNOWN = unknown(BEFORE)
WAYS = pytest.mark.parametrize(
    ("provider", "variant", "mode"),
    [
        ("nginx", "include", "block"),
        ("nginx", "include", "occupy"),
        ("nginx", "include", "banner"),
        ("nginx", "lua", "block"),
        ("nginx", "lua", "occupy"),
        ("nginx", "lua", "banner"),
        ("apache", "rules", "block"),
        ("apache", "rules", "banner"),
        ("apache", "lua", "block"),
        ("apache", "lua", "occupy"),
        ("apache", "lua", "banner"),
    ],
)
PROVIDERS = pytest.mark.parametrize("provider", ["nginx", "apache"])


def holding(word: str, cases: Iterable[Case] = CASES) -> tuple[Case, ...]:
    """The same requests by somebody with a cookie."""
    cookie = ("Cookie", f"other=1; {answers.REHEARSAL_COOKIE}={word}")
    return tuple(replace(case, headers=(*case.headers, cookie)) for case in cases)


def opening(word: str) -> tuple[Case, ...]:
    """The link, as it is told and as it is not."""
    link = REHEARSAL_PREFIX + word
    return tuple(Case(method, path) for method, path in (("GET", link), ("POST", link), ("GET", f"{link}/")))


def get(server: Server, cases: Iterable[Case]) -> dict[Item, Wire]:
    """What all kinds answer now."""
    return {item: ask(server, item.ask, item.case) for item in items(server.kinds, tuple(cases))}


def end(server: Server) -> None:
    """What `piquet-host rehearse --end` does."""
    assert rehearsal_tokens.clear(Paths(str(server.chroot.root)))


def as_stranger(got: dict[Item, Wire], word: str, stranger: str = UNKNOWN) -> dict[Item, Wire]:
    """Answers to a holder as if the unknown cookie had been sent, which an application may repeat."""
    found = {}
    for item, wire in got.items():
        headers = tuple((name, value.replace(word, stranger)) for name, value in item.case.headers)
        received = wire.received.replace(word.encode(), stranger.encode())
        found[replace(item, case=replace(item.case, headers=headers))] = replace(wire, received=received)
    return found


def wrong(strike: Picket, got: dict[Item, Wire], as_usual: dict[Item, Wire]) -> list[str]:
    """Answers to a holder that are not what the window will show."""
    found = []
    for item, wire in got.items():
        deviation = strike.deviation(item.ask, item.case, wire, as_usual[item], None, strike.inside_ms)
        found += [f"{item}: {deviation[0]}"] if deviation else []
    return found


def is_ours(wire: Wire) -> bool:
    """Our header, or the mark of a banner."""
    return b"\r\nX-Piquet: " in wire.received or b" data-piquet=" in wire.received


@WAYS
def test_only_who_holds_the_pass_sees_the_strike(
    provider: Provider, variant: Variant, mode: Mode, planted: Planter
) -> None:
    """Before it, beside it and after it every answer is byte-identical, also to an unknown cookie or link."""
    server = planted(provider, *STATELESS[provider], lua=(provider, variant) == ("nginx", "lua"))
    strike = picket(server, variant=variant, mode=mode)
    strangers = (
        *CASES,
        *holding(UNKNOWN),
        *opening(UNKNOWN),
        *holding(""),
        *holding("1-"),
        *holding("../live"),
    )
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        as_usual = get(server, strangers)
    strike.hook(server)
    strike.stage(server)
    with server.serving():
        assert get(server, strangers) == as_usual, "staged, nothing rehearsed"
        for _ in range(2):
            word = issue(server, strike.before_ms)
            assert get(server, strangers) == as_usual, "rehearsed by somebody else"
            got = as_stranger(get(server, holding(word)), word)
            assert wrong(strike, got, as_usual) == []
            assert any(is_ours(wire) for wire in got.values()), "the holder sees nothing"
            end(server)
            again = as_stranger(get(server, holding(word)), word)
            assert again == {item: as_usual[item] for item in again}, "ended"


@WAYS
def test_the_link_gives_the_cookie_while_the_pass_is_there(
    provider: Provider, variant: Variant, mode: Mode, planted: Planter
) -> None:
    """303 to the front page with exactly that cookie; in any other form, and afterwards, the site answers."""
    server = planted(provider, *STATELESS[provider], lua=(provider, variant) == ("nginx", "lua"))
    strike = picket(server, variant=variant, mode=mode)
    strike.hook(server)
    strike.stage(server)
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        word = issue(server, strike.before_ms)
        for item, wire in get(server, opening(word)).items():
            response = parse(wire.received)
            assert response is not None
            cookies = [v for v in response.values("set-cookie") if answers.REHEARSAL_COOKIE in v]
            if item.case.method == "GET" and item.case.target.endswith(word):
                places = [value.rpartition("/")[2] for value in response.values("location")]
                assert (response.status, places, cookies) == (303, [""], [answers.rehearsal_cookie(word)]), (
                    item
                )
            else:
                assert cookies == [], item
        end(server)
        assert not [
            item for item, wire in get(server, opening(word)).items() if b"piquet_rehearsal" in wire.received
        ]


@PROVIDERS
def test_half_an_hour_is_enough(provider: Provider, planted: Planter) -> None:
    """What the timer does once it is over: the same process answers as usual at the next request."""
    server = planted(provider, "static")
    strike = picket(server)
    strike.hook(server)
    strike.stage(server)
    paths, now = Paths(str(server.chroot.root)), strike.before_ms / 1000
    server.chroot.set_clock(strike.before_ms)
    with server.serving():
        word = issue(server, strike.before_ms)
        assert not rehearsal_tokens.sweep_tokens(paths, now + rehearsal_tokens.LIFE_S - 61)
        (shown,) = set(_are_ours(server, word))
        assert rehearsal_tokens.sweep_tokens(paths, now + rehearsal_tokens.LIFE_S)
        (gone,) = set(_are_ours(server, word))
        assert (shown, gone) == (True, False)


# Seconds at which a pass may be made: some in the middle, and where tens, hundreds or thousands of seconds roll over
# at one of its ends.
MADE_AT = (
    1797460440,
    1797460199,
    1797460200,
    1797460999,
    1797461000,
    1797469999,
    1797399999,
    1797460260,
    1797461100,
)


@pytest.mark.parametrize(("provider", "variant"), VARIANTS)
@pytest.mark.parametrize("mode", ["block", "banner"])
def test_a_pass_ends_by_itself(provider: Provider, variant: Variant, mode: Mode, planted: Planter) -> None:
    """Nobody is awake on the host, and its file stays: shown up to the last millisecond, as usual from the end on."""
    server = planted(provider, "static", lua=(provider, variant) == ("nginx", "lua"))
    window = (datetime(2026, 12, 20, tzinfo=UTC), datetime(2026, 12, 21, tzinfo=UTC))
    strike = picket(server, window, variant=variant, mode=mode)
    strike.hook(server)
    strike.stage(server)
    wrong = []
    with server.serving():
        for made_at in MADE_AT:
            word, until = issue(server, made_at * 1000), rehearsal_tokens.until(made_at)
            assert 1740 < until - made_at <= rehearsal_tokens.LIFE_S
            for at_ms, wanted in (
                (made_at * 1000, True),
                ((made_at + until) * 500, True),
                (until * 1000 - 1, True),
                (until * 1000, False),
                (until * 1000 + 999_999, False),
                (until * 1000 + 7_200_000, False),
                ((made_at - 1000) * 1000, False),
            ):
                server.chroot.set_clock(at_ms)
                asked = [
                    any(map(is_ours, get(server, part).values())) for part in (holding(word), opening(word))
                ]
                wrong += [(made_at, at_ms, asked)] if asked != [wanted, wanted] else []
            end(server)
    assert wrong == []


def _are_ours(server: Server, word: str) -> list[bool]:
    return [b"X-Piquet: " in wire.received for wire in get(server, holding(word)).values()]


@WAYS
def test_in_a_window_that_nobody_armed_there_is_no_rehearsal(
    provider: Provider, variant: Variant, mode: Mode, planted: Planter
) -> None:
    """Neither the cookie nor the link does anything: whoever holds them sees what everybody sees, the site."""
    server = planted(provider, "static", lua=(provider, variant) == ("nginx", "lua"))
    strike = picket(server, variant=variant, mode=mode)
    server.chroot.set_clock(strike.inside_ms)
    stranger = unknown(INSIDE)
    with server.serving():
        as_usual = get(server, (*holding(stranger), *opening(stranger)))
    strike.hook(server)
    strike.stage(server)
    with server.serving():
        word = issue(server, strike.inside_ms)
        got = as_stranger(get(server, (*holding(word), *opening(word))), word, stranger)
        assert [item for item, wire in got.items() if is_ours(wire)] == []
        held = {item: wire for item, wire in got.items() if item in as_usual}
        assert held == {item: as_usual[item] for item in held}
        assert len(held) >= len(CASES)


@PROVIDERS
def test_in_the_window_everybody_sees_the_strike(provider: Provider, planted: Planter) -> None:
    """Armed and rehearsed at once: the flag counts for all; behind the end nobody sees anything without a pass."""
    server = planted(provider, "static")
    strike = picket(server)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        word = issue(server, strike.inside_ms)
        for asked in (CASES, holding(word), holding(UNKNOWN)):
            assert {b"X-Piquet: " in wire.received for wire in get(server, asked).values()} == {True}
        server.chroot.set_clock(strike.after_ms)
        assert {b"X-Piquet: " in wire.received for wire in get(server, CASES).values()} == {False}
