# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite can fail: faults planted into the rendered bundle each turn it red, in the states where they must show."""

from __future__ import annotations

import pytest

from piquet.answers import BYPASS_COOKIE
from piquet.servers.lease import window_pattern

from .cases import Case
from .conftest import Planter
from .kinds import Provider
from .picket import DEFAULT_WINDOW, SECRET, Mutation, picket
from .runner import run

CASES = (
    Case("GET", "/"),
    Case("POST", "/deep/er/missing"),
    Case("GET", "/api/x"),
    Case("GET", "/.well-known/piquet.json"),
    Case("GET", "/", (("Cookie", f"a=b; {BYPASS_COOKIE}={SECRET}"),)),
    Case("GET", "/", (("Accept-Language", "en"),)),
)
PROVIDERS = pytest.mark.parametrize("provider", ["nginx", "apache"])


def replacing(old: str, new: str) -> Mutation:
    """A fault: every occurrence of a text in the server's configuration becomes another."""

    def mutate(path: str, content: bytes) -> bytes:
        return content.replace(old.encode(), new.encode()) if path.endswith(".conf") else content

    return mutate


def states_gone_wrong(
    planted: Planter, provider: Provider, mutation: Mutation | None = None, hooked: bool = True
) -> set[str]:
    """States with deviations when a fault is planted; the fault must have changed the bundle."""
    server = planted(provider, "00-default", "static", "wildcard", "unselected")
    sound, faulty = picket(server), picket(server, mutation=mutation, hooked=hooked)
    assert not hooked or sound.contents != faulty.contents
    return {deviation.state for deviation in run(server, faulty, CASES).deviations}


@PROVIDERS
def test_without_a_fault_nothing_is_wrong(planted: Planter, provider: Provider) -> None:
    """The control: the same few kinds and cases are right as rendered."""
    server = planted(provider, "00-default", "static", "wildcard", "unselected")
    tally = run(server, picket(server), CASES)
    assert not tally.deviations, tally.report()


@PROVIDERS
def test_include_line_gone(planted: Planter, provider: Provider) -> None:
    """Nothing is shown: every active row fails, nothing else does."""
    if provider == "nginx":
        assert states_gone_wrong(planted, provider, hooked=False) == {"active"}
    else:
        gone = replacing("IncludeOptional /etc/piquet/apache/*.conf", "")
        assert states_gone_wrong(planted, provider, gone) == {"active"}


@PROVIDERS
def test_lease_shifted_by_a_minute(planted: Planter, provider: Provider) -> None:
    """It begins a minute late and ends a minute late."""
    shifted = (DEFAULT_WINDOW[0].replace(minute=1), DEFAULT_WINDOW[1].replace(minute=1))
    late = replacing(window_pattern(*DEFAULT_WINDOW), window_pattern(*shifted))
    assert states_gone_wrong(planted, provider, late) == {"active", "after"}


@PROVIDERS
def test_lease_holds_the_end_second(planted: Planter, provider: Provider) -> None:
    """`[start, end)` became `[start, end]`."""
    longer = (DEFAULT_WINDOW[0], DEFAULT_WINDOW[1].replace(second=1))
    closed = replacing(window_pattern(*DEFAULT_WINDOW), window_pattern(*longer))
    assert states_gone_wrong(planted, provider, closed) == {"after"}


@PROVIDERS
def test_flag_test_dropped(planted: Planter, provider: Provider) -> None:
    """A release by hand would do nothing."""
    if provider == "nginx":
        always = replacing("/run/piquet/live/$piquet_entry", "/etc/piquet/nginx/server/piquet.conf")
    else:
        always = _both(
            replacing("-f '/run/piquet/live/%{SERVER_NAME}'", "true"),
            replacing("-f '/run/piquet/live/_.$1'", "true"),
        )
    assert "released" in states_gone_wrong(planted, provider, always)


@PROVIDERS
def test_doors_dropped(planted: Planter, provider: Provider) -> None:
    """What must stay open is shut."""
    shut = replacing("/api/", "/none/")
    assert states_gone_wrong(planted, provider, shut) == {"active"}


@PROVIDERS
def test_a_header_dropped(planted: Planter, provider: Provider) -> None:
    """A page that may be stored is no page of ours."""
    stored = replacing('"no-store"', '"public"')
    assert states_gone_wrong(planted, provider, stored) == {"active"}


def _both(first: Mutation, second: Mutation) -> Mutation:
    return lambda path, content: second(path, first(path, content))
