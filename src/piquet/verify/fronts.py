# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between visitors and the hosts: who it says that it is, and whether a cache there hides what is behind.

A cache is shown by what it says of itself, or by a question that nobody asked before, which gets another answer than
the front page. What the hosts themselves say on the way is no sign of it. No file, no network, no clock.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from piquet.answers import sign
from piquet.campaign.model import Campaign
from piquet.protocol.findings import Finding
from piquet.verify.expectations import Expectations
from piquet.verify.observation import UNKNOWN_SITE, Inquiry, Observation, Question, Reply, Target
from piquet.verify.questions import FRONT

_ANEW = "/?piquet-verify="
_UNNAMED = "something that does not say what it is"
_SIGNS: Sequence[tuple[str, str, str]] = (
    ("cf-ray", "", "Cloudflare"),
    ("x-amz-cf-id", "", "CloudFront"),
    ("x-fastly-request-id", "", "Fastly"),
    ("x-served-by", r"^cache-", "Fastly"),
    ("x-azure-ref", "", "Azure Front Door"),
    ("server", r"^AkamaiGHost", "Akamai"),
    ("x-akamai-transformed", "", "Akamai"),
    ("cdn-pullzone", "", "bunny.net"),
    ("x-iinfo", "", "Imperva"),
    ("x-sucuri-id", "", "Sucuri"),
    ("x-varnish", "", "Varnish"),
    ("via", r"\bvarnish\b", "Varnish"),
    ("via", r"\bcaddy\b", "Caddy"),
    ("server", r"^caddy", "Caddy"),
    ("via", r"\bsquid\b", "Squid"),
    ("via", r"\bATS\b|ApacheTrafficServer", "Traffic Server"),
    ("server", r"^envoy", "Envoy"),
    ("x-envoy-upstream-service-time", "", "Envoy"),
)
"""Header in small letters, what its value is like, who sends it. HAProxy, Traefik and nginx do not say."""
_HIT = re.compile(r"\bhit\b", re.IGNORECASE)
_CACHE = re.compile(r"(?:^|-)cache(?:-|$)")
_AGES = re.compile(r"\b(s-maxage|max-age)=\"?(\d+)")
_HIDING = frozenset({"not-on-strike", "no-banner"})
_SHOWING = frozenset({"strike-outside", "banner-outside", "wrong-banner"})
_CHANGED = frozenset({"wrong-header", "unwanted-header"})
_HARMLESS = "Accept-Ranges:"
"""What Varnish puts on every answer; of a 503 nobody asks for a range. Source: RFC 9110 section 14.2."""
_PURGE = "its owner can purge it; what it kept it shows until then, or for as long as it was told to"
_WHOSE = (
    "ask its owner: the strike is seen there only if it passes on 503, headers and all, asks the hosts for no page "
    "of a site on strike to see if they are well (`piquet_health_paths`), and keeps no page beyond the start"
)

_NOT_THROUGH = f"{_WHOSE}. Nor may its own address be in an open network of the campaign"
_REWRITTEN = "what stands in front changes it; ask its owner what caches and search engines are told by that"
_SHUT = (
    "what it passes on tells the hosts neither visitors' addresses nor all cookies: `set_real_ip_from` or "
    "mod_remoteip there, and its owner's rules for cookies"
)

AsSent = tuple[str, str, tuple[tuple[str, str], ...]]
"""`Question.as_sent`."""
Fault = tuple[str, str, str]
"""Code, expected, got."""


@dataclass(frozen=True)
class Front:
    """What is known of one public door.

    Attributes:
        name: of what stands there, as it says itself; "" if it does not.
        kept: what shows that the front page came out of a cache, "" if nothing does.
        kept_s: for how many seconds more that page may be kept, None if it is not told.
        anew: the answer to a question that nobody asked before, None if there was none.
        beside: whether another port of the same address answers.
        aside: names of headers that the hosts say themselves.
    """

    name: str = ""
    kept: str = ""
    kept_s: int | None = None
    anew: Observation | None = None
    beside: bool = False
    aside: Collection[str] = frozenset()

    @property
    def words(self) -> str:
        """Who it is, for people."""
        return self.name or _UNNAMED


@dataclass(frozen=True)
class Through:
    """How the sites fared where DNS leads visitors.

    Attributes:
        fronts: by door.
        asked: names of sites.
        showing: those of which each door that answered showed a strike; by https, where there is any.
        behind: name and question → what the hosts themselves show to it: our sign, or marks of banners.
    """

    fronts: Mapping[Target, Front] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    showing: frozenset[str] = frozenset()
    behind: Mapping[tuple[str, AsSent], frozenset[str]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Names that DNS leads elsewhere, whether anybody answers there or not."""
        return frozenset(target.name for target in self.fronts)

    @property
    def by_name(self) -> Mapping[str, int]:
        """Who stands in front → of how many names, the most first."""
        pairs = {
            (front.words, target.name) for target, front in self.fronts.items() if target.name in self.asked
        }
        return dict(Counter(words for words, _ in sorted(pairs)).most_common())


def with_cache_questions(jobs: Iterable[Inquiry], nonce: str) -> tuple[Inquiry, ...]:
    """The same jobs; public doors are asked one thing that no cache can have, and their front page once more."""
    more = (Question("GET", f"{_ANEW}{nonce}", FRONT.headers), FRONT)
    return tuple(
        replace(job, questions=(*job.questions, *more)) if job.target.is_public else job for job in jobs
    )


def seen_through(replies: Iterable[Reply], campaign: Campaign) -> Through:
    """What stands at each public door, by its answers and by those of the hosts."""
    public: dict[Target, list[Reply]] = {}
    direct: dict[str, list[Observation]] = {}
    behind: dict[tuple[str, AsSent], frozenset[str]] = {}
    for reply in replies:
        target, seen = reply.target, reply.observation
        if target.is_public:
            public.setdefault(target, []).append(reply)
        elif target.site != UNKNOWN_SITE and seen.status is not None:
            direct.setdefault(target.name, []).append(seen)
            key = (target.name, reply.question.as_sent)
            behind[key] = behind.get(key, frozenset()) | _shown_marks(seen)
    answered = {target: found for target, found in public.items() if _is_answered(found)}
    ports = Counter((target.name, target.address) for target in answered)
    fronts = {
        target: _front(
            target,
            found,
            direct.get(target.name, ()),
            ports[target.name, target.address] > (target in answered),
        )
        for target, found in public.items()
    }
    names = frozenset(target.name for target in answered)
    by_https = {target.name for target in answered if target.tls}
    marks = {sign(campaign, phase) for phase in campaign.phases}
    hiding = {
        target.name
        for target, found in answered.items()
        if (target.tls or target.name not in by_https)
        and not all(_shown_marks(seen) & marks for seen in _front_pages(found))
    }
    return Through(fronts, names, names - hiding, behind)


def explained(
    reply: Reply,
    wrong: tuple[Finding, ...],
    through: Through,
    behind_wrong: Collection[tuple[str, Fault]],
    is_in_window: bool,
) -> tuple[Finding, ...]:
    """What is wrong at a public door, with the cause and the way out that fit what stands in front.

    Args:
        reply: of a public door.
        wrong: what was found by the words for the hosts' own doors.
        through: of the same run.
        behind_wrong: name and fault of each finding at the hosts' own doors.
        is_in_window: whether a phase of the site was in force.
    """
    front = through.fronts[reply.target]
    if reply.observation.is_unreached:
        return (_unreached_finding(reply, front),)
    name = reply.target.name
    behind = through.behind.get((name, reply.question.as_sent), through.behind.get((name, FRONT.as_sent)))
    kept = _kept_from(reply, front)
    told = (one for one in wrong if one.code != "unwanted-header" or not one.got.startswith(_HARMLESS))
    return tuple(
        one
        if one.code in _CHANGED and (name, fault(one)) in behind_wrong
        else _explained_finding(reply, one, kept, behind, is_in_window)
        for one in told
    )


def fault(one: Finding) -> Fault:
    """What a finding has in common with one of another door."""
    return one.code, one.expected, one.got


def told_before(through: Through, aliases: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """One finding per name that somebody else answers, and one where a cache keeps its front page."""
    told: set[tuple[str, str]] = set()
    for target, front in through.fronts.items():
        if target.name not in through.asked:
            continue
        if (target.name, "") not in told:
            told.add((target.name, ""))
            called = (aliases or {}).get(target.name, "")
            yield Finding(
                "warning",
                "answered-elsewhere",
                target.label,
                f"DNS leads visitors to {front.words}, not to a host of the inventory",
                got=f"an alias of {called}" if called else "",
                hint=f"{_WHOSE}. If it is a host by another address, `piquet_addresses` names that",
            )
        if front.kept and (target.name, "kept") not in told:
            told.add((target.name, "kept"))
            late = "nobody says how long" if front.kept_s is None else f"up to {front.kept_s} s"
            yield Finding(
                "warning",
                "cached-in-front",
                target.label,
                "a cache in front keeps the front page, so the strike may be seen late there",
                got=f"{front.kept}; kept for: {late}",
                hint=f"plan a purge at the start and at the end: {_PURGE}",
            )


def _front(target: Target, found: Sequence[Reply], direct: Sequence[Observation], has_another: bool) -> Front:
    aside = frozenset(name for seen in direct for name, _ in seen.headers)
    own = frozenset(pair for seen in direct for pair in seen.headers)
    fronts = _front_pages(found)
    kept = next(((text, one) for one in reversed(fronts) if (text := _cache_sign(one, aside))), None)
    return Front(
        next((name for one in found if (name := _front_name(one.observation, aside, own))), ""),
        kept[0] if kept else "",
        _left_s(kept[1]) if kept else None,
        next((one.observation for one in found if one.question.path.startswith(_ANEW)), None),
        has_another,
        aside,
    )


def _front_name(seen: Observation, aside: Collection[str], own: Collection[tuple[str, str]]) -> str:
    """Who says in an answer that it passed it on; what a host says itself does not count."""
    for header, like, name in _SIGNS:
        for key, value in seen.headers:
            is_own = (key, value) in own if like else key in aside
            if key == header and not is_own and re.search(like, value, re.IGNORECASE):
                return name
    return ""


def _cache_sign(seen: Observation, aside: Collection[str]) -> str:
    """What shows that an answer came out of a cache in front, "" if nothing does.

    Sources: RFC 9111 section 5.1, `Age`; RFC 9211, `Cache-Status: …; hit`; Varnish, `X-Varnish` has two numbers for
    what was kept; `X-Cache` and its like as CDNs send them.
    """
    for name, value in seen.headers:
        is_aged = name == "age" and value.strip().isdigit() and int(value) > 0
        is_varnish = name == "x-varnish" and len(value.split()) > 1
        is_hit = name != "cache-control" and _CACHE.search(name) and _HIT.search(value)
        if name not in aside and (is_aged or is_varnish or is_hit):
            return f"{name.title()}: {value}"
    return ""


def _left_s(seen: Observation) -> int | None:
    """Source: RFC 9111 section 4.2.1, `s-maxage` counts before `max-age`."""
    told = {name: int(value) for name, value in _AGES.findall(seen.header("cache-control") or "")}
    lifetime = told.get("s-maxage", told.get("max-age"))
    age = seen.header("age") or "0"
    return None if lifetime is None else max(0, lifetime - (int(age) if age.isdigit() else 0))


def _shown_marks(seen: Observation) -> frozenset[str]:
    return frozenset({seen.ours, *seen.shown_banners} - {""})


def _front_pages(found: Iterable[Reply]) -> list[Observation]:
    return [one.observation for one in found if one.question.as_sent == FRONT.as_sent]


def _is_answered(found: Iterable[Reply]) -> bool:
    return any(one.observation.status is not None for one in found)


def _unreached_finding(reply: Reply, front: Front) -> Finding:
    where, got = reply.target.label, reply.observation.error
    if front.beside:
        message = "nobody answers at this port of visitors; another one of the same address answers"
        return Finding("info", "no-answer", where, message, got=got)
    hint = "visitors get nothing there either; is the address in DNS the right one?"
    return Finding("error", "no-answer", where, "cannot be reached by its public address", "", got, hint)


def _kept_from(reply: Reply, front: Front) -> str:
    """What shows that an answer came out of a cache in front; "" if nothing does."""
    kept = _cache_sign(reply.observation, front.aside)
    if kept or front.anew is None or front.anew.error or reply.question.as_sent != FRONT.as_sent:
        return kept
    is_other = bool(_shown_marks(front.anew)) != bool(_shown_marks(reply.observation))
    return "a query that nobody asked before gets the other answer" if is_other else ""


def _explained_finding(
    reply: Reply, one: Finding, kept: str, behind: frozenset[str] | None, is_in_window: bool
) -> Finding:
    """A finding on the strike in the words for what stands in front; any other as it is."""
    asked = reply.question.label
    if one.code in _HIDING and kept and behind != frozenset():
        message = f"{asked}: a cache in front hides the strike, it answers with what it kept"
        return replace(one, severity="error", code="hidden-by-cache", message=message, got=kept, hint=_PURGE)
    if one.code == "not-on-strike" and behind:
        message = f"{asked} does not show the strike that the site's hosts show"
        return replace(one, code="not-seen-through", message=message, hint=_NOT_THROUGH)
    if one.code in _CHANGED:
        return replace(one, severity="warning", code="changed-in-front", hint=_REWRITTEN)
    if one.code not in _SHOWING or behind != frozenset():
        return one
    if is_in_window:
        message = f"{asked}: a door of the campaign is shut to those who come by way of what stands in front"
        return replace(one, severity="warning", code="door-shut-in-front", message=message, hint=_SHUT)
    message = f"{asked}: what stands in front still shows the strike, which the site's hosts do not show"
    return replace(one, code="kept-by-cache", message=message, got=kept or one.got, hint=_PURGE)


def is_before(expectations: Expectations, at: float) -> bool:
    """Whether it is not too late to do something about what stands in front.

    Args:
        expectations: of the run.
        at: epoch seconds, UTC.
    """
    phases = expectations.campaign.phases
    is_ahead = bool(phases) and at < phases[0].start_at.timestamp()
    return expectations.moment == "before" or (expectations.moment == "now" and is_ahead)
