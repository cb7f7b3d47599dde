# SPDX-License-Identifier: GPL-3.0-or-later
"""Only names and paths that are safe everywhere get in, and requests fall to the longest match."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piquet.campaign.matching import match_pattern
from piquet.campaign.names import (
    Refusal,
    contact,
    door_path,
    health_path,
    network,
    occupied_path,
    site_name,
    site_pattern,
)
from piquet.protocol.entries import entry_key, match_site

SAFE_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)
LABELS = st.sampled_from(["a", "b", "www", "xn--bcher-kva", "x_y"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
SITES = st.one_of(HOSTS, HOSTS.map(lambda name: f"*.{name}"))


def slow_match(host: str, names: set[str]) -> str | None:
    """The same rule as a search over all names."""
    fits = [name for name in names if name == host or (name[:2] == "*." and host.endswith(name[1:]))]
    return max(fits, key=lambda name: (name == host, len(name)), default=None)


@given(HOSTS, st.sets(SITES, max_size=12))
def test_the_longest_match_wins(host: str, names: set[str]) -> None:
    """Exact before wildcard, longer suffix before shorter."""
    assert slow_match(host, names) == match_site(host, names)


@given(HOSTS, st.lists(SITES, max_size=8))
def test_how_a_client_writes_the_host_does_not_matter(host: str, names: list[str]) -> None:
    """Capitals and the dot at the end are the client's affair; a list is as good as a set."""
    assert match_site(host, set(names)) == match_site(f"{host.upper()}.", names)


@given(st.sets(SITES))
def test_keys_are_one_to_one(names: set[str]) -> None:
    """Two sites never share a flag, and a key is a plain file name."""
    keys = {entry_key(name) for name in names}
    assert len(names) == len(keys)
    assert not [key for key in keys if "/" in key or "*" in key or key in (".", "..")]


@given(st.text(max_size=40) | st.from_regex(r"\A(\*\.)?[a-z0-9_.-]{1,70}\n?\Z"))
def test_whatever_is_accepted_is_safe(text: str) -> None:
    """An accepted name has only letters, digits, hyphen, underscore, dot, and at most one leading `*.`."""
    try:
        name = site_name(text)
    except Refusal:
        return
    assert SAFE_NAME.fullmatch(name)
    assert len(name) <= 253
    assert "_" not in name.split(".")
    assert name == site_name(name)


@given(st.text(max_size=20).map(lambda text: f"/{text}"))
def test_whatever_path_is_accepted_is_safe(text: str) -> None:
    """An accepted path has nothing that a server, a shell or a client reads in two ways."""
    try:
        path = occupied_path(text)
    except Refusal:
        return
    assert path.isascii() and path.isprintable()
    assert not set(path) & set(" \"'`\\;${}<>|^#?[]")
    assert ".." not in path


@pytest.mark.parametrize(
    "text", ["www.example.org", "WWW.Example.ORG", "*.blogs.example.org", "a", "a_b.example", "1.2.3.4"]
)
def test_accepted_names(text: str) -> None:
    """They come out in lower case."""
    assert text.lower() == site_name(text)


REFUSED = [
    *("a.", ".a", "a..b", "_", "_.a", "*", "*.", "*._.a", "a*.b", "*.*.a", "-a", "a-", "a;b", "a{", "$a"),
    *("'a'", '"a"', "é.fr", "a/b", "../a", "a:80", "\u212aelvin", "", "a b", "a\n", "a\x00"),
    *("a" * 64, "a." * 127 + "a", "x" * 300),
]


@pytest.mark.parametrize("text", REFUSED)
def test_refused_names(text: str) -> None:
    """Everything else is refused (one begins with a Kelvin sign, whose lower case is a plain k)."""
    with pytest.raises(Refusal):
        site_name(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("étudiants.fr", "xn--tudiants-90a.fr"),
        ("*.Bücher.example", "*.xn--bcher-kva.example"),
        ("straße.de", "A-label"),
    ],
)
def test_names_that_are_not_ascii_get_their_a_label_as_a_hint(text: str, hint: str) -> None:
    """Except where the two editions of IDNA differ: there nothing is guessed."""
    with pytest.raises(Refusal) as caught:
        site_pattern(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("site", "patterns", "expected"),
    [
        ("www.example.org", {"*"}, "*"),
        ("*.blogs.example.org", {"*"}, "*"),
        ("localhost", {"*"}, None),
        ("192.0.2.1", {"*"}, None),
        ("localhost", {"localhost"}, "localhost"),
        ("example.org", {"*.example.org"}, None),
        ("a.b.example.org", {"*.example.org", "*.b.example.org", "*"}, "*.b.example.org"),
        ("*.b.example.org", {"*.example.org"}, "*.example.org"),
        ("*.example.org", {"*.example.org"}, "*.example.org"),
        ("*.example.org", {"*.b.example.org", "www.example.org"}, None),
    ],
)
def test_patterns(site: str, patterns: set[str], expected: str | None) -> None:
    """`*` means what has a dot and is no address; `*.x` what is below x; a name itself."""
    assert expected == match_pattern(site, patterns)


@pytest.mark.parametrize("text", ["/api/", "/oai", "/a%20b/", "/~user/", "/a:b@c,d=e+f!"])
def test_doors(text: str) -> None:
    """Plain path prefixes."""
    assert text == door_path(text)


@pytest.mark.parametrize(
    "text", ["/", "", "api", "/..", "/a/../b", "/%2E%2e/", "/%2e/", "/a%", "/a\n", "/" + "a" * 500]
)
def test_no_doors(text: str) -> None:
    """What opens everything, or can be written in another way."""
    with pytest.raises(Refusal):
        door_path(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("192.0.2.7", "192.0.2.7/32"), ("192.0.2.0/24", "192.0.2.0/24"), ("2001:DB8:0::/32", "2001:db8::/32")],
)
def test_networks_are_canonical(text: str, expected: str) -> None:
    """One spelling per network."""
    assert expected == network(text)


@pytest.mark.parametrize(
    "text", ["https://example.org", "http://a.b:8080/x?y=z#t", "mailto:a.b+c@example.org"]
)
def test_contacts(text: str) -> None:
    """Web and mail addresses."""
    assert text == contact(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "javascript:x",
        "https://",
        "https://a b",
        "https://a/\n",
        "mailto:x",
        "https://u@h/",
        "data:,x",
        "//a",
    ],
)
def test_no_contacts(text: str) -> None:
    """Nothing that runs, and nothing that breaks a line."""
    with pytest.raises(Refusal):
        contact(text)


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "//",
        "/./",
        "/index.html",
        "/Index.PHP",
        "/index.html.var",
        "/%69ndex.html",
        "/default.aspx",
        "/home",
        "/home/",
    ],
)
def test_the_front_page_is_no_health_path(text: str) -> None:
    """By none of its names; the hint says what the balancer's owner writes instead."""
    with pytest.raises(Refusal) as refused:
        health_path(text)
    assert (
        "option httpchk GET /health" in refused.value.hint and "expect status 200,503" in refused.value.hint
    )


@pytest.mark.parametrize("text", ["health", "/a/../b", "/%2e%2e/", "/a b", "/a?b", "", "/a;b", "/$x"])
def test_what_is_no_door_is_no_health_path(text: str) -> None:
    """It stands in configurations as doors do."""
    with pytest.raises(Refusal):
        health_path(text)


@pytest.mark.parametrize(
    "text", ["/health", "/healthz/", "/status.php", "/-/ready", "/index/status", "/homepage"]
)
def test_a_path_of_its_own_is_a_health_path(text: str) -> None:
    """Whatever its ending."""
    assert health_path(text) == text
