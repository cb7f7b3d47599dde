# SPDX-License-Identifier: GPL-3.0-or-later
"""One question through all states of one server, for tests whose question is more than a request and an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .picket import Picket
from .servers import Server

T = TypeVar("T")


def through(server: Server, strike: Picket, question: Callable[[], T]) -> dict[str, T]:
    """What a question gives without us at each instant (`unhooked …`), then in every state of the runner.

    Each time on a server started afresh.
    """
    before, inside, after = strike.before_ms, strike.inside_ms, strike.after_ms
    given = {
        f"unhooked {name}": _at(server, instant, question)
        for name, instant in (("before", before), ("inside", inside), ("after", after))
    }
    strike.hook(server)
    strike.stage(server)
    given["staged"] = _at(server, before, question)
    server.make_flags(strike.keys)
    given["armed"] = _at(server, before, question)
    given["active"] = _at(server, inside, question)
    given["after"] = _at(server, after, question)
    server.drop_flags()
    given["released"] = _at(server, inside, question)
    return given


def check(given: dict[str, T]) -> T:
    """In every state but `active` as without us at that instant; returns what `active` gave."""
    before, inside, after = (given[f"unhooked {name}"] for name in ("before", "inside", "after"))
    assert given["staged"] == before
    assert given["armed"] == before
    assert given["after"] == after
    assert given["released"] == inside
    return given["active"]


def _at(server: Server, at_ms: int, question: Callable[[], T]) -> T:
    server.chroot.set_clock(at_ms)
    with server.serving():
        return question()
