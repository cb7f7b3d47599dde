# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site answers: the one table.

Configuration (`piquet.servers`), probes (`piquet.verify`) and tests all take their truth from here: the
paths that are ours, the doors, the headers of each answer, the order of the rules. Nothing here opens a
file, asks the network or reads a clock.
"""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import Literal

from piquet import outlook
from piquet.campaign.model import Campaign, Doors, Phase
from piquet.protocol.http import (
    ABOUT_PATH,
    ASSET_PREFIX,
    NONCE_HEADER,
    PROOF_PREFIX,
    REHEARSAL_WORD,
    SIGN_HEADER,
    TARGETED,
)

BYPASS_COOKIE = "piquet_bypass"
ABOUT_FILE = "piquet.json"
BYPASS_PREFIX = "/.well-known/piquet/bypass/"
STYLE_ASSET = "strike.css"
BANNER_STYLE_ASSET = "banner.css"
STYLE_ASSETS: Mapping[str, str] = {"block": STYLE_ASSET, "occupy": STYLE_ASSET, "banner": BANNER_STYLE_ASSET}
"""Mode → the asset that each of its phases has for certain."""

USUAL_QUERY = "piquet=usual"
"""An occupied path with exactly this query is the link to the usual page: it works without a script, from any page."""

REHEARSAL_COOKIE = "piquet_rehearsal"

ROBOTS: Mapping[str, str] = {"block": "noindex", "occupy": "noarchive, nosnippet"}
"""A front page that is occupied for a day stays in the index, but none of the strikers' words are kept there."""


BUILT_IN_DOORS = ("/.well-known/acme-challenge/", "/robots.txt")
"""Always open, so that certificates renew (RFC 8555 §8.3) and crawlers keep their rules (RFC 9309 §2.3.1)."""

NOT_A_DOOR = r"^[^?]*(?:\.\.|%2e)"
"""A target that climbs is never a door: `..` anywhere, in either spelling, since servers decode `%2f` too."""

HTML_TYPE = "text/html; charset=utf-8"
PROBLEM_TYPE = "application/problem+json"  # RFC 9457
CONTENT_TYPES: Mapping[str, str] = {
    "html": HTML_TYPE,
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "woff2": "font/woff2",
}
"""Extension of an asset → its Content-Type. No SVG: it can hold a script."""
WANTS_JSON = r"^(?!.*text/html).*application/(?:[a-z0-9.-]+\+)?json"
"""An `Accept` that names JSON and not HTML gets JSON; matched without regard to case."""

EMBEDDING = ("iframe", "frame", "embed", "object")
"""`Sec-Fetch-Dest` of a page in a frame; from another origin (`Sec-Fetch-Site`) it carries no banner."""


_PLAIN = frozenset(string.ascii_letters + string.digits + "/_-~")
_VALIDATORS = ("ETag", "Last-Modified", "Accept-Ranges", "Content-Range", "Content-Encoding", *TARGETED)

NEVER_ALIKE = "*"
"""The one value of the one `Vary` of every answer of ours: no other request is ever answered by it.

A service worker of the site's own is bound by no Cache-Control, but it cannot keep such an answer. Beside another name,
in one line or two, the star is overlooked by some caches.
Source: RFC 9110, 12.5.5; Service Workers, 5.4.4 `Cache.put`; vcl_beresp_control of Varnish's builtin.vcl.
"""

AnswerKind = Literal[
    "page",
    "json",
    "front",
    "to-usual",
    "banner",
    "about",
    "asset",
    "bypass",
    "rehearsal",
    "proof",
    "usual",
    "refused",
]


@dataclass(frozen=True)
class SiteRequest:
    """One request as a client sends it.

    Attributes:
        method: in capitals.
        target: the request target as sent, path and query, still encoded.
        host: host name without port, lower case.
        headers: lower-case names.
        remote: the client's address as the server sees it.
    """

    method: str
    target: str
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    remote: str = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What must come back.

    Attributes:
        kind: the row of the table. `usual` = as if we were not there; `banner` = the same, but for the one
            banner in a page that can carry it (`piquet.banner`); `refused` = the server may refuse before any
            rewriting (405), else it is the strike page.
        status: HTTP status, None where the site decides.
        headers: headers that must have exactly this value.
        absent: headers that must not be there.
        language: language tag of the body, "" where there is none.
        mark: of the one banner in a page that can carry it, "" for every other kind.
        is_apart: whether it is the site's own for this visitor and ours for all others, so that no cache between may
            keep it: what keeps it from them is set, where the owner leaves it a place, and nothing else differs.
    """

    kind: AnswerKind
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    language: str = ""
    mark: str = ""
    is_apart: bool = False


USUAL = Answer("usual", absent=(SIGN_HEADER, NONCE_HEADER))
APART = Answer("usual", absent=(SIGN_HEADER, NONCE_HEADER), is_apart=True)
APART_STORE = "private, no-store"
"""Cache-Control of a site's own answer that only somebody with a key to it gets: a cookie of ours, or a network."""


def sign(campaign: Campaign, phase: Phase) -> str:
    """Value of `X-Piquet`, e.g. `greve-2026-12-17/1/block`."""
    return f"{campaign.name}/{phase.number}/{phase.mode}"


def proof_sign(campaign: Campaign) -> str:
    """Value of `X-Piquet` where a server proves itself, outside of every phase."""
    return f"{campaign.name}/proof"


def rehearsed_at(clock: str, number: int, back: Sequence[str]) -> str:
    """Regular expression (PCRE) on a clock and a rehearsal's word behind it, if the word is good by that clock.

    Args:
        clock: expression for the clock, whose groups are the first seven digits of its seconds, the eighth, the ninth.
        number: of the phase.
        back: how these three groups are referred to.
    """
    whole = REHEARSAL_WORD.replace("[1-9][0-9]?", str(number), 1)
    thousands, hundreds, tens = back
    good = rf"(?:-{thousands}[0-9]*?{hundreds}|_{thousands}{hundreds}[0-9]*?{tens})"
    return rf"{clock}(?={whole}(?::|$)){number}-[0-9a-f]{{32}}(?:-[0-9]+)*?{good}"


def retry_after(campaign: Campaign, phase: Phase) -> str:
    """End of a block as an HTTP-date, of all blocks that touch it. Source: RFC 9110 §10.2.3 and §5.6.7."""
    return format_datetime(outlook.whole(campaign, phase).end_at, usegmt=True)


def common_headers(campaign: Campaign, phase: Phase) -> dict[str, str]:
    """Headers of every answer of ours: never stored, never indexed, always recognisable."""
    return {
        "Cache-Control": "no-store",
        "Vary": NEVER_ALIKE,
        "X-Robots-Tag": ROBOTS["block"],
        SIGN_HEADER: sign(campaign, phase),
    }


def occupied_pattern(paths: Sequence[str], end: str = "$") -> str:
    """Regular expression (PCRE and Python) for a target that is occupied: one of the paths as sent, with any query."""
    return "(?:" + "|".join(pcre_literal(path) for path in paths) + rf")(?:\?|{end})"


def usual_cookie_name(campaign: Campaign, phase: Phase) -> str:
    """Of campaign and phase, so that it opens nothing else."""
    return f"piquet-{campaign.name}-{phase.number}"


def usual_cookie(campaign: Campaign, phase: Phase) -> str:
    """The session cookie of somebody who asked for the usual page. Source: RFC 6265bis §4.1."""
    return f"{usual_cookie_name(campaign, phase)}=usual; Path=/; HttpOnly; SameSite=Lax"


def rehearsal_cookie(word: str) -> str:
    """The cookie of a rehearsal; `word` matches `REHEARSAL_WORD`, or is the server's variable that does."""
    return f"{REHEARSAL_COOKIE}={word}; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax"


def asset_names(files: Iterable[str], number: int) -> tuple[str, ...]:
    """Names below `/.well-known/piquet/` in a phase, sorted, of the files that the renderer made for it."""
    folder = f"asset/{number}/"
    names = {file.removeprefix(folder) for file in files if file.startswith(folder)}
    return tuple(sorted(names - {ABOUT_FILE}))


def content_type(name: str) -> str:
    """Content-Type of an asset by its extension.

    Raises:
        KeyError: an extension that no asset has.
    """
    return CONTENT_TYPES[name.rpartition(".")[2]]


def door_pattern(doors: Doors, end: str = "$") -> str:
    """Regular expression (PCRE and Python) for a target that is open to everybody; anchor it at its start.

    A path ending in `/` opens what is below it; any other opens itself, with a query, and what is below it.

    Args:
        doors: the campaign's own, added to the built-in ones.
        end: what ends a target: the end of the text, or a space where a whole request line is matched.
    """
    return "(?:" + "|".join(_door(path, end) for path in (*BUILT_IN_DOORS, *doors.paths)) + ")"


def at_host(campaign: Campaign, health_paths: Iterable[str]) -> Campaign:
    """The campaign as it is on a host whose balancer asks these paths: they are doors there, like all others.

    Args:
        campaign: what was decided.
        health_paths: of the host, as the inventory names them.
    """
    paths = {*campaign.doors.paths, *health_paths}
    return replace(campaign, doors=replace(campaign.doors, paths=tuple(sorted(paths))))


def pcre_literal(text: str) -> str:
    """Escape text so that it stands for itself in PCRE and Python, in any quoting of nginx and Apache."""
    return "".join(char if char in _PLAIN else f"\\x{ord(char):02x}" for char in text)


def language_pattern(languages: Sequence[str], group: str = "language") -> str:
    """Expression on `Accept-Language` whose named group is the first language of the visitor that we have.

    Entries with `q=0` are skipped; the visitor's order counts, as browsers send it best first.
    Matched without regard to case. Source: RFC 9110 §12.5.4.
    """
    names = "|".join(pcre_literal(name) for name in sorted(languages, key=len, reverse=True))
    weight = r"(?:; *q=(?!0(?:\.0*)? *(?:,|$))[0-9.]+ *)?"
    return rf"^(?:[^,]*,)*? *(?P<{group}>{names})(?:-[a-z0-9-]+)? *{weight}(?:,|$)"


def pick_language(languages: Sequence[str], accept_language: str) -> str:
    """The language a visitor gets; the campaign's first one where nothing fits."""
    found = re.match(language_pattern(languages), accept_language, re.IGNORECASE)
    by_lower = {name.lower(): name for name in languages}
    return by_lower[found["language"].lower()] if found else languages[0]


def expect(
    campaign: Campaign,
    phase: Phase | None,
    request: SiteRequest,
    secret: str | None,
    assets: Collection[str],
    proofs: Collection[str] = (),
) -> Answer:
    """The row of the table for one request to a *selected* site.

    Args:
        campaign: what was decided.
        phase: the phase in force at that instant, None before, between and after.
        request: what the client sends.
        secret: the bypass secret, None where the campaign has none.
        assets: names below `/.well-known/piquet/`.
        proofs: words whose file is there at that instant, on the host itself.
    """
    if request.target.startswith(PROOF_PREFIX) and request.target[len(PROOF_PREFIX) :] in proofs:
        headers = {"Cache-Control": "no-store", "Vary": NEVER_ALIKE, SIGN_HEADER: proof_sign(campaign)}
        return Answer("proof", 204, headers, (*_VALIDATORS, "Retry-After", "Set-Cookie"))
    if phase is None or _is_door(campaign.doors, request):
        return USUAL
    if _has_key(campaign.doors, request, secret):
        return APART if _is_taken(phase, request) else USUAL
    own = _own_address(campaign, phase, request, secret, assets)
    return _with_nonce(own or _MODES[phase.mode](campaign, phase, request), request, proofs)


def _with_nonce(answer: Answer, request: SiteRequest, proofs: Collection[str]) -> Answer:
    """An answer of ours repeats the request's word while its file is there; pages of the site never do."""
    nonce = request.headers.get(NONCE_HEADER.lower(), "")
    if SIGN_HEADER in answer.headers and nonce in proofs:
        return replace(answer, headers={**answer.headers, NONCE_HEADER: nonce})
    return replace(answer, absent=(*answer.absent, NONCE_HEADER))


def _is_door(doors: Doors, request: SiteRequest) -> bool:
    """Whether a target is open to everybody."""
    climbs = re.match(NOT_A_DOOR, request.target, re.IGNORECASE)
    return not climbs and bool(re.match(door_pattern(doors), request.target))


def _has_key(doors: Doors, request: SiteRequest, secret: str | None) -> bool:
    """Whether this visitor sees the site as usual: by the network, or by the testers' cookie."""
    remote = ipaddress.ip_address(request.remote)
    by_network = any(remote in ipaddress.ip_network(network) for network in doors.networks)
    return by_network or bool(secret and _holds_cookie(request, BYPASS_COOKIE, secret))


def _is_taken(phase: Phase, request: SiteRequest) -> bool:
    """Whether visitors without a key get something of ours in the place of a page."""
    is_occupied = request.method in ("GET", "HEAD") and request.target.partition("?")[0] in phase.paths
    return phase.mode == "block" or is_occupied


def _holds_cookie(request: SiteRequest, name: str, value: str) -> bool:
    pairs = (part.strip() for part in request.headers.get("cookie", "").split(";"))
    return f"{name}={value}" in pairs


def _own_address(
    campaign: Campaign, phase: Phase, request: SiteRequest, secret: str | None, assets: Collection[str]
) -> Answer | None:
    """The answer for one of our own addresses, None for any other request; only GET and HEAD have them."""
    path = request.target.partition("?")[0]
    if request.method not in ("GET", "HEAD"):
        return None
    headers = common_headers(campaign, phase)
    absent = (*_VALIDATORS, "Retry-After")
    if path == ABOUT_PATH:
        return Answer("about", 200, {**headers, "Content-Type": "application/json"}, absent)
    if path.startswith(ASSET_PREFIX) and (name := path[len(ASSET_PREFIX) :]) in assets:
        return Answer("asset", 200, {**headers, "Content-Type": content_type(name)}, absent)
    if secret and request.target == BYPASS_PREFIX + secret:  # a query would be carried along by Apache
        return Answer("bypass", 303, {**headers, "Set-Cookie": bypass_cookie(secret)}, absent)
    return None


def bypass_cookie(secret: str) -> str:
    """The session cookie that opens the site for a tester. Source: RFC 6265bis §4.1."""
    return f"{BYPASS_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax"


def _strike(campaign: Campaign, phase: Phase, request: SiteRequest) -> Answer:
    wants_json = re.match(WANTS_JSON, request.headers.get("accept", ""), re.IGNORECASE)
    language = pick_language(campaign.languages, request.headers.get("accept-language", ""))
    kind: AnswerKind = "json" if wants_json else "page"
    headers = {
        **common_headers(campaign, phase),
        "Retry-After": retry_after(campaign, phase),
        "Content-Type": PROBLEM_TYPE if wants_json else HTML_TYPE,
        "Content-Language": language,
    }
    if request.method in ("TRACE", "CONNECT"):
        return Answer("refused", language=language)
    return Answer(kind, 503, headers, (*_VALIDATORS, "Set-Cookie"), language)


def _front(campaign: Campaign, phase: Phase, request: SiteRequest) -> Answer:
    """The strikers' page in the place of an occupied one; nothing else of the site is touched."""
    path, _, query = request.target.partition("?")
    if path not in phase.paths or request.method not in ("GET", "HEAD"):
        return USUAL
    headers = {**common_headers(campaign, phase), "X-Robots-Tag": ROBOTS["occupy"]}
    absent = (*_VALIDATORS, "Retry-After")
    if query == USUAL_QUERY:
        return Answer("to-usual", 303, {**headers, "Set-Cookie": usual_cookie(campaign, phase)}, absent)
    if _holds_cookie(request, usual_cookie_name(campaign, phase), "usual"):
        return APART
    language = pick_language(campaign.languages, request.headers.get("accept-language", ""))
    headers |= {"Content-Type": HTML_TYPE, "Content-Language": language}
    return Answer("front", 200, headers, (*absent, "Set-Cookie"), language)


def _banner(campaign: Campaign, phase: Phase, request: SiteRequest) -> Answer:
    """The page itself, with one banner in it where it can carry one."""
    language = pick_language(campaign.languages, request.headers.get("accept-language", ""))
    if is_embedded(request.headers):
        return USUAL
    return Answer("banner", absent=(SIGN_HEADER,), language=language, mark=sign(campaign, phase))


def is_embedded(headers: Mapping[str, str]) -> bool:
    """Whether a browser loads the page into a frame of another site. Source: W3C Fetch Metadata Request Headers."""
    kind, site = headers.get("sec-fetch-dest", ""), headers.get("sec-fetch-site", "")
    return kind in EMBEDDING and site not in ("", "same-origin")


_MODES = {"block": _strike, "occupy": _front, "banner": _banner}


def _door(path: str, end: str) -> str:
    return pcre_literal(path) if path.endswith("/") else pcre_literal(path) + rf"(?:[/?]|{end})"
