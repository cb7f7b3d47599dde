# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of this package: whom we ask, what we ask, what came back. No file, no network, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from piquet.answers import BYPASS_PREFIX
from piquet.printable import in_one_line
from piquet.protocol.http import SIGN_HEADER

OURS = SIGN_HEADER.lower()
ACCEPT_HTML = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
UNKNOWN_SITE = "(unknown name)"
PUBLIC = "(public)"
"""In the place of a host's name: wherever DNS leads visitors, whoever answers there."""


@dataclass(frozen=True, slots=True)
class Target:
    """One name at one door of one host.

    Attributes:
        host: inventory name, or `PUBLIC`.
        address: IP address (or the inventory's own host name) to connect to; never a site's name.
        port: TCP port.
        tls: speak TLS, with `name` as SNI.
        site: the site as the plan names it (`www.example.org`, `*.blogs.example.org`) or `UNKNOWN_SITE`.
        name: the concrete host name that is asked for; below `site` if that is a wildcard.
        phases: numbers of the phases that select the site on this host; empty if it is not selected.
        proxy_protocol: the server wants to be told first for whom a connection is made.
        may_redirect: plain HTTP may be sent to https before anything of ours (mod_md, or what stands in front).
        health_paths: what a load balancer asks of the host, doors on each of its sites.
        over_http3: the site answers over HTTP/3, too, where nobody is asked.
    """

    host: str
    address: str
    port: int
    tls: bool
    site: str
    name: str
    phases: tuple[int, ...] = ()
    proxy_protocol: bool = False
    may_redirect: bool = False
    health_paths: tuple[str, ...] = ()
    over_http3: bool = False

    @property
    def is_public(self) -> bool:
        """Whether it is asked where DNS leads visitors, not at a host of the inventory."""
        return self.host == PUBLIC

    @property
    def door(self) -> str:
        """Address and port as people write them: `192.0.2.1:443 (https)`."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port} ({'https' if self.tls else 'http'})"

    @property
    def label(self) -> str:
        """Site, host and door in one line; the concrete name too where it differs from the site."""
        name = self.site if self.site == self.name else f"{self.site} (asked as {self.name})"
        return f"{name} {_place_words(self.host)}, {self.door}"

    @property
    def authority(self) -> str:
        """The Host header a visitor's browser would send.

        Source: RFC 9110 section 7.2, the port is left out when it is the scheme's own.
        """
        return self.name if self.port == (443 if self.tls else 80) else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A place where a site is served but cannot be asked from here; reported, never a failure."""

    host: str
    site: str
    place: str
    reason: str

    @property
    def label(self) -> str:
        """Site, host, place and reason in one line, whatever a survey wrote into them."""
        where = f"{self.site} {_place_words(self.host)}{', ' + self.place if self.place else ''}"
        return in_one_line(f"{where}: {self.reason}")


def _place_words(host: str) -> str:
    return "by DNS" if host == PUBLIC else f"on {host}"


@dataclass(frozen=True, slots=True)
class Question:
    """One request to make of a target.

    Attributes:
        method: HTTP method.
        path: request target, sent as it stands (no normalisation).
        headers: extra request headers, names in lower case.
        is_late: ask only after `GET /` was answered by us, because a site that is not blocked after all
            should not receive it (a POST could change something there).
        keep_lines: digest the answer's body line by line too.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    is_late: bool = False
    keep_lines: bool = False

    @property
    def label(self) -> str:
        """Method, path (our secret cut out) and the headers that matter."""
        shown = [(name, value) for name, value in self.headers if (name, value) != ACCEPT_HTML]
        extra = "".join(f" [{name}{'' if name == 'cookie' else ': ' + value}]" for name, value in shown)
        before, prefix, _ = self.path.partition(BYPASS_PREFIX)
        return f"{self.method} {before + prefix}{extra}"

    @property
    def as_sent(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """What a site sees of it; two answers can be compared if that is the same, since applications may echo it."""
        return self.method, self.path, self.headers


@dataclass(frozen=True, slots=True)
class Observation:
    """What came back, or why nothing did.

    Attributes:
        status: HTTP status, None if there was no answer.
        headers: names in lower case, in the order received, repeated ones kept.
        sha256: hex digest of the body as sent (no decompression), "" without an answer.
        size: body length in bytes.
        sent_at: seconds since the epoch (UTC, the asking machine's clock) just before the request.
        first_byte_at: the same, when the answer's head had arrived or the attempt had failed.
        error: "" or `kind: detail`, kind being connect, timeout, tls, closed or protocol.
        certificate: "" if the certificate is valid for the name (or there is none), else what is wrong.
        lines: short digests of the body's lines, only where asked for.
        banners: marks of the banners in the body.
        bare_sha256: digest of the body without them, "" where there are none or nobody looked.
        bare_spellings: digests of the body without them with tags in capitals that nginx writes in small letters.
        bare_size: its length.
        has_place: whether the body has a place for a banner; None where nobody looked.
        lets_style_in: whether the page allows the style sheet that alone shows a banner; True where nobody looked.
    """

    status: int | None
    headers: tuple[tuple[str, str], ...]
    sha256: str
    size: int
    sent_at: float
    first_byte_at: float
    error: str = ""
    certificate: str = ""
    lines: frozenset[str] = frozenset()
    banners: tuple[str, ...] = ()
    bare_sha256: str = ""
    bare_spellings: tuple[str, ...] = ()
    bare_size: int = 0
    has_place: bool | None = None
    lets_style_in: bool = True

    def header(self, name: str) -> str | None:
        """All values of a header joined by `, `; None if it is absent. `name` in lower case."""
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    @property
    def ours(self) -> str:
        """The value of our own header, "" if the answer is not ours."""
        return self.header(OURS) or ""

    @property
    def shown_banners(self) -> tuple[str, ...]:
        """Marks of the banners that visitors can see: none where the page forbids the sheet that shows them."""
        return self.banners if self.lets_style_in else ()

    @property
    def is_unreached(self) -> bool:
        """Tell if no connection came about, so that asking more of the same target is pointless."""
        return self.error.startswith("connect:")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A target and the questions for it, asked in this order by one worker."""

    target: Target
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """One question to one target, and what came of it."""

    target: Target
    question: Question
    observation: Observation


@dataclass(frozen=True)
class Pace:
    """How much was asked and how long it took, for the figures at the end of a run."""

    probes: int = 0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Probes per second, 0 for an empty run."""
        return self.probes / self.seconds if self.seconds else 0.0
