# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that come before anything of ours has its say: limits, and no sign of a strike that does not hold.

A firewall of web applications refuses a path that climbs; mod_md sends plain HTTP to https as the request is read.
Each is believed only as far as the baseline and the other answers of the site bear it out. No file, no network, no
clock.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from piquet.protocol.findings import Finding
from piquet.verify.baseline import Baseline, Key, Print
from piquet.verify.observation import Question, Reply

_CLIMBS = re.compile(r"/\.\.(?:[/?#]|$)|%2e", re.IGNORECASE)
_REFUSALS = frozenset({400, 403, 406})
"""With what servers and firewalls refuse a path (406: older rules of mod_security); a 404 is a site's own."""
_REDIRECTS = frozenset({301, 302, 307, 308})
"""What `MDRequireHttps` answers: by permanent or temporary, by a method that may change or not."""
_OLD_BASELINE = (
    "this path is in no baseline: take one before the start, to know that it is refused at all times"
)


@dataclass(frozen=True)
class Held:
    """What the other answers of a run say.

    Attributes:
        baseline: how all answered as usual, None if nobody took it.
        on_strike: host and name of every site that shows the strike by https.
    """

    baseline: Baseline | None
    on_strike: Collection[tuple[str, str]]


def before_us(reply: Reply, held: Held) -> Finding | None:
    """The limit that explains why a reply is not ours, None if nothing does."""
    if reply.observation.ours or reply.observation.error:
        return None
    if _CLIMBS.search(reply.question.path) and (refused := _refused_finding(reply, held)):
        return refused
    return _redirected_finding(reply, held) if reply.target.may_redirect else None


def _refused_finding(reply: Reply, held: Held) -> Finding | None:
    status = reply.observation.status
    before = _print_before(reply, reply.question, held)
    if status not in _REFUSALS or (before and before.fields.get("status") != str(status)):
        return None
    message = f"{reply.question.label} is refused before anything of ours ({status}), as a firewall does"
    severity, hint = ("info", "") if before else ("warning", _OLD_BASELINE)
    return Finding(severity, "refused-before-us", reply.target.label, message, hint=hint)  # type: ignore[arg-type]


def _redirected_finding(reply: Reply, held: Held) -> Finding | None:
    target, seen = reply.target, reply.observation
    if target.tls or not _is_to_https(reply) or (target.host, target.name) not in held.on_strike:
        return None
    before = _print_before(reply, Question("GET", reply.question.path), held)
    if before and before.fields.get("status") != str(seen.status):
        return None
    who = "what stands in front" if target.is_public else "mod_md"
    message = f"http is sent to https before anything of ours ({who}); https shows the strike"
    hint = "it is done as a request is read, and visitors end up at the strike page all the same"
    return Finding("warning", "redirected-before-us", target.label, message, hint=hint)


def _is_to_https(reply: Reply) -> bool:
    """Whether it is a redirect to the same place of the same name by https."""
    there = urlsplit(reply.observation.header("location") or "")
    is_same = there.hostname == reply.target.name.lower()
    return reply.observation.status in _REDIRECTS and there.scheme == "https" and is_same


def _print_before(reply: Reply, question: Question, held: Held) -> Print | None:
    """How the place answered at the baseline, if that is known."""
    return held.baseline.prints.get(Key.of(reply.target, question)) if held.baseline else None
