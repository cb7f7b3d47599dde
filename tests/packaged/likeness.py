# SPDX-License-Identifier: GPL-3.0-or-later
"""Is an answer the same as before, where answers differ by themselves: nonces, session cookies, clocks?

What changes is not known beforehand: it is the difference of two answers that a site gave to the same question before
anybody touched it. `Likeness` keeps what both have in common and lets only the differing words vary, in length as much
as in the two; the status, the number, order and names of the headers and everything else must be equal. How much was
let vary is counted. Bodies are compared as the client reads them: where a chunk ends says nothing about a site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from piquet.protocol.http import TARGETED
from tests.corpus.client import Response

# An instant is one word, so that what differed in its seconds may later differ in its minutes.
_HTTP_DATE = rb"[A-Z][a-z]{2},? [0-9]{1,2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{5,8}"
_ISO_DATE = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}"
_WORD = re.compile(rb"%b|%b|[A-Za-z0-9_.%%:~+/-]+|." % (_HTTP_DATE, _ISO_DATE), re.DOTALL)
_SLACK = 8


@dataclass(frozen=True)
class Text:
    """What two readings of one text have in common.

    Attributes:
        pattern: matches both, and any reading that differs from them only where they differ.
        varying: number of bytes that may vary, as the second reading has them.
        size: number of bytes of the second reading.
    """

    pattern: re.Pattern[bytes]
    varying: int
    size: int

    def fits(self, other: bytes) -> bool:
        """Whether another reading is alike."""
        return self.pattern.fullmatch(other) is not None


LIFETIMES = frozenset({"cache-control", "expires", *(name.lower() for name in TARGETED)})
"""Headers by which caches are told what to keep."""
_OK = 200


@dataclass(frozen=True)
class Likeness:
    """What an answer must be like.

    Attributes:
        status: must be equal.
        headers: name and value, in order.
        body: of the message.
    """

    status: int
    headers: tuple[tuple[str, Text], ...]
    body: Text

    def difference(self, got: Response | None) -> str:
        """Where another answer is not alike, "" if it is."""
        if got is None:
            return "no answer"
        if got.status != self.status:
            return f"status {got.status} instead of {self.status}"
        headers = own_headers(got)
        names = [name for name, _ in headers]
        if names != [name for name, _ in self.headers]:
            return f"headers {names} instead of {[name for name, _ in self.headers]}"
        for (name, value), (_, text) in zip(headers, self.headers, strict=True):
            if not text.fits(value):
                return f"{name}: {value!r} instead of {text.pattern.pattern!r}"
        return "" if self.body.fits(got.body) else f"another body, of {len(got.body)} bytes"

    def difference_apart(self, got: Response | None, *, must_say: bool) -> str:
        """The same of an answer that few may see: caches are told not to keep it, and nothing else is another.

        Args:
            got: the answer.
            must_say: whether that has to be told; nginx leaves an owner's own `add_header` in its place.
        """
        if got is None:
            return "no answer"
        alike = replace(self, headers=tuple(pair for pair in self.headers if pair[0] not in LIFETIMES))
        bare = replace(got, headers=tuple(pair for pair in got.headers if pair[0] not in LIFETIMES))
        is_told = "no-store" in ", ".join(got.values("cache-control")) or got.status != _OK
        return alike.difference(bare) or ("" if is_told or not must_say else "a cache may keep it")

    @property
    def masked_headers(self) -> int:
        """How many header lines may vary."""
        return sum(text.varying > 0 for _, text in self.headers)


def likeness(first: Response, second: Response) -> Likeness:
    """What two answers to the same question have in common.

    Raises:
        ValueError: they differ in status or in the names of their headers, so that nothing can be said of a third.
    """
    one, other = own_headers(first), own_headers(second)
    names = [[name for name, _ in headers] for headers in (one, other)]
    if first.status != second.status or names[0] != names[1]:
        raise ValueError(f"not the same twice: {first.status} {names[0]}, then {second.status} {names[1]}")
    headers = tuple((name, common(a, b)) for (name, a), (_, b) in zip(one, other, strict=True))
    return Likeness(first.status, headers, common(first.body, second.body))


def own_headers(answer: Response) -> list[tuple[str, bytes]]:
    """An answer's headers without those that only say how its body is sent, where it is a program's."""
    is_file = bool(answer.values("accept-ranges"))
    left_out = () if is_file else ("content-length", "transfer-encoding")
    return [(name, value.encode("latin-1")) for name, value in answer.headers if name not in left_out]


def common(first: bytes, second: bytes) -> Text:
    """What two texts have in common, word by word where the same number of lines differs."""
    parts = [(re.escape(second), 0)] if first == second else list(_lines(first, second))
    pattern = re.compile(b"".join(part for part, _ in parts), re.DOTALL)
    return Text(pattern, sum(varying for _, varying in parts), len(second))


def _lines(first: bytes, second: bytes) -> Iterator[tuple[bytes, int]]:
    one, other = first.splitlines(keepends=True), second.splitlines(keepends=True)
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            yield re.escape(b"".join(other[c:d])), 0
        elif b - a == d - c:
            for left, right in zip(one[a:b], other[c:d], strict=True):
                yield from _words(left, right)
        else:
            yield _anything(b"".join(one[a:b]), b"".join(other[c:d]))


def _words(first: bytes, second: bytes) -> Iterator[tuple[bytes, int]]:
    one, other = _WORD.findall(first), _WORD.findall(second)
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            yield re.escape(b"".join(other[c:d])), 0
        elif b - a == d - c:
            for left, right in zip(one[a:b], other[c:d], strict=True):
                yield (re.escape(right), 0) if left == right else _word(left, right)
        else:
            yield _anything(b"".join(one[a:b]), b"".join(other[c:d]))


def _word(first: bytes, second: bytes) -> tuple[bytes, int]:
    """One word in the place of another: no markup, no quote, about as long."""
    blank = b"" if b" " in second else rb"\s"
    return rb"[^%b<>\"'&;]{1,%d}" % (blank, max(len(first), len(second)) + _SLACK), len(second)


def _anything(first: bytes, second: bytes) -> tuple[bytes, int]:
    """Any bytes, at most as many as there were, and a few more."""
    return b".{0,%d}" % (max(len(first), len(second)) + _SLACK), len(second)
