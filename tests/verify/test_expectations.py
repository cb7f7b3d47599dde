# SPDX-License-Identifier: GPL-3.0-or-later
"""What is right at an instant, and around a switch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from piquet.verify.expectations import Expectations, phase_at
from piquet.verify.fingerprint import differences, fingerprint, volatile_fields
from piquet.verify.judge import judge
from piquet.verify.observation import Observation, Question, Reply, Target
from piquet.verify.questions import FRONT, jobs

from .conftest import make_campaign

START = datetime(2026, 12, 17, tzinfo=UTC)
T0 = START.timestamp()
CAMPAIGN = make_campaign(START, seconds=60)
SITE = Target("web1", "192.0.2.1", 80, False, "www.example.org", "www.example.org", (1,))
UNSELECTED = Target("web1", "192.0.2.1", 80, False, "free.example.org", "free.example.org")


def seen(sent_at: float, first_byte_at: float, **headers: str) -> Observation:
    """An answer with these headers."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Observation(200, pairs, "00", 10, sent_at, first_byte_at)


@pytest.mark.parametrize(
    ("instant", "is_on"), [(-0.001, False), (0.0, True), (59.999, True), (60.0, False), (61.0, False)]
)
def test_a_window_holds_its_start_and_not_its_end(instant: float, is_on: bool) -> None:
    """[start, end)."""
    assert (phase_at(CAMPAIGN.phases, T0 + instant) is not None) == is_on


@pytest.mark.parametrize(
    ("sent", "received", "slack_s", "kinds"),
    [
        (-5.0, -4.9, 0.0, {"usual"}),
        (-0.1, -0.01, 0.0, {"usual"}),
        (-0.1, 0.01, 0.0, {"usual", "page"}),
        (0.0, 0.2, 0.0, {"page"}),
        (0.5, 0.6, 1.0, {"usual", "page"}),
        (1.5, 1.6, 1.0, {"page"}),
        (59.9, 60.1, 0.0, {"usual", "page"}),
        (60.0, 60.1, 0.0, {"usual"}),
        (61.5, 61.6, 1.0, {"usual"}),
        (-5.0, 65.0, 0.0, {"usual", "page"}),
    ],
)
def test_either_side_around_a_switch(sent: float, received: float, slack_s: float, kinds: set[str]) -> None:
    """Only a probe that was under way at a switch, or within the slack of it, may have either answer."""
    expectations = Expectations(CAMPAIGN, slack_s=slack_s)
    reply = Reply(SITE, FRONT, seen(T0 + sent, T0 + received))
    assert {answer.kind for answer in expectations.answers(reply)} == kinds


def test_before_and_after_overrule_the_clock() -> None:
    """A strike answer in the window is wrong when the caller says that the strike is not on."""
    reply = Reply(SITE, FRONT, seen(T0 + 30, T0 + 30.1, x_piquet="greve-test/1/block"))
    for moment in ("before", "after"):
        expectations = Expectations(CAMPAIGN, moment=moment)  # type: ignore[arg-type]
        assert [f.code for f in judge(reply, expectations.answers(reply))] == ["strike-outside"]


def test_unselected_sites_are_always_as_usual() -> None:
    """No window reaches a site that takes part in no phase."""
    expectations = Expectations(CAMPAIGN)
    reply = Reply(UNSELECTED, FRONT, seen(T0 + 30, T0 + 30.1))
    assert [answer.kind for answer in expectations.answers(reply)] == ["usual"]


def test_a_health_path_is_a_door_of_its_host() -> None:
    """In the window it is as usual there and asked for; on another host it is on strike like the rest."""
    expectations, path = Expectations(CAMPAIGN), Question("GET", "/health", FRONT.headers)
    balanced = replace(SITE, health_paths=("/health",))
    phase = CAMPAIGN.phases[0]
    kinds = [expectations.answer(target, path, phase).kind for target in (balanced, SITE)]
    assert kinds == ["usual", "page"]
    asked = {
        job.target: {q.path for q in job.questions} for job in jobs((balanced, SITE), CAMPAIGN, None, True)
    }
    assert "/health" in asked[balanced] and "/health" not in asked[SITE]


def test_expires_is_told_apart() -> None:
    """Expires counted from Date is volatile absolutely and stable relatively; a longer life is then seen."""
    first = seen(0, 0, date="Thu, 17 Dec 2026 00:00:00 GMT", expires="Thu, 17 Dec 2026 01:00:00 GMT")
    second = seen(0, 0, date="Thu, 17 Dec 2026 00:00:05 GMT", expires="Thu, 17 Dec 2026 01:00:05 GMT")
    later = seen(0, 0, date="Thu, 17 Dec 2026 09:00:00 GMT", expires="Thu, 17 Dec 2026 10:00:00 GMT")
    longer = seen(0, 0, date="Thu, 17 Dec 2026 09:00:00 GMT", expires="Thu, 17 Dec 2026 11:00:00 GMT")
    volatile = volatile_fields(fingerprint(first), fingerprint(second))
    assert volatile == {"header expires"}
    assert differences(fingerprint(first), fingerprint(later), volatile) == ()
    (only,) = differences(fingerprint(first), fingerprint(longer), volatile)
    assert (only.field, only.expected, only.got) == ("expires after date", "3600 s", "7200 s")


def test_a_second_between_program_and_server_is_none() -> None:
    """A program's Expires and the server's Date may fall on both sides of a second; two seconds are a difference."""
    date = "Thu, 17 Dec 2026 00:00:05 GMT"
    before = fingerprint(seen(0, 0, date=date, expires=date))
    later = fingerprint(seen(0, 0, date=date, expires="Thu, 17 Dec 2026 00:00:06 GMT"))
    earlier = fingerprint(seen(0, 0, date=date, expires="Thu, 17 Dec 2026 00:00:03 GMT"))
    volatile = frozenset({"header expires"})
    assert differences(before, later, volatile) == ()
    (only,) = differences(before, earlier, volatile)
    assert (only.field, only.expected, only.got) == ("expires after date", "0 s", "-2 s")


def test_cookies_count_by_name() -> None:
    """Another session is the same answer; another cookie, or one without HttpOnly, is not."""
    one = fingerprint(
        seen(0, 0, set_cookie="session=1; Path=/; HttpOnly; Expires=Thu, 17 Dec 2026 00:00:00 GMT")
    )
    two = fingerprint(
        seen(0, 0, set_cookie="session=2; Path=/; HttpOnly; Expires=Fri, 18 Dec 2026 00:00:00 GMT")
    )
    bare = fingerprint(seen(0, 0, set_cookie="session=2; Path=/"))
    assert differences(one, two, frozenset()) == ()
    assert [d.field for d in differences(one, bare, frozenset())] == ["cookies"]


def test_the_secret_is_not_printed() -> None:
    """Labels of questions end up in reports: neither cookie nor link shows its secret."""
    secret = "0123456789abcdef0123456789abcdef"
    cookie = Question("GET", "/", (("cookie", f"piquet_bypass={secret}"),))
    link = Question("GET", f"/.well-known/piquet/bypass/{secret}")
    assert secret not in cookie.label + link.label


def test_what_belongs_to_one_connection_is_no_difference() -> None:
    """Apache with HTTP/2 offers an upgrade on the first answer of a connection only."""
    first, second = fingerprint(seen(0, 0, upgrade="h2,h2c", connection="Upgrade")), fingerprint(seen(0, 0))
    assert differences(first, second, frozenset()) == ()
