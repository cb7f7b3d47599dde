# SPDX-License-Identifier: GPL-3.0-or-later
"""Two wordings of one banner on one server: to sites that will be struck, and to those that show messages only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from piquet.campaign.model import Theme
from piquet.fleet.model import Variant
from piquet.pages.words import words_of

from .cases import Case
from .client import parse
from .conftest import Planter
from .kinds import Provider
from .picket import DEFAULT_WINDOW, ms, picket
from .runner import ask, items

WAYS: list[tuple[Provider, Variant]] = [
    ("nginx", "include"),
    ("nginx", "lua"),
    ("apache", "rules"),
    ("apache", "lua"),
]
START, END = DEFAULT_WINDOW
WINDOWS = [(START, START + timedelta(hours=1)), (START + timedelta(hours=1), START + timedelta(hours=2))]
ALONE, BELOW = "wildcard.corpus.example", "*.wildcard.corpus.example"
HOSTS = {"static.corpus.example": "static.corpus.example", ALONE: ALONE, f"one.{ALONE}": BELOW}
"""Host that is asked → the entry that it falls to."""


_MORE = ({ALONE}, {ALONE, BELOW}, {*HOSTS.values()}, set())


@pytest.mark.parametrize(
    "messages", [{BELOW}, *(pytest.param(more, marks=pytest.mark.long) for more in _MORE)]
)
@pytest.mark.parametrize(("provider", "variant"), WAYS)
def test_each_site_is_told_what_will_become_of_it(
    provider: Provider, variant: Variant, messages: set[str], planted: Planter
) -> None:
    """Exact names, names below a wildcard, all of a host or none: the sentence is true of the site that shows it."""
    server = planted(provider, "static", "wildcard", lua=variant == "lua" and provider == "nginx")
    shares = dict.fromkeys(messages, (1,))
    strike = picket(server, *WINDOWS, modes=("banner", "block"), variant=variant, shares=shares)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    spoken = {name: words_of(name, Theme()).texts for name in ("fr", "en")}
    asked = [item for item in items(server.kinds, _CASES) if item.ask.host in HOSTS]
    with server.serving():
        for item in asked:
            is_open = HOSTS[item.ask.host] in messages
            texts = spoken[dict(item.case.headers)["Accept-Language"]]
            server.chroot.set_clock(ms(START))
            body = (ask(server, item.ask, item.case)).received.decode("latin-1")
            expected, other = (texts[f"effect_{key}"] for key in ("none", "block"))
            expected, other = (expected, other) if is_open else (other, expected)
            assert (body.count(expected), body.count(other)) == (1, 0), item
            server.chroot.set_clock(ms(WINDOWS[1][0]))
            later = parse(ask(server, item.ask, item.case).received)
            assert later
            assert later.status == (200 if is_open else 503), item


_CASES = tuple(Case("GET", "/pages/traps.html", (("Accept-Language", name),)) for name in ("fr", "en"))
