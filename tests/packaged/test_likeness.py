# SPDX-License-Identifier: GPL-3.0-or-later
"""What may vary between two answers, and what may not."""

from __future__ import annotations

import pytest

from tests.corpus.client import Response, parse

from .likeness import likeness

HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 15:00:0%d GMT\r\nSet-Cookie: id=%b; path=/; HttpOnly\r\n"
    b"Content-Type: text/html\r\n\r\n"
)
PAGE = b'<p>Good day</p>\n<input name="token" value="%b">\n<p>Served in %b s</p>\n'


def answer(second: int, cookie: bytes, token: bytes, took: bytes) -> Response:
    """A page with a clock, a cookie, a nonce and a duration."""
    found = parse(HEAD % (second, cookie) + PAGE % (token, took))
    assert found
    return found


def changed(old: bytes, new: bytes) -> Response:
    """A third answer of the same site, with something changed in it."""
    raw = (HEAD % (7, b"c3c3c3") + PAGE % (b"q/3+", b"0.031")).replace(old, new)
    found = parse(raw)
    assert found
    return found


TWO = likeness(answer(1, b"a1a1a1", b"x+7/", b"0.012"), answer(4, b"b2b2b2", b"y9/z", b"0.2"))


def test_what_varied_may_vary() -> None:
    """Another instant, cookie, nonce and duration: alike, and it is counted how much was let vary."""
    assert TWO.difference(changed(b"", b"")) == ""
    assert TWO.difference(changed(b"15:00:07", b"15:13:42")) == ""
    assert (TWO.body.varying, TWO.masked_headers) == (len(b"y9/z") + len(b"0.2"), 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"200 OK", b"503 OK"),
        (b"Good day", b"Good night"),
        (b"</p>\n<input", b"</p>\n<hr>\n<input"),
        (b"q/3+", b'q" onclick="x'),
        (b"q/3+", b"a token that is very much longer than before"),
        (b"; HttpOnly", b""),
        (b"text/html", b"text/plain"),
        (b"Content-Type", b"X-Piquet: x\r\nContent-Type"),
        (b"Set-Cookie: id=c3c3c3; path=/; HttpOnly\r\n", b""),
        (b"Served", b""),
    ],
)
def test_all_else_may_not(old: bytes, new: bytes) -> None:
    """A status, a word, a line, markup in the place of a word, a header more or less: seen."""
    assert TWO.difference(changed(old, new)) != ""


def test_what_few_may_see_tells_caches_so_and_is_alike_else() -> None:
    """Only headers for caches may come or go, and one that forbids them to keep it has to."""
    kept, told = b"Content-Type", b"Expires: 0\r\nCache-Control: private, no-store\r\nContent-Type"
    assert TWO.difference(changed(kept, told)) != ""
    assert TWO.difference_apart(changed(kept, told), must_say=True) == ""
    assert TWO.difference_apart(changed(kept, kept), must_say=True) == "a cache may keep it"
    assert TWO.difference_apart(changed(kept, kept), must_say=False) == ""
    assert TWO.difference_apart(changed(b"Good day", b"Good night"), must_say=False) != ""


def test_no_answer_is_not_alike() -> None:
    """A closed connection is a difference."""
    assert TWO.difference(None) == "no answer"


def test_a_status_that_varies_is_refused() -> None:
    """Nothing can be said of a third answer, so nothing is."""
    with pytest.raises(ValueError, match="not the same twice: 200"):
        likeness(changed(b"", b""), changed(b"200", b"503"))


def test_a_file_must_come_in_the_same_form() -> None:
    """Whether a program's answer is counted or chunked depends on its pace, a file's answer never."""
    chunked = (b"Content-Type", b"Transfer-Encoding: chunked\r\nContent-Type")
    body = (b"\r\n\r\n", b"\r\n\r\n%x\r\n" % len(PAGE % (b"q/3+", b"0.031")))
    raw = (HEAD % (7, b"c3c3c3") + PAGE % (b"q/3+", b"0.031")).replace(*chunked).replace(
        *body
    ) + b"\r\n0\r\n\r\n"
    program = parse(raw)
    file = changed(b"Content-Type", b"Accept-Ranges: bytes\r\nContent-Length: 93\r\nContent-Type")
    assert TWO.difference(program) == ""
    assert "content-length" in likeness(file, file).difference(
        changed(b"Content-Type", b"Accept-Ranges: bytes\r\nContent-Type")
    )
