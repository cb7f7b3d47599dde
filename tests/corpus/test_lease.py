# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease on both servers: exact to the millisecond at both ends, on one process, and nobody does anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from piquet.answers import BYPASS_COOKIE
from piquet.fleet.model import Variant

from .cases import Case
from .client import Wire
from .conftest import Planter
from .kinds import Provider
from .picket import SECRET, Picket, ms, picket
from .runner import Item, ask, items
from .servers import Server

DAY = datetime(2026, 12, 16, 23, tzinfo=UTC)
WINDOWS = {
    "one day": [(DAY, DAY + timedelta(days=1))],
    "one second": [(DAY, DAY + timedelta(seconds=1))],
    "eight days": [(DAY, DAY + timedelta(days=8))],
    "an odd minute": [(DAY + timedelta(seconds=1999), DAY + timedelta(seconds=2061))],
    "nine digits to ten": [
        (datetime(2001, 9, 9, 1, 46, 30, tzinfo=UTC), datetime(2001, 9, 9, 1, 46, 50, tzinfo=UTC))
    ],
    "ten digits to eleven": [
        (datetime(2286, 11, 20, 17, 46, 30, tzinfo=UTC), datetime(2286, 11, 20, 17, 46, 50, tzinfo=UTC))
    ],
    "two that touch": [(DAY, DAY + timedelta(hours=1)), (DAY + timedelta(hours=1), DAY + timedelta(hours=2))],
    "two with a second between": [
        (DAY, DAY + timedelta(hours=1)),
        (DAY + timedelta(hours=1, seconds=1), DAY + timedelta(hours=2)),
    ],
}
DIGITS_GROW_MS = (999_999_999_999, 1_000_000_000_000, 9_999_999_999_999, 10_000_000_000_000)
CASES = (
    Case("GET", "/"),
    Case("GET", "/", (("X-Piquet-At", f"t={int(DAY.timestamp())}000000"),)),
    Case("GET", "/", (("X-Piquet-At", "t=0"),)),
    Case("GET", "/.well-known/piquet.json"),
    Case("GET", "/", (("Cookie", f"{BYPASS_COOKIE}={SECRET}"),)),
)


def instants(windows: list[tuple[datetime, datetime]]) -> list[int]:
    """Milliseconds since the epoch: both ends of every window, the inside, far away, numbers of the same digits."""
    found = {1000, *DIGITS_GROW_MS}
    for start, end in windows:
        first, last = ms(start), ms(end)
        found |= {first - 1, first, first + 1, (first + last) // 2, last - 1, last, last + 1}
        found |= {first - 60_000, last + 60_000, first + 86_400_000 * 100, first // 10}
    return sorted(found)


@pytest.mark.parametrize(
    ("provider", "variant"), [("nginx", "include"), ("nginx", "lua"), ("apache", "rules"), ("apache", "lua")]
)
@pytest.mark.parametrize("name", WINDOWS)
def test_the_window_is_exact_on_one_running_process(
    provider: Provider, variant: Variant, name: str, planted: Planter
) -> None:
    """`[start, end)` holds at every instant, in whatever order they come, without a reload."""
    server = planted(provider, "static", lua=variant == "lua")
    strike = picket(server, *WINDOWS[name], variant=variant)
    forth = instants(WINDOWS[name])
    visited = [*forth, *reversed(forth)]
    unhooked = visit(server, visited)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    hooked = visit(server, visited)
    assert wrong(strike, visited, unhooked, hooked) == []
    shown = {
        at
        for at, answers in zip(visited, hooked, strict=True)
        if b"X-Piquet: " in next(iter(answers.values())).received
    }
    assert shown == {at for at in forth if strike.phase_at(at)}


def visit(server: Server, visited: list[int]) -> list[dict[Item, Wire]]:
    """The answers at each instant, all of one process."""
    answers: list[dict[Item, Wire]] = []
    with server.serving():
        for at in visited:
            server.chroot.set_clock(at)
            answers.append({item: ask(server, item.ask, item.case) for item in items(server.kinds, CASES)})
    return answers


def wrong(
    strike: Picket, visited: list[int], unhooked: list[dict[Item, Wire]], hooked: list[dict[Item, Wire]]
) -> list[str]:
    """Answers that are not what the table says for their instant."""
    found = []
    for at, usual, got in zip(visited, unhooked, hooked, strict=True):
        for item, wire in got.items():
            reason = strike.deviation(item.ask, item.case, wire, usual[item], None, at)
            found += [f"at {at} ms: {item}: {reason}"] if reason else []
    return found
