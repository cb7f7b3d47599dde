# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a page lets the banner's style sheet in, without which the banner is not shown. Text in; no file, no network.

A page says it in `Content-Security-Policy`, as a header or in a `meta` of its head; every policy of it must agree.
What cannot be told for certain is taken for a no: then a page is not counted as one that shows something.

Source: Content Security Policy Level 3, 2.2 (parsing), 6.7.2 (matching), 6.8.3 (fallback); Integrity Policy, 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from urllib.parse import urlsplit

_HEADERS = frozenset({"content-security-policy"})
_FALLBACK = ("style-src-elem", "style-src", "default-src")
_PORTS = {"http": 80, "https": 443}
_SOURCE = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])"
    r"(?::(?P<port>\*|[0-9]+))?(?P<path>/.*)?"
)
_IGNORED = re.compile(rb"(?is)<!--.*?(?:-->|\Z)|<(script|style|title|noscript|template)\b.*?(?:</\1\s*>|\Z)")
_META = re.compile(rb"(?is)<meta(?=[\s/])((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>")
_ATTRIBUTE = re.compile(r"(?is)([a-z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")


def lets_in(address: str, headers: Iterable[tuple[str, str]], page: bytes = b"") -> bool:
    """Whether a page may load a style sheet of its own origin.

    Args:
        address: of the sheet, absolute, as the page's own origin has it.
        headers: of the page's answer, lower-case names, repeated ones kept.
        page: its bytes; only what stands in front of the body is read.
    """
    pairs = list(headers)
    if any(name == "integrity-policy" and "style" in value.lower() for name, value in pairs):
        return False  # it wants a digest at every sheet
    said = [value for name, value in pairs if name in _HEADERS]
    policies = [policy for value in (*said, *_in_page(page)) for policy in value.split(",")]
    return all(_agrees(policy, address) for policy in policies)


def _in_page(page: bytes) -> Iterator[str]:
    """Policies in the head; a `meta` behind the beginning of the body has no say."""
    head = re.split(rb"(?i)<body(?=[\s/>])", _IGNORED.sub(b"", page), maxsplit=1)[0]
    for found in _META.finditer(head):
        written = found[1].decode("utf-8", "replace")
        values = {name.lower(): unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(written)}
        if values.get("http-equiv", "").strip().lower() == "content-security-policy":
            yield values.get("content", "")


def _agrees(policy: str, address: str) -> bool:
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            directives.setdefault(words[0].lower(), words[1:])  # of two of a name the first one counts
    name = next((name for name in _FALLBACK if name in directives), None)
    return name is None or any(_matches(word.lower(), address) for word in directives[name])


def _matches(source: str, address: str) -> bool:
    """Whether one expression means the sheet; a nonce, a digest and 'unsafe-inline' are about others."""
    asked = urlsplit(address)
    if source in ("'self'", "*") or source == f"{asked.scheme}:":
        return True
    if source == "http:" and asked.scheme == "https":
        return True
    found = _SOURCE.fullmatch(source)
    return found is not None and _is_host(found, asked.hostname or "") and _is_place(found, address)


def _is_host(found: re.Match[str], host: str) -> bool:
    wanted = found["host"]
    return wanted in ("*", host) or (wanted.startswith("*.") and host.endswith(wanted[1:]))


def _is_place(found: re.Match[str], address: str) -> bool:
    """Scheme, port and path of an expression that names the host; http may grow into https, and 80 into 443."""
    asked = urlsplit(address)
    scheme, port, path = found["scheme"] or asked.scheme, found["port"], found["path"] or ""
    if scheme != asked.scheme and (scheme, asked.scheme) != ("http", "https"):
        return False
    own = asked.port or _PORTS[asked.scheme]
    if port != "*" and int(port or _PORTS[scheme]) not in {own, 80 if own == 443 else own}:
        return False
    return path in ("", "/") or (asked.path.startswith(path) if path.endswith("/") else asked.path == path)
