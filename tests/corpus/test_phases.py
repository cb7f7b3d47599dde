# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites that take part in some phases only, and rehearsals: who sees which phase, and when nobody does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from piquet.answers import REHEARSAL_COOKIE
from piquet.fleet.model import Variant
from piquet.host.state import rehearsal_tokens
from piquet.protocol.http import REHEARSAL_PREFIX

from .cases import Case
from .client import parse
from .conftest import Planter
from .kinds import Provider
from .picket import DEFAULT_WINDOW, Picket, ms, picket
from .runner import ask, items
from .servers import Server

WAYS: list[tuple[Provider, Variant]] = [("nginx", "include"), ("nginx", "lua")]
SECRET_WORD = "0123456789abcdef" * 2
HOUR = timedelta(hours=1)
START = DEFAULT_WINDOW[0]
WINDOWS = [(START + n * 2 * HOUR, START + (n * 2 + 1) * HOUR) for n in range(3)]
MODES = ("banner", "block", "occupy")


@pytest.fixture(params=WAYS, ids=lambda way: "-".join(way))
def staged(request: pytest.FixtureRequest, planted: Planter) -> Iterator[tuple[Server, Picket]]:
    """Banner, block and occupy, an hour each with an hour between; `proxy` takes part in the banner only."""
    provider, variant = request.param
    server = planted(provider, "static", "proxy", lua=variant == "lua")
    proxy = "proxy.corpus.example" if provider == "nginx" else "proxy-pass.corpus.example"
    strike = picket(server, *WINDOWS, modes=MODES, variant=variant, shares={proxy: (1,)})
    strike.hook(server)
    strike.stage(server)
    yield server, strike


def seen(
    server: Server, at: datetime, target: str, headers: tuple[tuple[str, str], ...] = ()
) -> dict[str, str]:
    """Kind → our sign on its answer, `banner` for a page with one, else its status."""
    found = {}
    server.chroot.set_clock(ms(at))
    for item in items(server.kinds, (Case("GET", target, headers),)):
        wire = ask(server, item.ask, item.case)
        response = parse(wire.received)
        assert response, wire
        sign = "".join(response.values("x-piquet")).partition("/")[2]
        is_bannered = b" data-piquet=" in response.body
        found[item.kind] = sign or ("banner" if is_bannered else str(response.status))
    return found


def test_a_site_shows_the_phases_that_it_agreed_to(staged: tuple[Server, Picket]) -> None:
    """The banner on both; strike and occupied front page on one."""
    server, strike = staged
    server.make_flags(strike.keys)
    kinds = ("static", "proxy")
    with server.serving():
        shown = [seen(server, start, "/page/plain") for start, _ in WINDOWS]
        assert [row["proxy"] for row in shown] == ["banner", "200", "200"]
        assert [row["static"] for row in shown] == ["404", "2/block", "404"]
        fronts = [seen(server, start, "/") for start, _ in WINDOWS]
        assert [row["static"] for row in fronts] == ["banner", "2/block", "3/occupy"]
        about = [seen(server, start, "/.well-known/piquet.json") for start, _ in WINDOWS]
        assert [[row[kind] for kind in kinds] for row in about] == [
            ["1/banner", "1/banner"],
            ["2/block", "200"],
            ["3/occupy", "200"],
        ]


def word_at(number: int, at: datetime) -> str:
    """What a rehearsal of a phase that begins at an instant is called."""
    seconds = int(at.timestamp())
    return f"{number}-{SECRET_WORD}{rehearsal_tokens.moments(seconds, rehearsal_tokens.until(seconds))}"


def test_a_rehearsal_is_for_its_holder_alone(staged: tuple[Server, Picket]) -> None:
    """Before the start and between the windows, armed or not; never without the file, never instead of a window."""
    server, strike = staged
    early, between, inside = START - HOUR, WINDOWS[0][1], WINDOWS[1][0]
    with server.serving():
        for number, expected in ((1, "banner"), (2, "2/block"), (3, "3/occupy")):
            for at in (early, between):
                word = word_at(number, at)
                holder = (("Cookie", f"a=b; {REHEARSAL_COOKIE}={word}"),)
                usual = seen(server, at, "/")
                assert seen(server, at, "/", holder) == usual
                server.chroot.write(f"/run/piquet/rehearse/{word}", b"")
                assert seen(server, at, "/", holder)["static"] == expected
                assert seen(server, at, "/") == usual
                assert seen(server, at, "/", (("Cookie", f"{REHEARSAL_COOKIE}={word}0"),)) == usual
                assert seen(server, at, "/page/plain", holder)["proxy"] == (
                    "banner" if number == 1 else "200"
                )
                server.chroot.path(f"/run/piquet/rehearse/{word}").unlink()
                assert seen(server, at, "/", holder) == usual
        server.make_flags(strike.keys)
        assert seen(server, inside, "/", holder)["static"] == "2/block"


def test_the_link_of_a_rehearsal(staged: tuple[Server, Picket]) -> None:
    """It sets the cookie and leads to the front page, on sites that take part, while its file is there."""
    server, _ = staged
    word = word_at(2, START - HOUR)
    link = REHEARSAL_PREFIX + word
    with server.serving():
        server.chroot.set_clock(ms(START - HOUR))
        usual = seen(server, START - HOUR, link)
        server.chroot.write(f"/run/piquet/rehearse/{word}", b"")
        assert seen(server, START - HOUR, link) == {"static": "2/block", "proxy": usual["proxy"]}
        assert seen(server, START - HOUR, link + "?x") == usual
        (item,) = (i for i in items(server.kinds, (Case("GET", link),)) if i.kind == "static")
        response = parse(ask(server, item.ask, item.case).received)
        assert response
        assert response.status == 303
        assert response.values("location") == ["/"]
        assert response.values("set-cookie") == [
            f"{REHEARSAL_COOKIE}={word}; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax"
        ]
