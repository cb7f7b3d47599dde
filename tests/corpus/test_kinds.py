# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds are enough, they are what their comments say, and asking them twice gives the same bytes."""

from __future__ import annotations

import re

import pytest

from .cases import standard
from .conftest import Planter
from .kinds import Provider, load
from .picket import SECRET
from .runner import differences, items, record

AT_MS = 1_797_000_000_999


@pytest.mark.parametrize(("provider", "least"), [("nginx", 12), ("apache", 10)])
def test_there_are_enough_kinds_and_each_is_planted_as_it_says(
    provider: Provider, least: int, planted: Planter
) -> None:
    """No placeholder is left over, every selected name is asked, and the server takes them all."""
    server = planted(provider)
    assert len([kind for kind in server.kinds if kind.sites]) >= least
    for path in server.vhost_files():
        assert not re.search(rb"@[A-Z]+@", path.read_bytes()), path
    for kind in server.kinds:
        asked = {way.host for way in kind.asks}
        assert all(name.startswith("*.") or name in asked for name in kind.sites), kind.name
    assert server.test() == ""


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_the_same_server_twice_gives_the_same_bytes(provider: Provider, planted: Planter) -> None:
    """The control: without it, a difference between hooked and unhooked would say nothing."""
    server = planted(provider)
    asked = items(load(provider), standard((), SECRET, "piquet_bypass"))
    server.chroot.set_clock(AT_MS)
    first, second = record(server, asked), record(server, asked)
    assert [str(deviation) for deviation in differences("unhooked", first, second)] == []
    assert [str(item) for item, wire in first.items() if wire.ended == "timeout"] == []


def test_the_box_has_its_own_clock(planted: Planter) -> None:
    """Both servers show the instant that was set, and move on with it."""
    for provider in ("nginx", "apache"):
        server = planted(provider, "static")
        asked = items(server.kinds, standard((), SECRET, "piquet_bypass")[:1])
        server.chroot.set_clock(AT_MS)
        before = record(server, asked)[asked[0]].received
        server.chroot.set_clock(AT_MS + 1)
        after = record(server, asked)[asked[0]].received
        assert b"\r\nDate: Fri, 11 Dec 2026 14:40:00 GMT\r\n" in before
        assert b"\r\nDate: Fri, 11 Dec 2026 14:40:01 GMT\r\n" in after
