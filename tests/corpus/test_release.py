# SPDX-License-Identifier: GPL-3.0-or-later
"""Inside the window, on one running process: any one thing releases, at the next request, and without a reload."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from tests.corpus.release_cases import CASES, STATELESS, VARIANTS

from .client import Wire
from .conftest import Planter
from .kinds import Provider
from .picket import WWW, Picket, picket
from .runner import Item, ask, items
from .servers import Server


def unlink_flags(server: Server, keys: tuple[str, ...]) -> None:
    """Delete the flags one by one; the folder and `live` stay."""
    for key in keys:
        server.chroot.path(f"/run/piquet/live/{key}").unlink()


WAYS: dict[str, Callable[[Server, Picket], None]] = {
    "live unlinked": lambda server, _: server.drop_flags(),
    "every flag unlinked": lambda server, strike: unlink_flags(server, strike.keys),
    "/run/piquet gone": lambda server, _: shutil.rmtree(server.chroot.path("/run/piquet")),
    "the end": lambda server, strike: server.chroot.set_clock(strike.after_ms),
}


@pytest.mark.parametrize(("provider", "variant"), VARIANTS)
@pytest.mark.parametrize("way", WAYS)
def test_one_thing_releases_at_once(provider: Provider, variant: Variant, way: str, planted: Planter) -> None:
    """Shown before, as without us at the very next request after."""
    server = planted(provider, *STATELESS[provider], lua=variant == "lua")
    strike = picket(server, variant=variant)
    server.chroot.set_clock(strike.after_ms if way == "the end" else strike.inside_ms)
    with server.serving():
        unhooked = answers(server)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        assert {
            b" 503 " in wire.received[:14] or b"X-Piquet: " in wire.received
            for wire in answers(server).values()
        } == {True}
        WAYS[way](server, strike)
        assert answers(server) == unhooked


@pytest.mark.parametrize(("provider", "variant"), VARIANTS)
def test_one_flag_releases_its_own_entry_only(provider: Provider, variant: Variant, planted: Planter) -> None:
    """A wildcard's flag is not that of the name above it, nor of any other site."""
    server = planted(provider, "static", "wildcard", lua=variant == "lua")
    strike = picket(server, variant=variant)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        shown = blocked(server)
        server.chroot.path("/run/piquet/live/_.wildcard.corpus.example").unlink()
        assert shown - blocked(server) == {"one.wildcard.corpus.example", "deep.two.wildcard.corpus.example"}
        server.chroot.path("/run/piquet/live/static.corpus.example").unlink()
        assert blocked(server) == {"wildcard.corpus.example"}


@pytest.mark.parametrize(("provider", "variant"), VARIANTS)
def test_nobody_meets_an_error_page_when_our_configuration_is_deleted(
    provider: Provider, variant: Variant, planted: Planter
) -> None:
    """`rm -rf /etc/piquet`: until the next look of the agent, or the next reload, the strike is shown as it was."""
    server = planted(provider, *STATELESS[provider], lua=variant == "lua")
    strike = picket(server, variant=variant)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        shown = answers(server)
        shutil.rmtree(server.chroot.path("/etc/piquet"))
        assert shown == answers(server)


def test_open_file_cache_of_the_owner_delays_a_flag_but_not_the_end(planted: Planter) -> None:
    """Why survey reports it: a removed flag can be seen late there. The lease ends on time all the same."""
    server = planted("nginx", "open-file-cache")
    strike = picket(server)
    server.chroot.set_clock(strike.after_ms)
    with server.serving():
        unhooked = answers(server)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        assert blocked(server) == {"open-file-cache.corpus.example"}
        server.drop_flags()
        assert blocked(server) == {"open-file-cache.corpus.example"}
        server.chroot.set_clock(strike.after_ms)
        assert answers(server) == unhooked


def answers(server: Server) -> dict[Item, Wire]:
    """What all kinds answer now."""
    return {item: ask(server, item.ask, item.case) for item in items(server.kinds, CASES)}


def blocked(server: Server) -> set[str]:
    """Names that show the strike now."""
    return {item.ask.host for item, wire in answers(server).items() if b"X-Piquet: " in wire.received}


@pytest.mark.parametrize("mode", ["block", "occupy"])
@pytest.mark.parametrize("variant", ["include", "lua"])
def test_a_page_that_is_gone_is_a_plain_answer(variant: Variant, mode: Mode, planted: Planter) -> None:
    """Somebody deleted our pages: a bare 503, or the site as usual; never another error, and it ends on time."""
    server = planted("nginx", *STATELESS["nginx"], lua=variant == "lua")
    strike = picket(server, mode=mode, variant=variant)
    server.chroot.set_clock(strike.after_ms)
    with server.serving():
        unhooked = answers(server)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    shutil.rmtree(server.chroot.path(WWW))
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        statuses = {wire.received[9:12] for wire in answers(server).values()}
        usual = {wire.received[9:12] for wire in unhooked.values()}
        assert statuses <= usual | {b"503"}
        server.chroot.set_clock(strike.after_ms)
        assert answers(server) == unhooked
