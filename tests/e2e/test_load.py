# SPDX-License-Identifier: GPL-3.0-or-later
"""Switching under load: a start, an end and a rollback cost no request, a reload costs what any reload costs.

One course of campaigns on the whole fleet (once; with `--long` five times) while visitors keep asking on open
connections; every test looks at what came of it.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from email.utils import formatdate

import pytest

from testbed import Fleet
from testbed.host import Host
from tests import drive, figures, foreign
from tests.corpus.kinds import Kind
from tests.e2e import course as courses
from tests.e2e.course import UPLOAD, Course, Moment, Window
from tests.e2e.load import Answer, Load, Visitors

GRACE_S = 1.0
"""A request that is sent this long after a boundary meets the new side of it."""

ROUNDS = {False: 1, True: 5}
WITHOUT_RELOAD = ("survey", "arm", "start", "end", "rollback")
RELOADS = {
    "nginx": {"plain reload": 1, "hook": 1, "stage": 1, "unhook": 1, "remove": 1},
    "apache": {"plain reload": 1, "hook": 0, "stage": 1, "unhook": 0, "remove": 1},
}
"""How many reloads each verb takes; in the moments without, none."""

PROXY = {"nginx": "proxy", "apache": "proxy-pass"}


@pytest.fixture(scope="module")
def kinds(fleet: Fleet) -> Mapping[str, tuple[Kind, ...]]:
    """Host → its foreign sites."""
    return foreign.plant(fleet)


@pytest.fixture(scope="module")
def course(
    fleet: Fleet,
    kinds: Mapping[str, tuple[Kind, ...]],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Course]:
    """Everything that happened, from plain sites to plain sites."""
    drive.on_all(fleet, courses.plant)
    before = drive.on_all(fleet, drive.foreign_files)
    visitors = [v for host in fleet for v in visitors_of(host, kinds[host.name])]
    static = {v.host: v for v in visitors if v.name.startswith("static.")}
    rounds = ROUNDS[request.config.getoption("--long")]
    try:
        with Load(visitors, str(fleet.ca_file)) as load:
            course = Course(fleet, tmp_path_factory.mktemp("load"), load, static)
            for number in range(rounds):
                course.round(is_first=number == 0, has_unhook=number % 2 == 1)
        note_figures(course, kinds)
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{summary(course)}", file=sys.stderr)
        yield course
    finally:
        if any(_is_left(host) for host in fleet):
            drive.run_verb(fleet, "remove")
        after = drive.on_all(fleet, drive.foreign_files)
        drive.on_all(fleet, courses.uproot)
    assert before == after


def _is_left(host: Host) -> bool:
    """Whether anything of ours is on a host."""
    return bool(
        host.run(
            "ls -d /etc/piquet /var/lib/piquet /var/spool/piquet; grep -rl piquet /etc/nginx", check=False
        ).stdout
    )


def visitors_of(host: Host, kinds: Iterable[Kind]) -> list[Visitors]:
    """Static, TLS, proxied, and where it is, the site whose owner caches file look-ups; and a slow one.

    Where an answer takes long and the next request follows at once, a request is always under way.
    """
    name = {kind.name: kind.sites[0] for kind in kinds if kind.sites}
    found = [
        Visitors(host.name, host.ip, name["static"], connections=3, think_s=0.03),
        Visitors(host.name, host.ip, name["tls"], port=443, tls=True),
        Visitors(host.name, host.ip, name[PROXY[host.provider]]),
        Visitors(host.name, host.ip, courses.SLOW_NAME, connections=4, think_s=0.0),
    ]
    if caches(kinds):
        found.append(Visitors(host.name, host.ip, name["open-file-cache"]))
    return found


def caches(kinds: Iterable[Kind]) -> bool:
    """Whether the owner of a site on this host uses nginx's open_file_cache."""
    return any(kind.name == "open-file-cache" for kind in kinds)


def connections(course: Course, host: str) -> int:
    """How many the load keeps open to a host."""
    return sum(v.connections for v in course.load.visitors if v.host == host)


def failed(course: Course, moment: Moment, host: str) -> list[Answer]:
    """Requests that failed in a moment."""
    return [a for a in course.in_moment(moment) if a.visitors.host == host and a.kind == "failed"]


def allowed_reloads(host: Host, moment: Moment, is_caching: bool, is_late: bool) -> tuple[int, ...]:
    """How many reloads a moment may take: a rollback one where nginx caches file look-ups.

    One of a window that a slow machine armed too late finds nothing to roll back where that has ended meanwhile; there
    the reload of that end may come with one of the verbs that follow.
    """
    if moment.name == courses.LATE_ROLLBACK:
        return (0, 1) if is_caching else (0,)
    if moment.name == "rollback":
        return (int(is_caching),)
    usual = RELOADS[host.provider].get(moment.name, 0)
    return (usual, usual + 1) if is_caching and is_late and moment.name in ("stage", "arm") else (usual,)


def note_figures(course: Course, kinds: Mapping[str, tuple[Kind, ...]]) -> None:
    """Two tables: what each moment cost, and how exact the switches were."""
    for host in course.fleet:
        label = f"{host.provider}, open_file_cache" if caches(kinds[host.name]) else host.provider
        for name in dict.fromkeys(moment.name for moment in course.moments):
            moments = [moment for moment in course.moments if moment.name == name]
            reloads = sum(moment.reloads[host.name] for moment in moments)
            asked = [a for m in moments for a in course.in_moment(m) if a.visitors.host == host.name]
            figures.note(
                "load",
                server=label,
                moment=name,
                requests=len(asked),
                failed=sum(a.kind == "failed" for a in asked),
                allowed=connections(course, host.name) * reloads,
                reloads=reloads,
            )
    for window in ended(course):
        skews = {host.name: skew(course, host.name, window) for host in course.fleet}
        for host in course.fleet:
            figures.note("skew", server=host.provider, host=host.name, **skews[host.name])
        spread = {
            name: round(max(s[name] for s in skews.values()) - min(s[name] for s in skews.values()), 1)
            for name in next(iter(skews.values()))
        }
        figures.note("skew", server="all", host="largest difference", **spread)


def summary(course: Course) -> str:
    """One line for whoever looks at the run."""
    lost = sum(answer.kind == "failed" for answer in course.load.answers)
    reloads = sum(sum(moment.reloads.values()) for moment in course.moments)
    skews = [skew(course, host.name, window) for window in ended(course) for host in course.fleet]
    first, back = (
        max(s[name] for s in skews) for name in ("first_strike_after_start_ms", "first_normal_after_end_ms")
    )
    return (
        f"load: {len(course.load.answers)} requests, {lost} lost by {reloads} reloads;"
        f" on strike {first} ms after the start at the latest, back {back} ms after the end"
    )


def ended(course: Course) -> list[Window]:
    """The windows that came to their end."""
    return [window for window in course.windows if not window.is_rolled_back]


def skew(course: Course, host: str, window: Window) -> dict[str, float]:
    """Milliseconds from the boundaries to the first and last answers beside them."""
    middle = (window.start_at + window.until) / 2
    asked = [a for a in course.load.answers if a.visitors.host == host]
    asked = [a for a in asked if window.start_at - 5 < a.sent_at < window.until + 2]
    strikes = [a for a in asked if a.kind == "strike"]
    before = [a for a in asked if a.kind == "normal" and a.sent_at < middle]
    after = [a for a in asked if a.kind == "normal" and a.sent_at > middle]
    instants = {
        "first_strike_after_start_ms": min(a.first_byte_at for a in strikes) - window.start_at,
        "last_normal_after_start_ms": max(a.sent_at for a in before) - window.start_at,
        "last_strike_after_end_ms": max(a.sent_at for a in strikes) - window.until,
        "first_normal_after_end_ms": min(a.first_byte_at for a in after) - window.until,
    }
    return {name: round(seconds * 1000, 1) for name, seconds in instants.items()}


def test_no_request_fails_where_nothing_is_reloaded(
    fleet: Fleet, kinds: Mapping[str, tuple[Kind, ...]], course: Course
) -> None:
    """Survey, arm, start, end and rollback: every request gets its whole answer.

    Where nginx caches file look-ups, a rollback also reloads, and costs at most what a reload costs.
    """
    for moment in (m for m in course.moments if m.name in WITHOUT_RELOAD):
        for host in fleet:
            lost = failed(course, moment, host.name)
            if moment.name == "rollback" and caches(kinds[host.name]):
                assert len(lost) <= connections(course, host.name), lost
            else:
                assert lost == [], f"{moment.name} on {host.name}"


def test_no_verb_reloads_more_often_than_it_must(
    fleet: Fleet, kinds: Mapping[str, tuple[Kind, ...]], course: Course
) -> None:
    """As the servers themselves logged it: one each for hook, stage, unhook and remove, none for the others."""
    for host in fleet:
        is_caching = caches(kinds[host.name])
        made = [(m.name, m.reloads[host.name]) for m in course.moments]
        is_late = courses.LATE_ROLLBACK in dict(made)
        allowed = [allowed_reloads(host, moment, is_caching, is_late) for moment in course.moments]
        wrong = [(m, may) for m, may in zip(made, allowed, strict=True) if m[1] not in may]
        assert wrong == [], f"{host.name}: {made}"


def test_a_verb_that_reloads_costs_what_a_reload_costs(fleet: Fleet, course: Course) -> None:
    """At most one request per open connection and reload; with `--long`, the median is that of plain reloads.

    Lost is what lies unread when an old worker is told to leave: chance, and more of it while a verb works on two
    busy cores beside. So the medians of five may differ by half of what one reload can lose at all.
    """
    for host in fleet:
        plain = [len(failed(course, m, host.name)) for m in course.moments if m.name == "plain reload"]
        slack = connections(course, host.name) / 2
        for name in ("hook", "stage", "unhook", "remove"):
            moments = [moment for moment in course.moments if moment.name == name]
            lost = [len(failed(course, moment, host.name)) for moment in moments]
            for moment, count in zip(moments, lost, strict=True):
                assert count <= connections(course, host.name) * moment.reloads[host.name], name
            if min(len(lost), len(plain)) >= ROUNDS[True]:
                assert statistics.median(lost) <= statistics.median(plain) + slack, (name, plain, lost)


def test_nothing_fails_between(course: Course) -> None:
    """Every failed request belongs to a moment; every site was asked in each of them."""
    counted = sum(len(failed(course, m, host.name)) for m in course.moments for host in course.fleet)
    assert sum(answer.kind == "failed" for answer in course.load.answers) == counted
    for moment in course.moments:
        asked = {answer.visitors for answer in course.in_moment(moment)}
        assert asked == set(course.load.visitors), moment.name


def test_the_switch_is_exact(course: Course) -> None:
    """No strike arrives before the start, no usual page before the end; a second later nothing else is served.

    Under load, over TLS, through proxies, and where the owner caches file look-ups. One page everywhere. After
    a rollback has returned there is no second of grace.
    """
    ends = {formatdate(window.end_at, usegmt=True).encode() for window in ended(course)}
    assert ends <= set(course.load.strikes)
    assert dict.fromkeys(course.load.strikes, 1) == {end: len(p) for end, p in course.load.strikes.items()}
    wrong = [answer for answer in course.load.answers if not is_right(answer, course.windows)]
    assert wrong == []


def is_right(answer: Answer, windows: Iterable[Window]) -> bool:
    """Whether an answer shows what it must by its times."""
    if answer.kind == "strike":
        return any(
            w.start_at <= answer.first_byte_at
            and answer.sent_at < w.until + (0.0 if w.is_rolled_back else GRACE_S)
            for w in windows
        )
    return answer.kind == "failed" or not any(
        w.start_at + GRACE_S <= answer.sent_at and answer.first_byte_at < w.usual_from for w in windows
    )


def test_a_download_across_every_switch_is_whole(fleet: Fleet, course: Course) -> None:
    """A large file, begun before and finished after: across two reloads, and across start and end."""
    window = ended(course)[0]
    across = {
        "reloads": [m.acted_at for m in course.moments if m.name in ("hook", "stage")][:2],
        "window": [window.start_at, window.until],
    }
    for (name, label), future in course.downloads.items():
        outcome = future.result(timeout=60)
        assert all(outcome.begun_at < at < outcome.done_at for at in across[label]), (name, label)
        expected = fleet[name].run(f"sha256sum /srv/sites/static{courses.LARGE}").stdout.split()[0]
        assert expected == outcome.sha256, (name, label)


def test_an_upload_across_the_start_is_answered_as_usual(course: Course) -> None:
    """A body that trickles in from before to after the start reaches the application, whole."""
    for name, future in course.uploads.items():
        outcome = future.result(timeout=60)
        assert outcome.begun_at < ended(course)[0].start_at < outcome.done_at
        assert outcome.reply and not outcome.reply.sign, name
        assert hashlib.sha256(UPLOAD).hexdigest().encode() == outcome.reply.body, name


def test_a_connection_that_waited_meets_the_switch(course: Course) -> None:
    """The next request on a connection that was open before the start is on strike, after the end as usual."""
    for (name, label), future in course.pauses.items():
        before, after = (outcome.reply for outcome in future.result(timeout=60))
        assert before and not before.sign and not before.is_last, (name, label)
        assert after and bool(after.sign) is (label == "start"), (name, label)
