# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes two answers the same: a handful of named fields per answer.

Left out is only what differs between any two answers (Date) or belongs to one connection (RFC 9110
section 7.6.1). Of a cookie only the name and attributes count, since its value is a session. `Expires`
counts twice, absolute and as distance from Date: servers make it either way, and the two takes of a baseline
tell which. `_BY_ITSELF` is the table of what servers vary by size and by how an answer arrives. No file, no network,
no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from piquet.protocol.http import TARGETED
from piquet.verify.observation import Observation

_LEFT_OUT = frozenset(
    {
        "date",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "age",
        "expires",
    }
)
_EXPIRES_AFTER = "expires after date"
_OF_THE_BODY = frozenset({"body", "size", "header content-length", "header etag", "header content-md5"})
_OF_A_BANNER = (
    "content-length",
    "etag",
    "last-modified",
    "accept-ranges",
    "cache-control",
    "content-md5",
    "expires",
)
OF_A_BANNER = frozenset({_EXPIRES_AFTER, *(f"header {name}" for name in _OF_A_BANNER)})
"""Fields that a page with a banner has otherwise: what speaks of its bytes, and what keeps it from caches."""
OF_ONE_APART = frozenset(
    {_EXPIRES_AFTER, *(f"header {name.lower()}" for name in ("Cache-Control", "Expires", *TARGETED))}
)
"""Fields of an answer of the site that few may see in a window: what keeps it from caches."""
THROUGH_A_FRONT = frozenset({"status", "body", "size", "error", "header content-type", "header location"})
"""Fields that are the site's own by way of what stands in front, which says much of itself, and each time otherwise."""
_COOKIE_TIMES = frozenset({"expires", "max-age"})
_SECONDS = re.compile(r"(-?\d+) s")
NOT_SENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One field of an answer that is not as it was."""

    field: str
    expected: str
    got: str


def fingerprint(observation: Observation) -> Mapping[str, str]:
    """The fields of an answer by name: status, body, size, certificate, error, and one per header."""
    fields = {
        "status": str(observation.status or ""),
        "body": observation.sha256,
        "size": str(observation.size),
        "error": observation.error,
        "certificate": observation.certificate,
        **dict(_headers(observation)),
    }
    return {name: value for name, value in fields.items() if value}


def volatile_fields(first: Mapping[str, str], second: Mapping[str, str]) -> frozenset[str]:
    """Fields that changed by themselves between two takes of an untouched site.

    A body that changes takes its length and validators with it, also where these happened to agree.
    """
    names = {*first, *second}
    changed = {
        name for name in names if not _is_same(name, first.get(name, NOT_SENT), second.get(name, NOT_SENT))
    }
    return frozenset(changed | _OF_THE_BODY if "body" in changed else changed)


def differences(
    before: Mapping[str, str], after: Mapping[str, str], volatile: frozenset[str]
) -> tuple[Difference, ...]:
    """The fields that are not as before, volatile ones left out, sorted by name."""
    names = sorted({*before, *after} - volatile)
    pairs = ((name, before.get(name, NOT_SENT), after.get(name, NOT_SENT)) for name in names)
    return tuple(Difference(name, old, new) for name, old, new in pairs if not _is_same(name, old, new))


def _is_same(name: str, old: str, new: str) -> bool:
    alike = _BY_ITSELF.get(name)
    return old == new or (alike is not None and alike(old, new))


def _vary_alike(old: str, new: str) -> bool:
    """`Accept-Encoding` comes and goes with the filter that would compress."""
    return _varying_names(old) == _varying_names(new)


def _varying_names(value: str) -> frozenset[str]:
    names = re.split(r"[\s,|]+", "" if value == NOT_SENT else value.lower())
    return frozenset(names) - {"", "accept-encoding"}


def _length_alike(old: str, new: str) -> bool:
    """A length is said where the server had the whole answer in time, else it is chunked; the size always counts."""
    return NOT_SENT in (old, new)


def _etag_alike(old: str, new: str) -> bool:
    """Weak while a file is younger than a second, or where the server may compress."""
    return old.removeprefix("W/") == new.removeprefix("W/")


def _distance_alike(old: str, new: str) -> bool:
    """Where a program says `Expires` and the server `Date`, a second may end between the two."""
    distances = [_SECONDS.fullmatch(text) for text in (old, new)]
    return all(distances) and abs(int(distances[0][1]) - int(distances[1][1])) <= 1  # type: ignore[index]


_BY_ITSELF: Mapping[str, Callable[[str, str], bool]] = {
    "header vary": _vary_alike,
    "header content-length": _length_alike,
    "header etag": _etag_alike,
    _EXPIRES_AFTER: _distance_alike,
}
"""Field → whether two different values of it are the server's own doing.

Sources: mod_deflate (an answer that is whole and short is not looked at) and nginx's gzip_vary with gzip_min_length;
Apache's content-length filter; ap_make_etag and ngx_http_weak_etag, compared as RFC 9110 section 8.8.3.2 says.
Of the other headers that a server adds by itself, Connection, Keep-Alive, Transfer-Encoding and Age are left out
altogether; Accept-Ranges and Content-Encoding do not depend on chance where nobody asks for a coding, so they count.
"""


def _headers(observation: Observation) -> Iterator[tuple[str, str]]:
    for name in sorted({name for name, _ in observation.headers}):
        values = [value for key, value in observation.headers if key == name]
        if name == "set-cookie":
            yield "cookies", " | ".join(sorted(_cookie(value) for value in values))
        elif name == "expires":
            yield "header expires", " | ".join(values)
            yield _EXPIRES_AFTER, _distance(observation, values[0])
        elif name not in _LEFT_OUT:
            yield f"header {name}", " | ".join(values)


def _cookie(value: str) -> str:
    """Name and lasting attributes of a Set-Cookie value: `session; Path=/; HttpOnly`."""
    pair, *attributes = (part.strip() for part in value.split(";"))
    kept = [a for a in attributes if a.partition("=")[0].lower() not in _COOKIE_TIMES]
    return "; ".join([pair.partition("=")[0], *kept])


def _distance(observation: Observation, expires: str) -> str:
    """Seconds from Date to Expires, "" where either is no date (`0`, `-1`)."""
    try:
        then, now = (parsedate_to_datetime(text) for text in (expires, observation.header("date") or ""))
        return f"{(then - now).total_seconds():.0f} s"
    except (ValueError, TypeError):
        return ""
