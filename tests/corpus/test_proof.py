# SPDX-License-Identifier: GPL-3.0-or-later
"""A server shows whether it sees our files: by a secret address before everything else, and by a word that it repeats.

On real servers of every way, over kinds that answer in every phase of a request.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace

import pytest

from piquet import answers
from piquet.bundle import seal
from piquet.fleet.model import Variant
from piquet.protocol.http import ASSET_PREFIX, NONCE_HEADER, PROOF_PREFIX
from tests.corpus.release_cases import CASES, STATELESS, VARIANTS

from .cases import Case
from .client import Wire, parse
from .conftest import Planter
from .kinds import Provider
from .picket import CAMPAIGN, KEY, Picket, picket
from .runner import Item, ask, items
from .servers import Server

WORD, OTHER = "0123456789abcdef" * 2, "f" * 32
DOORS = {"door": "/robots.txt", "occupied": "/", "asset": f"{ASSET_PREFIX}strike.css"}
WAYS = pytest.mark.parametrize(("provider", "variant"), VARIANTS)


def proving(word: str) -> tuple[Case, ...]:
    """The address with a word, by every method and from an open network too."""
    path = PROOF_PREFIX + word
    methods = tuple(Case(method, path) for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"))
    return (*methods, Case("GET", path, source="127.0.0.9"))


def beside(word: str) -> tuple[Case, ...]:
    """What is not the address."""
    path = PROOF_PREFIX + word
    others = (
        f"{path}/",
        f"{path}?x",
        f"{path}0",
        path[:-1],
        path[:-1] + "F",
        f"/x{path}",
        f"{path[:-33]}/../{word}",
    )
    return tuple(Case("GET", other) for other in others)


def naming(word: str, cases: Iterable[Case] = CASES) -> tuple[Case, ...]:
    """The same requests with a word to repeat."""
    return tuple(replace(case, headers=(*case.headers, (NONCE_HEADER, word))) for case in cases)


def get(server: Server, cases: Iterable[Case]) -> dict[Item, Wire]:
    """What all kinds answer now."""
    return {item: ask(server, item.ask, item.case) for item in items(server.kinds, tuple(cases))}


def make(server: Server, word: str = WORD) -> None:
    """What `piquet-host arm` makes."""
    folder = server.chroot.path("/run/piquet/proof")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    for name in (word, f"{word}-{seal(KEY, CAMPAIGN)}"):
        (folder / name).touch(0o644)


def end(server: Server) -> None:
    """What it does right afterwards."""
    shutil.rmtree(server.chroot.path("/run/piquet/proof"))


def set_up(provider: Provider, variant: Variant, planted: Planter, *kinds: str) -> tuple[Server, Picket]:
    """A server with some kinds, nothing of ours in it yet."""
    server = planted(provider, *kinds, lua=(provider, variant) == ("nginx", "lua"))
    return server, picket(server, variant=variant)


def states(server: Server, strike: Picket) -> Iterable[str]:
    """Staged; inside a window that nobody armed; armed in it; behind its end."""
    server.chroot.set_clock(strike.before_ms)
    yield "staged"
    server.chroot.set_clock(strike.inside_ms)
    yield "inside, not armed"
    server.make_flags(strike.keys)
    yield "inside, armed"
    server.chroot.set_clock(strike.after_ms)
    yield "after"


def faults(strike: Picket, got: dict[Item, Wire]) -> list[str]:
    """Answers to the address that are not its row of the table."""
    wrong = []
    for item, wire in got.items():
        response, asked = parse(wire.received), item.case
        request = answers.SiteRequest(asked.method, asked.target, item.ask.host)
        row = answers.expect(strike.campaign, None, request, None, (), (WORD,))
        said = (
            {name: response.values(name.lower()) for name in (*row.headers, *row.absent)} if response else {}
        )
        must = {**{name: [value] for name, value in row.headers.items()}, **{name: [] for name in row.absent}}
        if response is None or (response.status, response.body, said) != (204, b"", must):
            wrong.append(f"{item}: {wire.received!r}")
    return wrong


@WAYS
def test_every_site_proves_that_it_sees_the_file(
    provider: Provider, variant: Variant, planted: Planter
) -> None:
    """While the file is there, whatever the hour, the flag, the door and the site's own rules; of no other word."""
    server, strike = set_up(provider, variant, planted, *STATELESS[provider])
    strike.hook(server)
    strike.stage(server)
    wrong = {}
    with server.serving():
        for state in states(server, strike):
            make(server)
            asked = get(server, proving(WORD)).items()
            wrong[state] = faults(
                strike, {item: wire for item, wire in asked if strike.is_selected(item.ask.host)}
            )
            others = get(server, (*proving(OTHER), *beside(WORD)))
            wrong[state] += [str(item) for item, wire in others.items() if b"/proof\r\n" in wire.received]
            end(server)
    assert {state: found for state, found in wrong.items() if found} == {}


@WAYS
def test_without_the_file_nothing_is_changed(provider: Provider, variant: Variant, planted: Planter) -> None:
    """Byte-identical outside of the window, in one that nobody armed and behind it; inside, what the window shows."""
    server, strike = set_up(provider, variant, planted, *STATELESS[provider])
    cases = (*proving(WORD), *beside(WORD), *naming(WORD))
    usual = {}
    with server.serving():
        for name in ("before", "inside", "after"):
            server.chroot.set_clock(getattr(strike, f"{name}_ms"))
            usual[name] = get(server, cases)
    strike.hook(server)
    strike.stage(server)
    make(server, OTHER)
    found = {}
    with server.serving():
        for state in states(server, strike):
            found[state] = get(server, cases)
    assert found["staged"] == usual["before"]
    assert found["inside, not armed"] == usual["inside"]
    assert found["after"] == usual["after"]
    wrong = [
        f"{item}: {reason[0]}"
        for item, wire in found["inside, armed"].items()
        if (reason := strike.deviation(item.ask, item.case, wire, usual["inside"][item], None))
    ]
    assert wrong == []


@WAYS
def test_only_answers_of_ours_repeat_a_word_whose_file_is_there(
    provider: Provider, variant: Variant, planted: Planter
) -> None:
    """Strike page, what this is, assets and links do; a door, another word and the site never."""
    server, strike = set_up(provider, variant, planted, *STATELESS[provider])
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    header = f"\r\n{NONCE_HEADER}: {WORD}\r\n".lower().encode()
    own = (*CASES, *(Case("GET", path) for path in DOORS.values()))
    wrong, repeated = [], 0
    make(server)
    with server.serving():
        for at_ms in (strike.inside_ms, strike.after_ms):
            server.chroot.set_clock(at_ms)
            for item, wire in get(
                server, (*naming(WORD, own), *naming(OTHER), *naming(WORD.upper()))
            ).items():
                head = wire.received.lower().partition(b"\r\n\r\n")[0] + b"\r\n"
                is_ours = b"\r\nx-piquet: " in head
                is_named = any(value == WORD for _, value in item.case.headers)
                wrong += [f"{at_ms} {item}"] if (header in head) != (is_ours and is_named) else []
                repeated += header in head
    assert wrong == []
    assert repeated >= len(server.kinds)
