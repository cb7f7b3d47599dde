# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample site: a small journal with a front page and an article, which every phase is shown over.

It sends the strictest policy that sites usually have, so that a page which needs more is seen to break here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from piquet import resources

PATHS: Mapping[str, str] = {"/": "front.html", "/article": "article.html", "/journal.css": "journal.css"}
"""Every address of the sample site, and its file in `templates/preview/site`."""

POLICY = "default-src 'self'"
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8"}


@dataclass(frozen=True)
class SampleReply:
    """One answer as it goes over the wire; header names as written."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def sample_page(path: str) -> SampleReply:
    """What the site itself answers, whatever the method.

    Args:
        path: of the request, without its query.
    """
    common = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    if path not in PATHS:
        return SampleReply(404, {**common, "Content-Type": "text/plain; charset=utf-8"}, b"Not found.\n")
    kind = _TYPES[PATHS[path].rpartition(".")[2]]
    return SampleReply(200, {**common, "Content-Type": kind}, _files()[path])


@cache
def _files() -> Mapping[str, bytes]:
    folder = resources.templates() / "preview" / "site"
    return {path: (folder / name).read_bytes() for path, name in PATHS.items()}
