# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pages let the banner's style sheet in."""

from __future__ import annotations

import pytest

from piquet.style_policy import lets_in

SHEET = "https://www.example.org/.well-known/piquet/banner.css"
YES = (
    "", ";;", "script-src 'none'", "default-src 'self'", "DEFAULT-SRC 'SELF'", "default-src *", "style-src https:",
    "default-src 'none'; style-src 'self'", "style-src 'none'; style-src-elem 'self'", "style-src www.example.org",
    "style-src *.example.org", "style-src https://www.example.org:443", "style-src http://www.example.org",
    "style-src http:", "style-src www.example.org/.well-known/", "style-src *:*", "sandbox", "frame-ancestors 'none'",
    "style-src 'self' 'nonce-abc'", "style-src 'unsafe-inline' 'self'", "upgrade-insecure-requests",
    "style-src-attr 'none'", "default-src 'self'; default-src 'none'", "style-src www.example.org:*",
)  # fmt: skip
NO = (
    "default-src 'none'", "default-src", "style-src", "style-src 'nonce-abc'", "style-src 'unsafe-inline'",
    "style-src 'sha256-abc='", "style-src example.org", "style-src *.www.example.org", "style-src data:",
    "style-src https://cdn.example.net", "style-src www.example.org:8443", "style-src www.example.org/css/",
    "default-src *; style-src 'none'", "style-src 'self'; style-src-elem 'none'",
    "default-src 'self', style-src 'none'",
    "style-src 'self'; default-src 'none', default-src 'none'", "style-src 'strict-dynamic'", "style-src wss:",
    "default-src 'none'; default-src 'self'", "style-src www.example.org/.well-known/piquet",
)  # fmt: skip


@pytest.mark.parametrize("policy", YES)
def test_policies_that_let_it_in(policy: str) -> None:
    """By the name, by a pattern, by the scheme, or by saying nothing of style sheets."""
    assert lets_in(SHEET, [("content-security-policy", policy)])


@pytest.mark.parametrize("policy", NO)
def test_policies_that_do_not(policy: str) -> None:
    """Whatever names others only; one of several policies is enough."""
    assert not lets_in(SHEET, [("content-security-policy", policy)])
    assert not lets_in(
        SHEET, [("content-security-policy", "default-src *"), ("content-security-policy", policy)]
    )
    meta = f'<html><head><META content="{policy}" HTTP-EQUIV=Content-Security-Policy></head><body>x'
    assert not lets_in(SHEET, [], meta.encode())


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<head><meta http-equiv='Content-Security-Policy' content=\"style-src 'none'\"></head>", False),
        (b"<head></head><body><meta http-equiv=Content-Security-Policy content=\"style-src 'none'\">", True),
        (b"<!-- <meta http-equiv=Content-Security-Policy content=\"style-src 'none'\"> --><body>", True),
        (b"<script>'<meta http-equiv=Content-Security-Policy content=x>'</script><body>", True),
        (b'<meta http-equiv=Content-Security-Policy content="style-src &#39;none&#39;"><body>', False),
        (b"<meta name=description content='x'><body>", True),
    ],
)
def test_what_the_page_itself_says(page: bytes, expected: bool) -> None:
    """A `meta` in the head, and nothing that only looks like one."""
    assert expected == lets_in(SHEET, [], page)


def test_other_headers() -> None:
    """What is only reported forbids nothing; a policy of digests lets in no sheet without one."""
    assert lets_in(SHEET, [("content-security-policy-report-only", "default-src 'none'")])
    assert not lets_in(SHEET, [("integrity-policy", "blocked-destinations=(script style)")])
    assert lets_in(SHEET, [("integrity-policy", "blocked-destinations=(script)")])


def test_the_scheme_of_the_page_counts() -> None:
    """`https:` is no word for a page that came by http."""
    assert not lets_in(SHEET.replace("https", "http"), [("content-security-policy", "style-src https:")])
    assert lets_in(SHEET.replace("https", "http"), [("content-security-policy", "style-src http:")])
