# SPDX-License-Identifier: GPL-3.0-or-later
"""What a banner may do to an answer, and what it may not: every answer of a window of a banner is judged here.

An answer is held against two of the server without us: that to the same request, and that to the *bare* one, without
conditions, ranges and codings that nobody can read. A page has the banner where `piquet.banner` says, once; its
headers differ by those that must. Everything else is one of the two answers, byte for byte.
"""

from __future__ import annotations

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
    """What became of the answers: outcome → how many, the first of each sort of what is wrong, and misses by kind."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, item: Item, outcome: str, why: str = "") -> None:
        """Count an answer; `why` says what is wrong with it."""
        if "missed" in outcome:
            self.missed[item.kind] += 1
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
    """The request without conditions and ranges, and without codings where it is one for a page."""
    kept = [(name, value) for name, value in case.headers if name not in _TAKEN_OFF]
    if _wants_page(case):
        kept = [(name, "identity" if name == "Accept-Encoding" else value) for name, value in kept]
    return replace(case, headers=tuple(kept))


def _wants_page(case: Case) -> bool:
    headers = dict(case.headers)
    kind = headers.get("Sec-Fetch-Dest", "")
    is_navigation = kind in ("document", "iframe", "frame", "embed", "object")
    return is_navigation or (kind in ("", "empty") and "text/html" in headers.get("Accept", ""))


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
    if _accepts(case):
        return "as usual: may come packed", "" if got == usual else _differs(usual, got)
    is_asked_whole = got != usual or usual == plain
    if page is None or not _can_carry(page):
        return "as usual", "" if got in (usual, plain) else _differs(usual, got)
    if got == usual and not is_asked_whole:
        return "as usual: part, unchanged, or in a coding", ""
    if response is None:
        return "wrong", f"no answer ({got.ended})"
    wanted = _with_banner(page, case, fragments)
    has_place = wanted != page.body
    if got == usual or (got == plain and case.method != "HEAD"):
        cause = "asked in part" if got == usual and "Range" in dict(case.headers) else "missed"
        return f"left alone: {cause if has_place else 'no body tag'}", ""
    if case.method == "HEAD":
        return "head of a page", _without_change(page, response, case)
    if not has_place:
        return "a page without a body tag", _without_change(page, response, case)
    return "banner", _without_change(page, response, case, wanted)


def _parse(wire: Wire) -> Response | None:
    """The final answer, behind a `100 Continue`."""
    return parse(wire.received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))


def _with_banner(page: Response, case: Case, fragments: Mapping[str, str]) -> bytes:
    spoken = dict(case.headers).get("Accept-Language", "")
    fragment = fragments[answers.pick_language(tuple(fragments), spoken)]
    return banner.insert_banner(page.body, fragment.encode())


def _without_change(page: Response, response: Response, case: Case, wanted: bytes | None = None) -> str:
    """What differs from the page besides the banner and what must."""
    wrong = [] if response.status == 200 else [f"status {response.status}"]
    kept, had = _others(response), _others(page)
    wrong += [f"headers {sorted(set(kept) ^ set(had))}"] if kept != had else []
    wrong += [f"{name} is there" for name in _VALIDATORS if response.values(name)]
    if response.values("cache-control") != ["no-store"]:
        wrong.append(f"Cache-Control {response.values('cache-control')}")
    body = wanted if wanted is not None else page.body
    if case.method == "HEAD":
        return "; ".join(wrong)
    if _is_cut(response) != _is_cut(page):
        wrong.append("an answer that broke off looks whole")
    if response.body != body:
        wrong.append(f"body of {len(response.body)} bytes instead of {len(body)}: {response.body[:300]!r}")
    return "; ".join(wrong)


def _is_cut(page: Response) -> bool:
    """Whether an answer broke off: shorter than it said, or without its last chunk."""
    length = page.values("content-length")
    is_open = page.values("transfer-encoding") == ["chunked"] and not page.raw.endswith(b"0\r\n\r\n")
    return is_open or bool(length and len(page.body) < int(length[0]))


def _others(response: Response) -> list[tuple[str, str]]:
    return sorted(pair for pair in response.headers if pair[0] not in MUST_CHANGE)


def _can_carry(page: Response) -> bool:
    return banner.can_carry(page.status, dict(page.headers))


def _accepts(case: Case) -> bool:
    """Whether the page may come packed, which no browser is sent in the window."""
    return bool(dict(bare(case).headers).get("Accept-Encoding", "identity") != "identity")


def _differs(usual: Wire, got: Wire) -> str:
    return f"not identical: {usual.received[:400]!r} became {got.received[:400]!r}"
