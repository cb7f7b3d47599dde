# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a page the site's own with exactly one banner in it, and nothing else? By the rule of `piquet.banner`."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from piquet import banner

from .client import Response

CHANGED = frozenset({
    "content-length", "transfer-encoding", "etag", "last-modified", "accept-ranges", "cache-control", "expires",
    "content-encoding", "vary",
})  # fmt: skip
"""Headers that a page with a banner may have otherwise: its length, its validators, and what keeps it from caches."""
_LIFETIME = re.compile(r"max-age=0*[1-9]")


def plain(response: Response) -> Response:
    """The answer before a server compressed it on its way."""
    if response.values("content-encoding") != ["gzip"] or not response.body:
        return response
    headers = tuple(pair for pair in response.headers if pair[0] != "content-encoding")
    return replace(response, headers=headers, body=gzip.decompress(response.body))


def last_answer(received: bytes) -> bytes:
    """The last of several answers on a connection, such as the one behind a 100."""
    return received[max(received.rfind(b"HTTP/1.1 "), 0) :]


def could_carry(usual: Response) -> bool:
    """Whether the rule of the table would put a banner into the site's own answer."""
    return (
        banner.can_carry(usual.status, _fields(usual))
        and banner.insert_banner(usual.body, b"*") != usual.body
    )


def wrong(usual: Response | None, got: Response | None, fragment: bytes) -> list[str]:
    """Why an answer that is not as without us is no page with one banner either; empty if it is."""
    if usual is None or got is None:
        return ["no answer"]
    was, now = plain(usual), plain(got)
    if not banner.can_carry(was.status, _fields(was)):
        return ["changed, though it cannot carry one"]
    if now.body == was.body:
        return list(_only_stored(was, now))
    return list(_carrying(was, now, fragment))


def _only_stored(usual: Response, got: Response) -> Iterator[str]:
    """A page whose body could have carried one: its headers may be those of one that does."""
    kept = [pair for pair in usual.headers if pair[0] not in CHANGED]
    if [pair for pair in got.headers if pair[0] not in CHANGED] != kept:
        yield "headers of a page without a banner"


def _carrying(usual: Response, got: Response, fragment: bytes) -> Iterator[str]:
    if got.status != usual.status:
        yield f"status {got.status}"
    if _small(got.body) != _small(banner.insert_banner(usual.body, fragment)):
        yield f"body of {len(got.body)} bytes, {got.body.count(fragment)} banners"
    kept = [pair for pair in usual.headers if pair[0] not in CHANGED]
    if [pair for pair in got.headers if pair[0] not in CHANGED] != kept:
        yield "headers"
    yield from (f"{name} is there" for name in ("etag", "last-modified") if got.values(name))
    stored = ", ".join(got.values("cache-control"))
    if "no-store" not in stored and ("no-cache" not in stored or _LIFETIME.search(stored)):
        yield "caches may keep it"


def _small(body: bytes) -> bytes:
    """nginx's sub_filter writes the names of the tags in small letters."""
    return re.sub(rb"(?i)</head>|<body", lambda match: match[0].lower(), body)


def _fields(response: Response) -> Mapping[str, str]:
    return dict(response.headers)
