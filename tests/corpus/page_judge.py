# SPDX-License-Identifier: GPL-3.0-or-later
"""What a banner may do to an answer, and what it may not: every answer of a window of a banner is judged here.

An answer is held against two of the server without us: that to the same request, and that to the *bare* one, without
conditions, ranges and codings that nobody can read. A page has the banner where `piquet.banner` says, once; its
headers differ by those that must. Everything else is one of the two answers, byte for byte.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from piquet import answers, banner

from .cases import Case
from .client import Response, Wire, parse
from .runner import Item

MUST_CHANGE = frozenset(
    {
        "accept-ranges", "cache-control", "content-encoding", "content-length", "content-md5", "etag", "expires",
        "last-modified", "transfer-encoding", "vary",
    }
)  # fmt: skip
"""Headers in which a page with a banner may differ from the same page without: those of its length, form and age, and
`Vary`, since a server leaves a short page as it is only where it knows that it is short."""
_VALIDATORS = ("etag", "last-modified", "accept-ranges", "content-range")
_TAKEN_OFF = ("If-None-Match", "If-Modified-Since", "If-Range", "Range")
_FRAMED = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}


@dataclass
class Count:
    """What became of the answers: outcome → how many, and the first of each sort of what is wrong."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def add(self, item: Item, outcome: str, why: str = "") -> None:
        """Count an answer; `why` says what is wrong with it."""
        self.outcomes[f"{outcome}, by {item.kind}" if "missed" in outcome else outcome] += 1
        if why:
            self.wrong.setdefault(f"{item.kind}: {why[:60]}", f"{item}: {why}")

    def table(self, title: str) -> str:
        """Counts as text."""
        return "\n".join(
            [title, *(f"{count:>7}  {outcome}" for outcome, count in sorted(self.outcomes.items()))]
        )


def pages(paths: Sequence[str]) -> tuple[Case, ...]:
    """What is asked besides: every page as a browser, a crawler and a frame ask for it, in parts and anew."""
    browser = (("Accept", "text/html,*/*;q=0.8"), ("Accept-Encoding", "gzip, deflate, br, zstd"))
    found = []
    for path in paths:
        found += [Case("GET", path), Case("GET", path, browser), Case("HEAD", path, browser)]
        found += [Case("GET", path, (*browser, ("Accept-Language", "en")))]
        found += [Case("GET", path, (("Accept-Encoding", "br"),)), Case("POST", path)]
        for name, value in (
            ("If-None-Match", '"made"'),
            ("Range", "bytes=0-9"),
            ("If-Modified-Since", _LATER),
        ):
            found += [Case("GET", path, ((name, value),)), Case("GET", path, (*browser, (name, value)))]
        found += [Case("GET", path, (*browser, *_FRAMED.items()))]
        found += [Case("GET", path, (*browser, ("Sec-Fetch-Dest", "image"), ("If-None-Match", '"made"')))]
    return tuple(found)


_LATER = "Fri, 11 Dec 2026 00:00:00 GMT"


def bare(case: Case) -> Case:
    """The request without conditions, ranges, and codings but gzip."""
    kept = [(name, value) for name, value in case.headers if name not in _TAKEN_OFF]
    coded = tuple((n, "gzip" if n == "Accept-Encoding" and "gzip" in v else v) for n, v in kept)
    coded = tuple((n, v) for n, v in coded if (n, v) != ("Accept-Encoding", "br"))
    return replace(case, headers=coded)


def judge(case: Case, got: Wire, usual: Wire, plain: Wire, fragments: Mapping[str, str]) -> tuple[str, str]:
    """What became of an answer, and what is wrong with it ("" if nothing is).

    Args:
        case: what was asked; the table of answers says that it may carry a banner.
        got: what came.
        usual: what the server without us answers.
        plain: what it answers to the bare request.
        fragments: language → banner.
    """
    page, response = _parse(plain), _parse(got)
    is_asked_whole = got != usual or usual == plain
    if page is None or not _can_carry(page):
        return "as usual", "" if got in (usual, plain) else _differs(usual, got)
    if got == usual and not is_asked_whole:
        return "as usual: part, unchanged, or in a coding", ""
    if response is None:
        return "wrong", f"no answer ({got.ended})"
    wanted = _with_banner(page, case, fragments)
    has_place = wanted != _decoded(page)
    if got == usual:
        return f"left alone: {'missed' if has_place else 'no body tag'}", ""
    if case.method == "HEAD":
        return "head of a page", _without_change(page, response, case)
    if not has_place:
        return "a page without a body tag", _without_change(page, response, case)
    if _decoded(response) == _decoded(page):
        return "missed: says only behind every filter that it is packed", ""
    return "banner", _without_change(page, response, case, wanted)


def _parse(wire: Wire) -> Response | None:
    """The final answer, behind a `100 Continue`."""
    return parse(wire.received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))


def _with_banner(page: Response, case: Case, fragments: Mapping[str, str]) -> bytes:
    spoken = dict(case.headers).get("Accept-Language", "")
    fragment = fragments[answers.pick_language(tuple(fragments), spoken)]
    return banner.insert(_decoded(page), fragment.encode())


def _without_change(page: Response, response: Response, case: Case, wanted: bytes | None = None) -> str:
    """What differs from the page besides the banner and what must."""
    wrong = [] if response.status == 200 else [f"status {response.status}"]
    kept, had = _others(response), _others(page)
    wrong += [f"headers {sorted(set(kept) ^ set(had))}"] if kept != had else []
    wrong += [f"{name} is there" for name in _VALIDATORS if response.values(name)]
    if response.values("cache-control") != ["no-store"]:
        wrong.append(f"Cache-Control {response.values('cache-control')}")
    body = wanted if wanted is not None else _decoded(page)
    if case.method == "HEAD":
        return "; ".join(wrong)
    if _is_cut(response) != _is_cut(page):
        wrong.append("an answer that broke off looks whole")
    if _decoded(response) != body:
        wrong.append(
            f"body of {len(_decoded(response))} bytes instead of {len(body)}: {_decoded(response)[:300]!r}"
        )
    return "; ".join(wrong)


def _is_cut(page: Response) -> bool:
    """Whether an answer broke off: shorter than it said, or without its last chunk."""
    length = page.values("content-length")
    is_open = page.values("transfer-encoding") == ["chunked"] and not page.raw.endswith(b"0\r\n\r\n")
    return is_open or bool(length and len(page.body) < int(length[0]))


def _others(response: Response) -> list[tuple[str, str]]:
    return sorted(pair for pair in response.headers if pair[0] not in MUST_CHANGE)


def _can_carry(page: Response) -> bool:
    """As `banner.can_carry`; packed pages count where they can be unpacked."""
    headers = {**dict(page.headers), "content-encoding": "identity" if _is_gzip(page) else _coding(page)}
    return banner.can_carry(page.status, headers)


def _coding(page: Response) -> str:
    return next(iter(page.values("content-encoding")), "identity")


def _is_gzip(page: Response) -> bool:
    return _coding(page) in ("gzip", "x-gzip")


def _decoded(page: Response) -> bytes:
    try:
        return gzip.decompress(page.body) if _is_gzip(page) else page.body
    except (OSError, EOFError, zlib.error):
        return page.body


def _differs(usual: Wire, got: Wire) -> str:
    return f"not identical: {usual.received[:400]!r} became {got.received[:400]!r}"
