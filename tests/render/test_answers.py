# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of answers: languages, doors, kinds."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piquet import answers
from piquet.answers import SiteRequest, expect
from piquet.campaign.model import Doors
from piquet.protocol.http import ABOUT_PATH
from tests.render import samples
from tests.render.samples import PHASE, SECRET

CAMPAIGN = replace(
    samples.CAMPAIGN,
    languages=("fr", "en", "de"),
    doors=Doors(("/api/", "/oai"), ("192.0.2.0/24", "2001:db8::/32"), bypass=True),
)


ASSETS = ("strike.css", "fr.html", "en.html", "de.html")


def kind(target: str, method: str = "GET", remote: str = "127.0.0.1", **headers: str) -> str:
    """The row for one request inside the window."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = SiteRequest(method, target, "www.example.org", names, remote)
    return expect(CAMPAIGN, PHASE, request, SECRET, ASSETS).kind


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", "page"),
        ("/robots.txt", "usual"),
        ("/robots.txt?x", "usual"),
        ("/robots.txtx", "page"),
        ("/.well-known/acme-challenge/t", "usual"),
        ("/api/x", "usual"),
        ("/api", "page"),
        ("/oai?verb=Identify", "usual"),
        ("/oai/x", "usual"),
        ("/oaix", "page"),
        ("/api/../secret", "page"),
        ("/api/%2E%2e/secret", "page"),
        ("/api/x%2f..%2f..%2fsecret", "page"),
        ("/api/x?y=..", "usual"),
        ("/.well-known/piquet.json", "about"),
        ("/.well-known/piquet/strike.css", "asset"),
        ("/.well-known/piquet/de.html?x", "asset"),
        ("/.well-known/piquet/es.html", "page"),
        ("/.well-known/piquet/", "page"),
        (f"/.well-known/piquet/bypass/{SECRET}", "bypass"),
        ("/.well-known/piquet/bypass/classic", "page"),
    ],
)
def test_kind_by_target(target: str, expected: str) -> None:
    """Doors stay open, our own addresses answer, everything else is on strike."""
    assert expected == kind(target)


def test_kind_by_everything_else() -> None:
    """Method, network, cookie and Accept decide as the table says."""
    assert kind("/", "PUT") == "page"
    assert kind("/.well-known/piquet.json", "POST") == "page"
    assert kind("/", "TRACE") == "refused"
    assert kind("/", remote="192.0.2.7") == "usual"
    assert kind("/", remote="2001:db8::1") == "usual"
    assert kind("/", remote="198.51.100.1") == "page"
    assert kind("/", cookie=f"a=b; piquet_bypass={SECRET}") == "usual"
    assert kind("/", cookie=f"xpiquet_bypass={SECRET}") == "page"
    assert kind("/", accept="application/vnd.api+json") == "json"
    assert kind("/", accept="text/html,application/json;q=0.9") == "page"


def test_nothing_of_ours_outside_a_window() -> None:
    """Before, between and after, even our own addresses belong to the site."""
    assert expect(CAMPAIGN, None, SiteRequest("GET", ABOUT_PATH, "x"), SECRET, ()) == answers.USUAL


def parsed(accept_language: str) -> str:
    """The same choice, written without a regular expression over the whole header."""
    for entry in accept_language.split(","):
        tag, _, weight = entry.strip(" ").partition(";")
        is_refused = re.fullmatch(r" *q=0(\.0*)? *", weight) is not None
        is_weighted = not weight or re.fullmatch(r" *q=[0-9.]+ *", weight) is not None
        if tag.strip(" ").partition("-")[0].lower() in CAMPAIGN.languages and is_weighted and not is_refused:
            return tag.strip(" ").partition("-")[0].lower()
    return CAMPAIGN.languages[0]


tags = st.sampled_from(["fr", "en", "EN-gb", "de", "de-DE-1996", "es", "*", "frx", "en2"])
weights = st.sampled_from(["", ";q=0", "; q=0.5", ";q=0.000", ";q=1", ";q=0.001"])
entries = st.builds(
    lambda space, tag, weight: f"{space}{tag}{weight}", st.sampled_from(["", " "]), tags, weights
)


@given(st.lists(entries, max_size=6).map(",".join))
def test_language_pattern_agrees_with_a_parser(accept_language: str) -> None:
    """The first language of the visitor's list that we have, q=0 skipped; else the campaign's first."""
    assert parsed(accept_language) == answers.pick_language(CAMPAIGN.languages, accept_language)


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_pcre_literal_stands_for_itself(text: str) -> None:
    """No printable character keeps a meaning of its own, nor breaks a quoted token."""
    literal = answers.pcre_literal(text)
    assert re.fullmatch(literal, text)
    assert not set(literal) & set("\"'#${}; \t\n")


def test_retry_after_is_an_http_date() -> None:
    """RFC 9110 §10.2.3: the end, in GMT."""
    assert answers.retry_after(CAMPAIGN, PHASE) == "Fri, 18 Dec 2026 00:00:00 GMT"
