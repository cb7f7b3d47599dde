# SPDX-License-Identifier: GPL-3.0-or-later
"""A banner's window seen from outside: one banner where a page can carry one, and the page itself under it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from piquet import banner
from piquet.verify.baseline import make_baseline
from piquet.verify.expectations import Expectations
from piquet.verify.observation import Observation, Question, Reply, Target
from piquet.verify.outside.inspection import judged, sites_showing
from piquet.verify.outside.probe import looked_through
from piquet.verify.questions import FRONT, usual_questions

from .conftest import make_campaign

START = datetime(2026, 12, 17, tzinfo=UTC)
T0 = START.timestamp()
BLOCK = make_campaign(START, seconds=60)
CAMPAIGN = replace(BLOCK, phases=(replace(BLOCK.phases[0], mode="banner", style="bar"),))
SITE = Target("web1", "192.0.2.1", 80, False, "www.example.org", "www.example.org", (1,))
PAGE = b"<html><head></head>\n<body>As usual</body></html>"
BARE = b"<p>No body tag</p>"
MARK = f"{CAMPAIGN.name}/1/banner"
FRAGMENT = f'<aside data-piquet="{MARK}"><p>Strike</p></aside>'.encode()
TAG = ("etag", '"1"')
KIND = ("content-type", "text/html")
STORE = ("cache-control", "no-store")


def seen(body: bytes, *headers: tuple[str, str], at: float = T0 + 30, status: int = 200) -> Observation:
    """An answer as the prober sees it."""
    answer = Observation(status, (KIND, *headers), hashlib.sha256(body).hexdigest(), len(body), at, at)
    return looked_through(answer, body, "http://www.example.org/.well-known/piquet/banner.css")


def codes(observation: Observation, before: Observation, question: Question = FRONT) -> list[str]:
    """Findings on one answer inside the window, against what the site answered before."""
    known = Reply(SITE, question, replace(before, sent_at=T0 - 9, first_byte_at=T0 - 9))
    baseline = make_baseline(CAMPAIGN.name, T0 - 9, [known], [known])
    return [f.code for f in judged([Reply(SITE, question, observation)], Expectations(CAMPAIGN), baseline)[0]]


def test_a_page_with_its_banner_is_the_page_itself() -> None:
    """Validators are gone and no cache may keep it; under the banner every byte is the site's."""
    assert codes(seen(banner.insert_banner(PAGE, FRAGMENT), STORE), seen(PAGE, TAG)) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (banner.insert_banner(PAGE.replace(b"usual", b"never"), FRAGMENT), ["not-as-before"]),
        (banner.insert_banner(banner.insert_banner(PAGE, FRAGMENT), FRAGMENT), ["wrong-banner"]),
        (banner.insert_banner(PAGE, FRAGMENT.replace(b"/1/", b"/2/")), ["wrong-banner"]),
        (PAGE, ["no-banner"]),
    ],
    ids=["changed", "twice", "another", "none"],
)
def test_what_is_not_right(body: bytes, expected: list[str]) -> None:
    """A changed page, two banners, that of another phase, or none where there was a place for it."""
    assert codes(seen(body, STORE), seen(PAGE, TAG)) == expected


@pytest.mark.parametrize(
    ("head", "tag", "expected"),
    [
        (b"</HEAD>\n", b"<BODY", []),
        (b"</HEAD>", b"<BODY", []),
        (b"</HEAD>", b"<body", []),
        (b"</head>", b"<BODY", []),
        (b"</head>", b"<BODY CLASS=x", ["not-as-before", "not-as-before"]),
    ],
)
def test_old_pages_keep_their_capitals_or_not(head: bytes, tag: bytes, expected: list[str]) -> None:
    """nginx's `sub_filter` writes what it looked for in small letters; nothing else may differ."""
    was = PAGE.replace(b"</head>\n<body", head + tag)
    small = head.lower() if head.endswith(b">") else head
    shown = PAGE.replace(b"</head>\n<body", small + FRAGMENT + b"<body")
    assert codes(seen(shown, STORE), seen(was, TAG)) == expected


def test_a_page_without_a_place_loses_its_validators_only() -> None:
    """The server could not know; that there is none is told, and nothing else may differ."""
    assert codes(seen(BARE, STORE), seen(BARE, TAG)) == ["no-banner"]
    assert "not-as-before" in codes(seen(BARE + b"x", STORE), seen(BARE, TAG))


def test_what_is_no_page_keeps_all_it_has() -> None:
    """Another type, or another status, has the headers and bytes of before."""
    text = ("content-type", "text/plain")
    before = replace(seen(PAGE, TAG), headers=(text, TAG), has_place=None)
    assert codes(before, before) == []
    assert codes(replace(before, headers=(text, STORE)), before) == ["not-as-before", "not-as-before"]
    missing = seen(PAGE, TAG, status=404)
    assert codes(missing, missing) == []


def test_answers_to_other_words_are_not_compared() -> None:
    """An application may echo a language: what it was not asked before is no measure."""
    asked = Question("GET", "/", (*FRONT.headers, ("accept-language", "fr")))
    assert asked.as_sent not in {question.as_sent for question in usual_questions(CAMPAIGN, None)}
    assert codes(seen(banner.insert_banner(PAGE + b"fr", FRAGMENT), STORE), seen(PAGE, TAG), asked) == []


def test_sites_are_counted_by_what_visitors_meet() -> None:
    """Mode by mode: a page of theirs, not an address of ours; a site that takes no part is none of them."""
    block = replace(BLOCK.phases[0], number=2)
    campaign = replace(CAMPAIGN, phases=(*CAMPAIGN.phases, block))
    other = replace(SITE, site="other.example", name="other.example", phases=(2,))
    strike = seen(b"strike", ("x-piquet", f"{CAMPAIGN.name}/2/block"), status=503)
    page = seen(banner.insert_banner(PAGE, FRAGMENT), STORE)
    about = Question("GET", "/.well-known/piquet.json")
    replies = [
        Reply(SITE, FRONT, page),
        Reply(SITE, replace(FRONT, path="/x"), page),
        Reply(other, FRONT, strike),
        Reply(other, FRONT, page),
        Reply(replace(SITE, host="web2", phases=(1, 2)), about, strike),
        Reply(replace(SITE, phases=()), FRONT, strike),
    ]
    assert sites_showing(replies, campaign) == {"banner": 1, "block": 1}
    assert sites_showing([], campaign) == {"banner": 0, "block": 0}


@pytest.mark.parametrize(
    ("policy", "expected"), [("default-src 'self'", []), ("default-src 'none'", ["no-banner"])]
)
def test_a_banner_that_the_page_hides_is_none(policy: str, expected: list[str]) -> None:
    """It stands in the page, but the sheet that shows it is not let in: no visitor has seen it."""
    own = ("content-security-policy", policy)
    page = seen(banner.insert_banner(PAGE, FRAGMENT), STORE, own)
    assert codes(page, seen(PAGE, TAG, own)) == expected
    assert sites_showing([Reply(SITE, FRONT, page)], CAMPAIGN) == {"banner": 0 if expected else 1}


def test_a_banner_outside_of_its_window_is_an_error() -> None:
    """Before the start and after the end no page carries one."""
    late = seen(banner.insert_banner(PAGE, FRAGMENT), TAG, at=T0 + 90)
    assert "banner-outside" in codes(late, seen(PAGE, TAG))
