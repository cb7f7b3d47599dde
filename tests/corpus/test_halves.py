# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx: what we have at http level and what the hook line reads live and die together.

Somebody may take either half away, whole or in part, in any order, and test their own work at once: the configuration
passes its own test, and with one half alone the site is as usual, flags and window notwithstanding.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable

import pytest

from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from piquet.host.servers import complaints
from piquet.host.system.paths import Paths

from .cases import Case
from .conftest import Planter
from .picket import Picket, picket
from .runner import Item, ask, items
from .servers import Server

CASES = (
    Case("GET", "/"),
    Case("POST", "/"),
    Case("GET", "/.well-known/piquet.json"),
    Case("GET", "/nowhere"),
)
KINDS = ("static", "own-headers")
"""Their server blocks have headers, and nothing at all for ours to inherit."""
MAIN = "/etc/nginx/nginx.conf"
DROPIN = "/etc/nginx/conf.d/00-piquet.conf"
HOOK_FILE = "/etc/piquet/nginx/server/piquet.conf"
INCLUDE = "include /etc/nginx/conf.d/*.conf;"


def no_include(server: Server) -> None:
    """The owner's nginx.conf does not read the folder of our drop-in any more."""
    _edit(server, MAIN, lambda text: text.replace(INCLUDE, ""))


def late_include(server: Server) -> None:
    """It reads it behind the server blocks."""
    _edit(server, MAIN, lambda text: text.replace(INCLUDE, "").rstrip().removesuffix("}") + INCLUDE + "\n}\n")


def no_dropin(server: Server) -> None:
    """Our drop-in is deleted."""
    server.chroot.path(DROPIN).unlink()


def renamed_dropin(server: Server) -> None:
    """It is switched off by its name."""
    server.chroot.path(DROPIN).rename(server.chroot.path(DROPIN + ".off"))


def commented_dropin(server: Server) -> None:
    """Its one line is made a comment."""
    _edit(server, DROPIN, lambda text: text.replace("\ninclude ", "\n# include "))


def no_http_folder(server: Server) -> None:
    """What it includes is deleted."""
    shutil.rmtree(server.chroot.path("/etc/piquet/nginx/http"))


def no_hook_file(server: Server) -> None:
    """What the hook line includes is deleted."""
    server.chroot.path(HOOK_FILE).unlink()


def no_server_folder(server: Server) -> None:
    """With its folder."""
    shutil.rmtree(server.chroot.path("/etc/piquet/nginx/server"))


def no_etc(server: Server) -> None:
    """All of ours."""
    shutil.rmtree(server.chroot.path("/etc/piquet"))


HTTP_HALF = (no_include, no_dropin, renamed_dropin, commented_dropin, no_http_folder, no_etc)
SERVER_HALF = (no_hook_file, no_server_folder, no_etc)
Step = Callable[[Server], None]


def _edit(server: Server, path: str, change: Callable[[str], str]) -> None:
    text = server.chroot.path(path).read_text("utf-8")
    changed = change(text)
    assert changed != text, f"{path} has not what this test wants to change"
    server.chroot.path(path).write_text(changed, "utf-8")


def answers(server: Server) -> dict[Item, bytes]:
    """What all kinds answer now."""
    return {item: ask(server, item.ask, item.case).received for item in items(server.kinds, CASES)}


def armed(
    planted: Planter, mode: Mode, variant: Variant, kinds: tuple[str, ...] = KINDS
) -> tuple[Server, Picket, dict[Item, bytes]]:
    """Servers in the window, all flags up, with what they answered before."""
    server = planted("nginx", *kinds, lua=variant == "lua")
    strike = picket(server, mode=mode, variant=variant)
    server.chroot.set_clock(strike.inside_ms)
    with server.serving():
        usual = answers(server)
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    return server, strike, usual


def require_usual(server: Server, usual: dict[Item, bytes], said: str) -> None:
    """It passes its test and nothing of ours is answered."""
    assert server.test() == "", said
    with server.serving():
        assert answers(server) == usual, said


@pytest.mark.parametrize("step", [*HTTP_HALF, *SERVER_HALF[:-1]], ids=lambda step: step.__name__)
@pytest.mark.parametrize(
    ("mode", "variant"),
    [
        ("block", "include"),
        pytest.param("banner", "include", marks=pytest.mark.long),
        pytest.param("block", "lua", marks=pytest.mark.long),
    ],
)
def test_one_half_alone_is_no_error_and_shows_nothing(
    step: Step, mode: Mode, variant: Variant, planted: Planter
) -> None:
    """Whichever half is taken away, and however."""
    if variant == "lua" and step in SERVER_HALF:
        step = no_etc  # Lua has no other half: everything that it needs stands at http level
    server, _, usual = armed(planted, mode, variant)
    step(server)
    require_usual(server, usual, step.__name__)


@pytest.mark.parametrize("step", HTTP_HALF, ids=lambda step: step.__name__)
def test_where_a_site_is_limited_the_test_says_what_is_ours(step: Step, planted: Planter) -> None:
    """The one exception: in the place of the owner's limits stands a zone of ours, which only http level can have.

    Without it our answers would be counted, and a door of that site shut.
    """
    server, _, _ = armed(planted, "block", "include", ("static", "limit-req"))
    step(server)
    if step is no_etc:
        assert server.test() == ""
        return
    told = complaints.first_complaint(server.test(), Paths())
    assert (told.is_ours, told.place) == (True, "")
    assert "remove takes it out again" in told.hint


@pytest.mark.parametrize(
    "mode", ["banner", *(pytest.param(mode, marks=pytest.mark.long) for mode in ("block", "occupy"))]
)
def test_the_halves_are_read_in_any_order(mode: Mode, planted: Planter) -> None:
    """The hook file makes its names known, and whatever defines them wins, before or behind it."""
    server, strike, usual = armed(planted, mode, "include")
    with server.serving():
        shown = answers(server)
    assert shown != usual
    late_include(server)
    assert server.test() == ""
    with server.serving():
        assert answers(server) == shown
    server.chroot.set_clock(strike.after_ms)
    with server.serving():
        assert [item for item, wire in answers(server).items() if b"X-Piquet" in wire] == []


@pytest.mark.long
@pytest.mark.parametrize(
    "steps",
    [pair for pair in itertools.permutations((*HTTP_HALF, *SERVER_HALF[:-1]), 2) if no_etc not in pair[:1]],
    ids=lambda steps: "-".join(step.__name__ for step in steps),
)
@pytest.mark.parametrize("mode", ["block", "occupy", "banner"])
def test_halves_are_taken_one_after_the_other(steps: tuple[Step, Step], mode: Mode, planted: Planter) -> None:
    """Every two ways, in both orders, with a test of the owner's between."""
    server, _, usual = armed(planted, mode, "include")
    for step in steps:
        try:
            step(server)
        except FileNotFoundError:
            continue  # what it takes away is gone already
        require_usual(server, usual, step.__name__)
