# SPDX-License-Identifier: GPL-3.0-or-later
"""One inspection of a fleet: ask everything once, judge every reply, compare with the baseline.

`inspect` and `take_baseline` are the two things that `piquet verify` does; `judged` is their pure part.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from piquet.answers import Answer, sign
from piquet.campaign.model import Campaign, Mode, Phase
from piquet.errors import FleetError
from piquet.findings import by_weight
from piquet.fleet.sites import count_sites
from piquet.protocol.findings import Finding
from piquet.protocol.http import ABOUT_PATH, ASSET_PREFIX
from piquet.verify.baseline import (
    Baseline,
    Key,
    Returned,
    certificate_trouble,
    compare,
    is_kept,
    make_baseline,
    with_lines,
)
from piquet.verify.before_us import Held, before_us
from piquet.verify.expectations import Expectations
from piquet.verify.fronts import (
    Fault,
    Through,
    explained,
    fault,
    is_before,
    seen_through,
    told_before,
    with_cache_questions,
)
from piquet.verify.judge import gathered, judge, judge_certificate, judge_limited, judge_return, odd_pages
from piquet.verify.observation import PUBLIC, UNKNOWN_SITE, Pace, Reply, Target
from piquet.verify.outside.probe import Prober
from piquet.verify.outside.sweep import DEFAULT_CONCURRENCY, ignore_progress, questions_in, sweep
from piquet.verify.questions import asking_for_lines as asking_lines
from piquet.verify.questions import jobs, usual_questions

OWN_ADDRESSES = (ABOUT_PATH, ASSET_PREFIX)
_H3 = re.compile(r"(?:^|[,\s])h3=")
TAKES_APART_S = 2.0
"""At least so far apart, so that headers made from the current second differ between the takes."""

Progress = Callable[[str, int], Callable[[int], None]]
"""Called with a title and a total before each sweep; returns what is called with each step done."""


@dataclass(frozen=True)
class Inspection:
    """What one inspection found.

    Attributes:
        findings: by weight.
        returned: one per reply that could be compared with the baseline.
        pace: probes and seconds.
        carrying: how many answers carried a banner.
        shown: mode → on how many sites visitors saw it.
        stretches: the parts of the run, one unless a phase began or ended meanwhile.
        through: how the sites fared where DNS leads visitors; nobody if that was not asked.
        over_http3: names that answer over HTTP/3, too, by their survey or by their own word.
    """

    findings: tuple[Finding, ...]
    returned: tuple[Returned, ...]
    pace: Pace
    carrying: int = 0
    shown: Mapping[Mode, int] = field(default_factory=dict)
    stretches: tuple[Stretch, ...] = ()
    through: Through = field(default_factory=Through)
    over_http3: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Stretch:
    """A part of a run in which one and the same phase was in force, or none.

    Attributes:
        phase: None outside of all windows.
        asked: how many of its sites were asked then; outside of a window, how many at all.
        showing: how many of those showed it, on every host that was asked for them.
    """

    phase: Phase | None
    asked: int
    showing: int


def no_progress(title: str, total: int) -> Callable[[int], None]:
    """Show nothing."""
    return ignore_progress


async def inspect(
    prober: Prober,
    targets: Sequence[Target],
    expectations: Expectations,
    baseline: Baseline | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
    progress: Progress = no_progress,
    aliases: Mapping[str, str] | None = None,
) -> Inspection:
    """Ask every target what the moment calls for, and judge the replies.

    Args:
        prober: an open one.
        targets: whom.
        expectations: what is right.
        baseline: how the sites answered before, None if nobody took it.
        concurrency: how many targets are asked at the same time.
        progress: how to show it.
        aliases: name of a site → what DNS calls it in the end.
    """
    campaign, secret, began_at = expectations.campaign, expectations.secret, time.time()
    asked = jobs(targets, campaign, secret, expectations.is_in_window(began_at))
    if baseline:
        asked = asking_lines(asked, {key for key, one in baseline.prints.items() if one.lines})
    asked = with_cache_questions(asked, f"{time.time_ns():x}")
    total = questions_in(asked)
    swept = await sweep(prober, asked, concurrency, progress("asking", total))
    through = seen_through(swept.replies, campaign)
    findings, returned = judged(swept.replies, expectations, baseline, through)
    if is_before(expectations, began_at):
        findings = by_weight((*findings, *told_before(through, aliases)))
    own = [reply for reply in swept.replies if not reply.target.is_public]
    carrying = sum(bool(reply.observation.shown_banners) for reply in own)
    shown, parts = sites_showing(own, campaign), stretches(own, expectations)
    by_quic = over_http3(swept.replies)
    return Inspection(findings, returned, swept.pace, carrying, shown, parts, through, by_quic)


def over_http3(replies: Iterable[Reply]) -> frozenset[str]:
    """Names of sites that answer over HTTP/3, too: by their survey, or because an answer of theirs says so; pure.

    Source: RFC 9114 section 3.1.1, `Alt-Svc: h3=…`.
    """
    return frozenset(
        reply.target.name
        for reply in replies
        if reply.target.site != UNKNOWN_SITE
        and (reply.target.over_http3 or _H3.search(reply.observation.header("alt-svc") or ""))
    )


def lacking(targets: Sequence[Target], expectations: Expectations, baseline: Baseline) -> tuple[Target, ...]:
    """Of the targets those that a baseline does not tell everything of that it would be asked for."""
    asked = jobs(targets, expectations.campaign, expectations.secret, in_window=False)
    return tuple(
        job.target
        for job in asked
        if job.target.site != UNKNOWN_SITE
        and any(q.method == "GET" and Key.of(job.target, q) not in baseline.prints for q in job.questions)
    )


async def take_baseline(
    prober: Prober,
    targets: Sequence[Target],
    expectations: Expectations,
    concurrency: int = DEFAULT_CONCURRENCY,
    progress: Progress = no_progress,
) -> tuple[Baseline, tuple[Target, ...]]:
    """How every site answers now, with what changes by itself told apart, and who could not be reached.

    Raises:
        FleetError: a site is answered by a strike at this moment, so that this is no time for a baseline.
    """
    taken_at, asked = time.time(), jobs(targets, expectations.campaign, expectations.secret, in_window=False)
    total = questions_in(asked)
    first = await sweep(prober, asked, concurrency, progress("first take", total))
    _refuse_strike(first.replies)
    await asyncio.sleep(max(0.0, TAKES_APART_S - first.pace.seconds))
    second = await sweep(prober, asked, concurrency, progress("second take", total))
    _refuse_strike(second.replies)
    kept = [[reply for reply in swept.replies if is_kept(reply)] for swept in (first, second)]
    baseline = make_baseline(expectations.campaign.name, taken_at, *kept)
    changing = {key for key, one in baseline.prints.items() if "body" in one.volatile}
    if changing:
        only = tuple(job for job in asked if any(Key.of(job.target, q) in changing for q in job.questions))
        lined = asking_lines(only, changing)
        takes = [(await sweep(prober, lined, concurrency, ignore_progress)).replies for _ in range(2)]
        baseline = with_lines(baseline, *([r for r in take if r.question.keep_lines] for take in takes))
    return baseline, tuple({r.target: None for r in kept[0] if r.observation.is_unreached})


def judged(
    replies: Iterable[Reply],
    expectations: Expectations,
    baseline: Baseline | None,
    through: Through | None = None,
) -> tuple[tuple[Finding, ...], tuple[Returned, ...]]:
    """Findings by weight, and one `Returned` per reply that should be as usual; pure.

    A public door of which the baseline knows nothing leaves no `Returned`: its host's own doors tell of its return.
    """
    findings: list[Finding] = []
    returned: list[Returned] = []
    pages: list[tuple[Reply, Answer]] = []
    with_certificate: dict[Target, Reply] = {}
    behind_wrong: set[tuple[str, Fault]] = set()
    replies = sorted(replies, key=lambda reply: reply.target.is_public)
    on_strike = {(r.target.host, r.target.name) for r in replies if r.target.tls and r.observation.ours}
    on_strike |= {(PUBLIC, name) for _, name in on_strike}
    held = Held(baseline, on_strike)
    before = {question.as_sent for question in usual_questions(expectations.campaign, expectations.secret)}
    for reply in replies:
        is_health_path = reply.question.path in reply.target.health_paths
        is_comparable = is_kept(reply) and (is_health_path or reply.question.as_sent in before)
        with_certificate.setdefault(reply.target, reply)
        answers = expectations.answers(reply)
        wrong = judge(reply, answers)
        if any(one.code == "not-on-strike" for one in wrong) and (limit := before_us(reply, held)):
            wrong = (limit,)
        if reply.target.is_public and through:
            wrong = explained(reply, wrong, through, behind_wrong, _is_in_force(reply, expectations))
        else:
            behind_wrong |= {(reply.target.name, fault(one)) for one in wrong}
        if not wrong and len(answers) == 1:
            pages.append((reply, answers[0]))
        if baseline and is_comparable and all(answer.kind == "usual" for answer in answers):
            row = compare(baseline, reply, is_apart=any(answer.is_apart for answer in answers))
            if row.verdict != "unknown" or not reply.target.is_public:
                returned.append(row)
            if row.verdict != "unknown" and not (reply.observation.ours or reply.observation.banners):
                wrong = _compared_findings(row)
        if baseline and is_comparable and all(answer.kind == "banner" for answer in answers):
            row = compare(baseline, reply, in_banner=True)
            wrong = (*wrong, *_compared_findings(row))
        findings += wrong
    for target, reply in with_certificate.items():
        trouble = judge_certificate(reply, certificate_trouble(baseline, target))
        findings += [trouble] if trouble else []
    return by_weight(gathered((*findings, *odd_pages(pages)))), tuple(returned)


def _is_in_force(reply: Reply, expectations: Expectations) -> bool:
    """Whether a phase of the site was in force when it was asked."""
    phase = expectations.phase_at(reply.observation.sent_at)
    return phase is not None and phase.number in reply.target.phases


def _compared_findings(row: Returned) -> tuple[Finding, ...]:
    """What the comparison with the baseline says of a reply; nothing where it is not in the baseline."""
    if row.verdict == "limited":
        return judge_limited(row.reply)
    return judge_return(row.reply, row.found if row.verdict != "unknown" else ())


def sites_showing(replies: Iterable[Reply], campaign: Campaign) -> dict[Mode, int]:
    """Each mode of the campaign → how many of the sites that take part showed it, on every host asked; pure.

    Only by an answer to an address of theirs: that our own addresses answer says nothing of what a visitor meets.
    """
    replies = [reply for reply in replies if _is_theirs(reply)]
    found: Counter[Mode] = Counter({phase.mode: 0 for phase in campaign.phases})
    for mode in found:
        numbers = {phase.number for phase in campaign.phases if phase.mode == mode}
        found[mode] = _showing(replies, campaign, numbers)[1]
    return dict(found)


def stretches(replies: Iterable[Reply], expectations: Expectations) -> tuple[Stretch, ...]:
    """The parts of a run by what was in force when each question was sent, in their order; pure."""
    campaign = expectations.campaign
    parts: dict[int | None, tuple[Phase | None, list[Reply]]] = {}
    for reply in sorted(filter(_is_theirs, replies), key=lambda one: one.observation.sent_at):
        phase = expectations.phase_at(reply.observation.sent_at)
        parts.setdefault(phase.number if phase else None, (phase, []))[1].append(reply)
    return tuple(
        Stretch(phase, *_showing(part, campaign, {phase.number} if phase else set()))
        for phase, part in parts.values()
    )


def _is_theirs(reply: Reply) -> bool:
    return reply.target.site != UNKNOWN_SITE and not reply.question.path.startswith(OWN_ADDRESSES)


def _showing(replies: Iterable[Reply], campaign: Campaign, numbers: Collection[int]) -> tuple[int, int]:
    """How many sites that take part in one of these phases were asked, and how many of them showed it everywhere.

    Without phases all sites are counted, and none shows anything.
    """
    marks = {sign(campaign, phase): phase.number for phase in campaign.phases if phase.number in numbers}
    by_place: dict[tuple[str, str], bool] = {}
    for reply in replies:
        target, seen = reply.target, reply.observation
        if numbers and not set(numbers) & set(target.phases):
            continue
        shows = any(
            marks.get(mark) in target.phases for mark in {seen.ours, *seen.shown_banners} & marks.keys()
        )
        by_place[target.host, target.site] = by_place.get((target.host, target.site), False) or shows
    silent = {site for (_, site), shows in by_place.items() if not shows}
    asked = {site for _, site in by_place}
    return count_sites(asked), count_sites(asked - silent)


def _refuse_strike(replies: Iterable[Reply]) -> None:
    """No baseline may be taken while a strike answers anywhere.

    Raises:
        FleetError: one does.
    """
    for reply in replies:
        if reply.observation.ours:
            where, sign = reply.target.label, reply.observation.ours
            raise FleetError(f"no baseline now: {where} is answered by a strike (X-Piquet: {sign})")
