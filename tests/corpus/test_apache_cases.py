# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache in both variants: the lease, rehearsals, sites that take part in some phases only, and what people delete."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from piquet.answers import rehearsal_cookie
from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from tests.corpus.apache_course import DAY, HOLDER, HOME, LINK, MADE_AT, WORD, begin, is_ours, rehearse

from .cases import Case
from .client import Response, parse
from .conftest import Planter
from .kinds import Ask
from .picket import WWW, key, ms, picket
from .runner import ask
from .servers import Server
from .surveyed import look

HOUR = timedelta(hours=1)
VARIANTS: list[Variant] = ["rules", "lua"]
WAYS: list[tuple[Variant, Mode]] = [
    ("rules", "block"),
    ("rules", "banner"),
    ("lua", "block"),
    ("lua", "banner"),
    ("lua", "occupy"),
]


def answer(server: Server, case: Case, host: str = "static.corpus.example", scheme: str = "http") -> Response:
    """The answer to one request, which must be whole."""
    found = parse(ask(server, Ask(scheme, host), case).received)
    assert found
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_window_of_a_banner_is_exact(variant: Variant, planted: Planter) -> None:
    """In by the second of the start, out by that of the end; a forged clock of a client says nothing."""
    server = planted("apache", "static")
    strike = picket(server, (DAY, DAY + HOUR), variant=variant, mode="banner")
    begin(server, strike, strike.before_ms)
    forged = (("X-Piquet-At", f"t={int(DAY.timestamp())}000000"),)
    expected = {
        strike.before_ms: False,
        strike.inside_ms: True,
        strike.after_ms - 1: True,
        strike.after_ms: False,
    }
    with server.serving():
        for at, is_shown in [*expected.items(), *reversed(expected.items())]:
            server.chroot.set_clock(at)
            assert is_ours(answer(server, HOME)) == is_shown, at
            assert is_ours(answer(server, replace(HOME, headers=forged))) == is_shown, at


@pytest.mark.parametrize(("variant", "mode"), WAYS)
@pytest.mark.parametrize("kind", ["static", "redirect-rewrite", "proxy-pass"])
def test_a_rehearsal_shows_the_phase_to_its_holder(
    kind: str, mode: Mode, variant: Variant, planted: Planter
) -> None:
    """Staged, armed or not, outside of the window: with the file and the cookie; everybody else is as usual."""
    server = planted("apache", kind)
    (way, *_) = server.kinds[0].asks
    strike = picket(server, variant=variant, mode=mode)
    own = Case("GET", "/.well-known/piquet.json", HOLDER)
    strike.stage(server)
    for is_armed in (False, True):
        (server.make_flags if is_armed else lambda _: server.drop_flags())(strike.keys)
        server.chroot.set_clock(strike.before_ms)
        with server.serving():
            usual, link = answer(server, HOME, way.host), answer(server, LINK, way.host)
            held = answer(server, replace(HOME, headers=HOLDER), way.host)
            assert not is_ours(held)
            assert not is_ours(link)
            rehearse(server)
            assert answer(server, HOME, way.host) == usual
            shown = answer(server, replace(HOME, headers=HOLDER), way.host)
            has_page = mode != "banner" or (usual.status == 200 and b"<body" in usual.body)
            assert is_ours(shown) == has_page
            assert answer(server, own, way.host).status == 200
            led = answer(server, LINK, way.host)
            assert (led.status, led.values("set-cookie")) == (303, [rehearsal_cookie(WORD)])
            assert [place.rpartition("example")[2] for place in led.values("location")] in (
                ["/"],
                [""],
                [f":{server.http}/"],
            )
            assert answer(server, replace(LINK, method="POST"), way.host).status != 303
            server.chroot.path(f"/run/piquet/rehearse/{WORD}").unlink()
            assert answer(server, replace(HOME, headers=HOLDER), way.host) == held
            assert answer(server, LINK, way.host) == link


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_rehearsal_is_for_chosen_sites_only(variant: Variant, planted: Planter) -> None:
    """A name below a wildcard rehearses by its key; what is not chosen never does."""
    server = planted("apache", "wildcard", "unselected", "static")
    strike = picket(server, variant=variant)
    begin(server, strike, strike.before_ms)
    rehearse(server)
    held = replace(HOME, headers=HOLDER)
    with server.serving():
        for kind in server.kinds:
            for way in kind.asks:
                assert is_ours(answer(server, held, way.host)) == strike.is_selected(way.host), way.host


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_real_window_wins_over_a_rehearsal(variant: Variant, planted: Planter) -> None:
    """Inside the second phase the holder of the first one's word sees the second."""
    server = planted("apache", "static")
    strike = picket(server, (DAY, DAY + HOUR), (DAY + 2 * HOUR, DAY + 3 * HOUR), variant=variant)
    begin(server, strike, ms(DAY + 2 * HOUR))
    rehearse(server)
    with server.serving():
        assert is_ours(answer(server, replace(HOME, headers=HOLDER)), 2)
        assert is_ours(answer(server, LINK), 2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_sites_show_the_phases_that_they_take_part_in(variant: Variant, planted: Planter) -> None:
    """One site in the first phase only, one in both, a wildcard in the second only."""
    server = planted("apache", "static", "proxy-pass", "wildcard")
    shares = {"static.corpus.example": (1,), "*.wildcard.corpus.example": (2,)}
    strike = picket(server, (DAY, DAY + HOUR), (DAY + HOUR, DAY + 2 * HOUR), variant=variant, shares=shares)
    begin(server, strike, ms(DAY))
    rehearse(server)
    held = replace(HOME, headers=HOLDER)
    hosts = ("static.corpus.example", "proxy-pass.corpus.example", "a.wildcard.corpus.example")
    expected = {
        DAY: (True, True, False),
        DAY + HOUR: (False, True, True),
        DAY + 2 * HOUR: (False, False, False),
    }
    with server.serving():
        for number, (instant, shown) in enumerate(expected.items(), 1):
            server.chroot.set_clock(ms(instant))
            assert tuple(is_ours(answer(server, HOME, host), number) for host in hosts) == shown, instant
        server.chroot.set_clock(MADE_AT * 1000)
        rehearsed = tuple(is_ours(answer(server, held, host), 1) for host in hosts)
    assert rehearsed == (True, True, False)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_cache_of_the_server_keeps_a_banner(variant: Variant, planted: Planter) -> None:
    """A page with a banner is not stored, so that nothing of it is left; one stored before has none."""
    server = planted("apache", "cache")
    host = server.kinds[0].asks[0].host
    strike = picket(server, (DAY, DAY + HOUR), variant=variant, mode="banner")
    begin(server, strike, strike.inside_ms)
    page = Case("GET", "/made/plain", (("Accept", "text/html"),))
    with server.serving():
        assert [is_ours(answer(server, page, host)) for _ in range(3)] == [True] * 3
        server.chroot.set_clock(strike.after_ms)
        assert [is_ours(answer(server, page, host)) for _ in range(3)] == [False] * 3
        server.chroot.set_clock(strike.inside_ms)
        assert [is_ours(answer(server, page, host)) for _ in range(3)] == [False] * 3


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_order_of_modules_does_not_matter(variant: Variant, planted: Planter) -> None:
    """A folder's own page has the banner also where mod_headers was loaded before mod_dir."""
    server = planted("apache", "static")
    folder = server.chroot.path("/etc/apache2/mods-enabled")
    (path,) = folder.glob("*-headers.load")
    path.rename(folder / "00-a-headers.load")
    known = look(server, picket(server).campaign).facts
    assert known.headers_first
    strike = picket(server, variant=variant, mode="banner", known=known)
    begin(server, strike, strike.before_ms)
    with server.serving():
        assert not is_ours(answer(server, HOME))
        server.chroot.set_clock(strike.inside_ms)
        assert is_ours(answer(server, HOME))
        assert is_ours(answer(server, Case("GET", "/index.html")))
        server.chroot.set_clock(strike.after_ms)
        assert not is_ours(answer(server, HOME))


@pytest.mark.parametrize("mode", ["block", "occupy", "banner"])
def test_deleted_pages_are_no_error(mode: Mode, planted: Planter) -> None:
    """Without any page a block is a plain 503 of ours, and everything else is as usual; nothing is a 500."""
    server = planted("apache", "static")
    strike = picket(server, variant="lua", mode=mode)
    begin(server, strike, strike.inside_ms)
    with server.serving():
        shutil.rmtree(server.chroot.path(WWW))
        home = answer(server, HOME)
        assert (home.status, is_ours(home)) == ((503, True) if mode == "block" else (200, mode == "banner"))
        assert answer(server, Case("GET", "/.well-known/piquet.json")).status == (
            503 if mode == "block" else 404
        )
        server.chroot.set_clock(strike.after_ms)
        assert not is_ours(answer(server, HOME))


@pytest.mark.parametrize("mode", ["block", "occupy", "banner"])
def test_deleted_configuration_is_no_error(mode: Mode, planted: Planter) -> None:
    """What runs goes on to the end of the window; the next start finds a good configuration that shows nothing."""
    server = planted("apache", "static")
    server.chroot.set_clock(0)
    with server.serving():
        server.chroot.set_clock(ms(DAY))
        usual = answer(server, HOME)
    strike = picket(server, (DAY, DAY + HOUR), variant="lua", mode=mode)
    begin(server, strike, ms(DAY))
    with server.serving():
        assert is_ours(
            answer(server, HOME)
        )  # it listens before it reads its configuration for the second time
        shutil.rmtree(server.chroot.path("/etc/piquet"))
        assert is_ours(answer(server, HOME))
        server.chroot.set_clock(strike.after_ms)
        assert not is_ours(answer(server, HOME))
    assert server.test() == ""
    server.chroot.set_clock(ms(DAY))
    with server.serving():
        assert answer(server, HOME) == usual


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_the_marks_nobody_is_shown_more(variant: Variant, planted: Planter) -> None:
    """Who takes no part in a phase still takes none in it when somebody deletes all that says so."""
    server = planted("apache", "static", "proxy-pass", "wildcard")
    wildcard = "one.wildcard.corpus.example"
    shares = {
        "static.corpus.example": (1,),
        "*.wildcard.corpus.example": (2,),
        "proxy-pass.corpus.example": (2,),
    }
    strike = picket(server, (DAY, DAY + HOUR), (DAY + HOUR, DAY + 2 * HOUR), variant=variant, shares=shares)
    begin(server, strike, ms(DAY + HOUR))
    with server.serving():
        assert is_ours(answer(server, HOME, "proxy-pass.corpus.example"), 2)
        assert is_ours(answer(server, HOME, wildcard), 2)
        assert not is_ours(answer(server, HOME), 2)
        shutil.rmtree(server.chroot.path("/etc/piquet"))
        assert not is_ours(answer(server, HOME), 2)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("module", ["alias", "filter", "headers", "lua", "rewrite", "setenvif", "substitute"])
def test_a_module_that_is_unloaded_breaks_nothing(module: str, variant: Variant, planted: Planter) -> None:
    """Its owner switches one off during the picket: the configuration stays good, and shows less, or as much."""
    server = planted("apache", "static")
    strike = picket(server, variant=variant, mode="banner")
    server.chroot.set_clock(strike.inside_ms)
    loads = list(server.chroot.path("/etc/apache2/mods-enabled").glob(f"*-{module}.load"))
    begin(server, strike, strike.inside_ms)
    for path in [*loads, *server.chroot.path("/etc/piquet/apache").glob("10-load.conf")]:
        path.write_text(re.sub(rf"(?m)^ *LoadModule {module}_module.*", "", path.read_text()))
    assert server.test() == ""
    with server.serving():
        got = answer(server, HOME)
    assert got.status == 200
    assert not got.values("x-piquet-at")


@pytest.mark.parametrize("names", [("static",), ("static", "filters", "own-lua")])
def test_a_survey_of_a_staged_host_says_the_same(names: tuple[str, ...], planted: Planter) -> None:
    """What our own file loads is still ours to load: else the next bundle would leave it out, and the server fail."""
    server = planted("apache", *names)
    strike = picket(server, variant="lua", mode="banner")
    before = look(server, strike.campaign).facts
    strike.stage(server)
    after = look(server, strike.campaign).facts
    assert after == before
    assert after.loadable == before.loadable
    assert before.has_own_lua == ("own-lua" in names)
    assert before.substitutes == ({"filters.corpus.example"} if "filters" in names else set())
    wanted = {"lua_module", "substitute_module", "filter_module"}
    assert before.loadable.keys() == wanted - before.modules


def test_a_broken_answer_of_ours_leaves_the_request_to_the_site(planted: Planter) -> None:
    """A mistake in our Lua is no error of the site."""
    server = planted("apache", "static")

    def mutation(path: str, content: bytes) -> bytes:
        return content.replace(b"local function strike(", b"local function unused(")

    strike = picket(server, variant="lua", mutation=mutation)
    begin(server, strike, strike.inside_ms)
    with server.serving():
        assert answer(server, HOME).status == 200


def test_the_keys_are_what_the_lists_hold(planted: Planter) -> None:
    """The list that a rehearsal reads has each key between two spaces, so that the first and the last one are found."""
    strike = picket(planted("apache", "wildcard"), variant="rules")
    text = strike.contents[f"{WWW}/sites/1"].decode()
    assert text == f" {' '.join(sorted(strike.keys))} \n"
    assert {key(name) for kind in strike.kinds for name in kind.sites} == set(text.split())
