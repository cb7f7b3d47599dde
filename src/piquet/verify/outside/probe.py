# SPDX-License-Identifier: GPL-3.0-or-later
"""The IO edge: one request to one address, one observation; nothing is judged here.

A site's name is never looked up: we connect to the target's address and say the name in SNI and Host.
Redirects are not followed, bodies not decompressed, cookies not kept, no proxy used.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType

import aiohttp
from yarl import URL

from piquet import __version__, banner, style_policy
from piquet.answers import BANNER_STYLE_ASSET
from piquet.protocol.http import ASSET_PREFIX
from piquet.verify.observation import UNKNOWN_SITE, Observation, Question, Target
from piquet.verify.outside import proxied

BODY_LIMIT_BYTES = 32 * 1024 * 1024
_PARTING_S = 0.25
"""In which the other side takes leave of a TLS connection. Source: aiohttp, "Graceful Shutdown"."""
_BAD_REQUEST = 400
_MISDIRECTED = 421
"""Asks for another connection. Source: RFC 9110 section 15.5.20."""
_OF_A_CONNECTION = ("closed:", "protocol:")
"""Errors that a kept connection alone may bring: closed meanwhile, at a limit, or for a change of name (mpm-itk), or
with bytes of an earlier answer in it. Source: RFC 9112 sections 9.3.1 and 9.5."""
_CLOSED_OFTEN = 3
"""So many closed connections, and a door gets a new one for every question."""
_USER_AGENT = f"piquet-verify/{__version__}"
_SKIP = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})


class Prober:
    """An asynchronous context that asks questions; one per run.

    Connections are kept open between the questions to one target, and between targets of one plain-HTTP
    door, as browsers do, and as browsers do a question is asked again on a new one where a kept one was closed on it.
    A POST always gets a fresh one, since it may not be repeated.
    """

    def __init__(self, timeout_s: float = 10.0, ca_file: str | None = None) -> None:
        """Prepare TLS.

        Args:
            timeout_s: for one request, from connecting to the last byte.
            ca_file: certificate authorities in PEM that count besides the system's own.

        Raises:
            OSError: the file cannot be read, or holds no certificate (`ssl.SSLError`).
        """
        self._timeout_s = timeout_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2)
        self._checked = ssl.create_default_context()
        if ca_file:
            self._checked.load_verify_locations(cafile=ca_file)
        self._unchecked = ssl._create_unverified_context()  # noqa: S323 - judged first, see _certificate
        self._certificates: dict[tuple[str, int, str], str] = {}
        self._closed: Counter[tuple[str, int]] = Counter()
        self._speaks_tls = False

    async def __aenter__(self) -> Prober:
        """Open the two pools of connections."""
        self._kept, self._fresh = self._session(is_fresh=False), self._session(is_fresh=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._kept.close()
        await self._fresh.close()
        if self._speaks_tls:
            await asyncio.sleep(_PARTING_S)

    async def ask(self, target: Target, question: Question, is_last: bool = False) -> Observation:
        """Ask one question; whatever goes wrong on the way is an observation too.

        Args:
            target: whom.
            question: what.
            is_last: nothing more is coming for this target, so that a TLS connection is not kept for nobody.
        """
        if target.proxy_protocol:
            return await self._ask_either_way(target, question, is_last)
        self._speaks_tls = self._speaks_tls or target.tls
        door = (target.address, target.port)
        if question.method == "POST" or self._closed[door] >= _CLOSED_OFTEN:
            return await self._ask(self._fresh, target, question, is_last)
        seen = await self._ask(self._kept, target, question, is_last)
        if seen.status != _MISDIRECTED and not seen.error.startswith(_OF_A_CONNECTION):
            return seen
        self._closed[door] += 1
        return await self._ask(self._fresh, target, question, is_last)

    async def _ask(
        self, session: aiohttp.ClientSession, target: Target, question: Question, is_last: bool
    ) -> Observation:
        """One question over one pool of connections, asked again without checking a certificate that is not valid."""
        key = (target.address, target.port, target.name)
        is_judged = target.tls and target.site != UNKNOWN_SITE
        trouble = self._certificates.get(key, "") if is_judged else ""
        context = self._checked if is_judged and not trouble else self._unchecked
        sent_at = time.time()
        try:
            return await self._request(session, target, question, context, trouble, is_last)
        except aiohttp.ClientConnectorCertificateError as error:
            self._certificates[key] = _certificate(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Observation(None, (), "", 0, sent_at, time.time(), _reason(error), trouble)
        return await self._ask(session, target, question, is_last)

    async def _ask_either_way(self, target: Target, question: Question, is_last: bool) -> Observation:
        """With a PROXY line; where that is refused, without one: a server may except some networks from it.

        Source: mod_remoteip, `RemoteIPProxyProtocolExceptions`.
        """
        seen = await self._ask_proxied(target, question)
        if seen.status != _BAD_REQUEST and not seen.error.startswith("tls:"):
            return seen
        plain = await self.ask(replace(target, proxy_protocol=False), question, is_last)
        return seen if plain.error else plain

    async def _ask_proxied(self, target: Target, question: Question) -> Observation:
        """One question at a door that wants a PROXY line, which aiohttp cannot say."""
        key, is_judged = (target.address, target.port, target.name), target.site != UNKNOWN_SITE
        trouble = self._certificates.get(key, "") if is_judged else ""
        context = self._checked if is_judged and not trouble else self._unchecked
        try:
            seen, body = await asyncio.wait_for(
                asyncio.to_thread(
                    proxied.ask_by_proxy_line,
                    target,
                    question,
                    _headers(target, question),
                    self._timeout_s,
                    context if target.tls else None,
                    BODY_LIMIT_BYTES,
                ),
                self._timeout_s,
            )
        except ssl.SSLCertVerificationError as error:
            self._certificates[key] = error.verify_message
            return await self._ask_proxied(target, question)
        except TimeoutError as error:
            now = time.time()
            return Observation(None, (), "", 0, now - self._timeout_s, now, _reason(error), trouble)
        seen = replace(seen, certificate=trouble, lines=_lines(body) if question.keep_lines else frozenset())
        return looked_through(seen, body, _style_sheet(target))

    async def _request(
        self,
        session: aiohttp.ClientSession,
        target: Target,
        question: Question,
        context: ssl.SSLContext,
        trouble: str,
        is_last: bool,
    ) -> Observation:
        headers = _headers(target, question)
        # The same on a new connection as on a kept one: there are sites that show what they were asked with.
        headers["connection"] = "close" if target.tls and is_last else "keep-alive"
        sent_at = time.time()
        async with session.request(
            question.method,
            _url(target, question.path),
            headers=headers,
            skip_auto_headers=_SKIP,
            allow_redirects=False,
            ssl=context,
            server_hostname=target.name if target.tls else None,
        ) as response:
            first_byte_at = time.time()
            body = await _body(response)
            received = tuple((name.lower(), value) for name, value in response.headers.items())
            seen = Observation(
                response.status,
                received,
                hashlib.sha256(body).hexdigest(),
                len(body),
                sent_at,
                first_byte_at,
                certificate=trouble,
                lines=_lines(body) if question.keep_lines else frozenset(),
            )
            return looked_through(seen, body, _style_sheet(target))

    def _session(self, is_fresh: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, force_close=is_fresh)
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=65536,
            max_field_size=65536,
        )


def _headers(target: Target, question: Question) -> dict[str, str]:
    return {"host": target.authority, "user-agent": _USER_AGENT, **dict(question.headers)}


def source_addresses(addresses: Iterable[str]) -> dict[str, str]:
    """Our own address on the way to each address (no packet is sent); none where there is no way."""
    found = {}
    for address in set(addresses):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, 9))
                found[address] = str(probe.getsockname()[0])
            except OSError:
                continue
    return found


def resolved(names: Iterable[str]) -> dict[str, frozenset[str]]:
    """The addresses that the inventory's names for hosts have; a name that has none, or is an address, is left out."""
    found = {}
    for name in dict.fromkeys(names):
        try:
            entries = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            continue
        found[name] = frozenset(str(entry[4][0]) for entry in entries)
    return found


def _url(target: Target, path: str) -> URL:
    address = f"[{target.address}]" if ":" in target.address else target.address
    return URL(f"{'https' if target.tls else 'http'}://{address}:{target.port}{path}", encoded=True)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The body as sent, cut at the limit."""
    length = response.content_length
    if length is not None and length <= BODY_LIMIT_BYTES:
        return await response.read()
    parts, size = [], 0
    async for part in response.content.iter_chunked(65536):
        parts.append(part)
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            break
    return b"".join(parts)[:BODY_LIMIT_BYTES]


def _style_sheet(target: Target) -> str:
    """Where the sheet is that shows the banner of a target's pages."""
    return f"http{'s' if target.tls else ''}://{target.authority}{ASSET_PREFIX}{BANNER_STYLE_ASSET}"


def looked_through(seen: Observation, body: bytes, style_sheet: str) -> Observation:
    """With the banners of a page, if it is one that could carry them, and whether it lets them be seen."""
    if not banner.can_carry(seen.status or 0, dict(seen.headers)):
        return seen
    marks, bare = banner.taken_out(body)
    has_place = banner.has_place(bare)
    seen = replace(seen, lets_style_in=style_policy.lets_in(style_sheet, seen.headers, bare))
    if not marks:
        return replace(seen, has_place=has_place)
    return replace(
        seen,
        banners=marks,
        has_place=has_place,
        bare_sha256=hashlib.sha256(bare).hexdigest(),
        bare_spellings=tuple(hashlib.sha256(page).hexdigest() for page in banner.spellings(body)),
        bare_size=len(bare),
    )


def _lines(body: bytes) -> frozenset[str]:
    """Short digests of the lines of a body."""
    return frozenset(hashlib.blake2b(line, digest_size=6).hexdigest() for line in body.splitlines())


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return str(getattr(cause, "verify_message", "") or cause)


def _reason(error: Exception) -> str:
    """`kind: detail` for a request that got no answer, the same words each time for the same cause."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connect: no connection within half the time limit"
    if isinstance(error, asyncio.TimeoutError):
        return "timeout: no complete answer within the time limit"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"tls: {getattr(error.os_error, 'reason', None) or error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"connect: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientResponseError | ValueError):
        return f"protocol: {type(error).__name__}"
    return "closed: the connection was closed before the answer was complete"
