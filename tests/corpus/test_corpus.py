# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise on real servers: byte-identical whenever we do not act, the table of answers whenever we do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from piquet.answers import BYPASS_COOKIE
from piquet.host.servers.nginx import hook_line
from tests.figures import note

from .cases import full, standard
from .conftest import Planter
from .kinds import Provider
from .picket import SECRET, own_addresses, picket
from .runner import Tally, run

Count = Callable[[str, Tally], None]


@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_every_kind_in_every_state(
    provider: Provider, planted: Planter, count: Count, request: pytest.FixtureRequest
) -> None:
    """Staged, armed, released and after: identical. Active, from the first instant on: every row of the table."""
    server = planted(provider)
    owners = {path: path.read_bytes() for path in server.vhost_files()}
    strike = picket(server)
    is_long = request.config.getoption("--long")
    cases = standard(own_addresses(strike.files), SECRET, BYPASS_COOKIE)
    tally = run(server, strike, cases, share=1 if is_long else 2)
    count(provider, tally)
    if not is_long:  # there the full matrix is noted
        _note(provider, tally)
    assert not tally.deviations, tally.report()
    strike.withdraw(server)
    assert {path: path.read_bytes() for path in server.vhost_files()} == owners


@pytest.mark.long
@pytest.mark.parametrize("provider", ["nginx", "apache"])
def test_every_kind_every_method_every_address(provider: Provider, planted: Planter, count: Count) -> None:
    """The full matrix: eight methods for every address, with and without the bypass."""
    server = planted(provider)
    strike = picket(server)
    tally = run(server, strike, full(own_addresses(strike.files), SECRET, BYPASS_COOKIE))
    count(f"{provider}, full", tally)
    _note(provider, tally)
    assert not tally.deviations, tally.report()


def _note(provider: Provider, tally: Tally) -> None:
    for row in tally.rows(provider):
        note("corpus", **row)


def test_the_line_is_the_first_thing_in_every_block(planted: Planter) -> None:
    """Each hooked file still passes nginx's test, holds the line once per server block, and comes back exactly.

    A block in which its owner has put it gets no other.
    """
    server = planted("nginx")
    owners = {path: path.read_bytes() for path in server.vhost_files()}
    picket(server).hook(server)
    hooked = {path: path.read_bytes() for path in server.vhost_files()}
    for path, text in hooked.items():
        unhooked = owners[path].count(b"server_name ") - owners[path].count(hook_line.INCLUDE.encode())
        assert text.count(hook_line.line()) == unhooked, path.name
        assert hook_line.remove_hook(text) == owners[path], path.name
    assert server.test() == ""
