# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of every kind: methods × addresses × with and without the secret cookie, and unusual shapes.

Plain data. `standard` is the list of an ordinary run, `full` that of `--long`: every method for every address, with
and without the cookie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .upstream import PAGES as _PAGES

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
SITE_PATHS = (
    "/",
    "/files/one.txt",
    "/style.css",
    "/deep/er/missing",
    "/?q=1&x=%20",
    "/own-error",
    "/api/x",
    "/robots.txt",
    "/.well-known/acme-challenge/t",
    "/api/../x",
    "/api/%2e%2e/x",
    "/api/..%2fx",
    "/.well-known/piquet/",
    "/.well-known/piquet/strike.css",
    "/.well-known/piquet/fr.html",
    "/.well-known/piquet/missing.css",
    "/.well-known/piquet.json",
    "/.well-known/piquet/bypass/",
    "/piquet:~1",
    "/piquet:page/1/fr.html",
    "/piquet-bypass:door",
    "/~1",
)
PAGES = (*(name.decode() for name in _PAGES), "gzip", "chunked")
_CORE_PATHS = frozenset({"/", "/api/x", "/deep/er/missing", "/.well-known/piquet.json", "/own-error"})
_POSTED_PATHS = frozenset(
    {"/files/one.txt", "/robots.txt", "/api/../x", "/.well-known/piquet/strike.css", "/piquet:~1"}
)
_BODY = b"field=0123456789abcdefghij"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True)
class Case:
    """One connection: what is sent on it, and what the table of answers should make of it.

    Attributes:
        method: of the (first) request.
        target: as sent.
        headers: name → value, in order; Host and Connection are added.
        source: local address that the server sees.
        sent: the exact bytes with `@HOST@` for the name, where the plain form above is not enough.
        means: target for the table of answers; None = the table has no row, only sameness is checked.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    source: str = "127.0.0.1"
    sent: bytes | None = None
    means: str | None = field(default="")

    @property
    def meaning(self) -> str | None:
        """The target as the table of answers sees it."""
        return self.target if self.means == "" else self.means

    @property
    def body(self) -> bytes:
        """The body of the plain form."""
        return _BODY if self.method in _WITH_BODY else b""

    @property
    def is_for_http2(self) -> bool:
        """Whether it is also asked over HTTP/2: core addresses in plain form, from the usual address."""
        is_plain = self.sent is None and self.source == "127.0.0.1"
        return is_plain and self.target in _CORE_PATHS and self.method in ("GET", "HEAD", "POST", "PUT")

    def bytes(self, host: str) -> bytes:
        """What goes over the wire to a host."""
        if self.sent is not None:
            return self.sent.replace(b"@HOST@", host.encode())
        body = self.body
        fields: dict[str, str] = {"Host": host, **dict(self.headers)}
        if body:
            fields |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
        fields.setdefault("Connection", "close")
        lines = [
            f"{self.method} {self.target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in fields.items()),
            "",
            "",
        ]
        return "\r\n".join(lines).encode() + body

    def __str__(self) -> str:
        """For a report: the request line and what is special about it."""
        shown = [f"{self.method} {self.target}", *(f"{name}: {value}" for name, value in self.headers)]
        return " | ".join(shown + ([f"from {self.source}"] if self.source != "127.0.0.1" else []))


def standard(own: Sequence[str], secret: str, cookie_name: str) -> tuple[Case, ...]:
    """The ordinary list: all methods on the core addresses, GET (some POST) on the rest; some with the cookie.

    Args:
        own: addresses of ours besides `SITE_PATHS`, the staged files' own among them.
        secret: of the bypass.
        cookie_name: of the bypass.
    """
    cookie = (("Cookie", f"a=b; {cookie_name}={secret}"),)
    paths = (*SITE_PATHS, *own)
    plain = [Case(method, path) for path in paths for method in _methods(path)]
    passed = [
        Case(method, path, cookie)
        for path in SITE_PATHS
        for method in _methods(path)
        if path == "/" or (method == "GET" and path in _CORE_PATHS | _POSTED_PATHS)
    ]
    return (*plain, *variants(secret, cookie_name), *shapes(), *passed)


def _methods(path: str) -> tuple[str, ...]:
    return METHODS if path in _CORE_PATHS else ("GET", "POST") if path in _POSTED_PATHS else ("GET",)


def full(own: Sequence[str], secret: str, cookie_name: str) -> tuple[Case, ...]:
    """The long list: every method for every address, with and without the cookie."""
    cookie = (("Cookie", f"a=b; {cookie_name}={secret}"),)
    paths = (*SITE_PATHS, *own)
    plain = [Case(method, path) for path in paths for method in METHODS]
    passed = [Case(method, path, cookie) for path in paths for method in METHODS]
    return (*plain, *variants(secret, cookie_name), *shapes(), *passed)


def of_mode(usual_cookie: str) -> tuple[Case, ...]:
    """What is asked besides when a front page is occupied or pages carry a banner.

    Args:
        usual_cookie: name of the cookie of whoever asked for the usual page.
    """
    pages = [Case(method, f"/page/{name}") for name in PAGES for method in ("GET", "HEAD")]
    pages += [Case("POST", "/page/plain"), Case("GET", "/page/plain", (("Accept-Encoding", "gzip"),))]
    pages += [
        Case("GET", path, (("Sec-Fetch-Dest", kind), ("Sec-Fetch-Site", place)))
        for path in ("/", "/page/plain")
        for kind, place in (("iframe", "cross-site"), ("iframe", "same-origin"), ("document", "none"))
    ]
    fronts = [
        Case(method, target)
        for target in (
            "/?piquet=usual",
            "/?piquet=usual&x",
            "/?x",
            "/files/one.txt?piquet=usual",
            "/files/one.txt?a=1",
            "//",
        )
        for method in ("GET", "HEAD", "POST")
    ]
    fronts += [
        Case("GET", target, (("Cookie", cookie),))
        for target in ("/", "/files/one.txt", "/?piquet=usual")
        for cookie in (
            f"{usual_cookie}=usual",
            f"a=b; {usual_cookie}=usual; c=d",
            f"{usual_cookie}=x",
            f"x{usual_cookie}=usual",
        )
    ]
    pages += [Case("GET", "/"), Case("GET", "/?banner", (("Accept-Language", "en"),))]
    return (*pages, *fronts)


def with_cookie(cases: Iterable[Case]) -> Mapping[bool, tuple[Case, ...]]:
    """Split by whether the secret cookie is sent.

    Each part is asked of a freshly started server, so that limits and caches repeat.
    """
    kept = tuple(cases)
    return {flag: tuple(case for case in kept if _has_cookie(case) is flag) for flag in (False, True)}


def _has_cookie(case: Case) -> bool:
    return any(name == "Cookie" and value.startswith("a=b") for name, value in case.headers)


def variants(secret: str, cookie_name: str) -> Iterator[Case]:
    """Languages, forms, conditions, encodings, cookies that are not ours, networks, and addresses beside a door."""
    for wanted in (
        "en",
        "fr-CA,en;q=0.5",
        "de;q=0, es",
        "pt-BR, de;q=0.9",
        "FR",
        "en;q=0,fr;q=0.1",
        "*",
        "xx-en",
    ):
        yield Case("GET", "/", (("Accept-Language", wanted),))
    for wanted in (
        "application/json",
        "application/problem+json",
        "text/html,application/json",
        "*/*",
        "APPLICATION/JSON",
    ):
        yield Case("GET", "/deep/er/missing", (("Accept", wanted), ("Accept-Language", "fr")))
        yield Case("POST", "/", (("Accept", wanted),))
    yield Case("GET", "/", (("Accept-Encoding", "gzip, br"),))
    yield Case("GET", "/api/x", (("Accept-Encoding", "gzip"),))
    yield Case("GET", "/", (("If-None-Match", "*"), ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")))
    yield Case("GET", "/", (("If-Match", '"none"'), ("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT")))
    yield Case("GET", "/files/one.txt", (("Range", "bytes=1-2"),))
    yield Case("GET", "/", (("Authorization", "Basic cGlja2V0Om9wZW4="),))
    yield Case("GET", "/", (("X-Piquet", "forged"),))
    for name, value in (
        (cookie_name, "classic"),
        (cookie_name, secret[:-1]),
        (f"x{cookie_name}", secret),
        (cookie_name, secret + "0"),
    ):
        yield Case("GET", "/", (("Cookie", f"{name}={value}"),))
    yield Case("GET", f"/.well-known/piquet/bypass/{secret[:-1]}")
    yield Case("GET", f"/.well-known/piquet/bypass/{secret}?x=1")
    yield Case("GET", "/", source="127.0.0.9")
    yield Case("POST", "/deep/er/missing", source="127.0.0.9")
    yield Case("GET", "/api")
    yield Case("GET", "/apix")
    yield Case("GET", "/api/?a=/../b")
    yield Case("GET", "/robots.txt?v=2")
    yield Case("GET", "/robots.txtx")
    yield Case("GET", "/%61pi/x")
    yield Case("GET", "//api/x")
    yield Case("GET", "/x/../api/x")


def shapes() -> Iterator[Case]:
    """Requests of unusual form. Where the server answers 400 by itself the table has no row, but sameness holds."""
    close = b"\r\nConnection: close\r\n\r\n"
    yield _shape("GET", "http://…/", b"GET http://@HOST@/ HTTP/1.1\r\nHost: @HOST@" + close, "/")
    yield _shape(
        "GET", "http://…/api/x", b"GET http://@HOST@/api/x HTTP/1.1\r\nHost: @HOST@" + close, "/api/x"
    )
    yield _shape("GET", "upper-case host with port", b"GET / HTTP/1.1\r\nHost: @HOST@:8080" + close, "/")
    yield _shape("GET", "trailing dot", b"GET / HTTP/1.1\r\nHost: @HOST@." + close, None)
    yield _shape("GET", "HTTP/1.0", b"GET / HTTP/1.0\r\nHost: @HOST@\r\n\r\n", "/")
    yield _shape("GET", "no host", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", None)
    yield _shape("GET", "piquet:~1 without a slash", b"GET piquet:~1 HTTP/1.1\r\nHost: @HOST@" + close, None)
    yield _shape("GET", "encoded colon", b"GET /piquet%3A~1 HTTP/1.1\r\nHost: @HOST@" + close, "/piquet%3A~1")
    yield _shape("GET", "broken escape", b"GET /%zz HTTP/1.1\r\nHost: @HOST@" + close, None)
    yield _shape("GET", "long line", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: @HOST@" + close, None)
    yield _shape("BREW", "/ (unknown method)", b"BREW / HTTP/1.1\r\nHost: @HOST@" + close, "/")
    yield _shape(
        "CONNECT", "example.org:443", b"CONNECT example.org:443 HTTP/1.1\r\nHost: @HOST@" + close, None
    )
    yield _shape(
        "GET",
        "/socket/once (upgrade)",
        b"GET /socket/once HTTP/1.1\r\nHost: @HOST@\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        "/socket/once",
    )
    yield _shape("PROPFIND", "/", b"PROPFIND / HTTP/1.1\r\nHost: @HOST@\r\nDepth: 0" + close, "/")
    chunked = (
        b"POST / HTTP/1.1\r\nHost: @HOST@\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1a\r\n"
        + _BODY
        + b"\r\n0\r\n\r\n"
    )
    yield _shape("POST", "chunked body", chunked, "/")
    expecting = (
        b"POST / HTTP/1.1\r\nHost: @HOST@\r\nContent-Length: 26\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        + _BODY
    )
    yield _shape("POST", "Expect: 100-continue", expecting, None)
    kept = b"POST /deep/er/missing HTTP/1.1\r\nHost: @HOST@\r\nContent-Length: 26\r\n\r\n" + _BODY
    yield _shape(
        "POST", "then GET on the same connection", kept + b"GET / HTTP/1.1\r\nHost: @HOST@" + close, None
    )


def of_kind(paths: Sequence[str]) -> tuple[Case, ...]:
    """What is asked of the addresses that a kind has for itself."""
    return tuple(Case(method, path) for path in paths for method in ("GET", "POST"))


def _shape(method: str, target: str, sent: bytes, means: str | None) -> Case:
    return Case(method, target, sent=sent, means=means)
