# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a banner over a server, with `page_judge` as the judge of the window; and the figures of every mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.figures import note

from . import page_judge
from .cases import Case, with_cookie
from .picket import Picket
from .runner import Item, Recorder, Tally, chosen, differences, items
from .servers import Server


def run_banner(
    server: Server, strike: Picket, cases: Sequence[Case], share: int = 1
) -> tuple[Tally, page_judge.Count]:
    """All states of one server with a banner phase; the answers of the window are counted by what became of them.

    Args:
        server: with its kinds.
        strike: the campaign.
        cases: what is asked of each name, inside the window always all of it.
        share: outside of it every kind is asked one in so many, each of another selection.
    """
    split = with_cookie(dict.fromkeys([*cases, *map(page_judge.bare, cases)]))
    recorder = Recorder(
        server, strike, (items(server.kinds, split[False], own=True), items(server.kinds, split[True]))
    )
    before, inside, after = strike.before_ms, strike.inside_ms, strike.after_ms
    quiet = chosen(recorder.parts, share)
    unhooked = {instant: recorder.at(instant, quiet) for instant in (before, inside, after)}
    usual = recorder.at(inside) if share > 1 else unhooked[inside]
    strike.hook(server)
    strike.stage(server)
    tally, count = Tally(), page_judge.Count()
    states = (
        ("staged", before, False),
        ("armed", before, True),
        ("after", after, True),
        ("released", inside, False),
    )
    for state, instant, is_armed in states:
        (server.make_flags if is_armed else lambda _: server.drop_flags())(strike.keys)
        now = recorder.at(instant, quiet)
        tally.add(state, now, differences(state, unhooked[instant], now))
    server.make_flags(strike.keys)
    fragments = {language: strike.fragments[1, language] for language in strike.campaign.languages}
    active = recorder.at(inside)
    tally.add("active", active, ())
    for item, got in active.items():
        answer = strike.expected(item.ask, item.case, inside)
        if answer is None or answer.kind in ("banner", "refused"):
            plain = usual.get(Item(item.kind, item.ask, page_judge.bare(item.case)), usual[item])
            count.add(item, *page_judge.judge(item.case, got, usual[item], plain, fragments))
        else:
            reason = strike.deviation(item.ask, item.case, got, usual[item], None)
            count.add(
                item, answer.kind, f"{reason[0]}: {reason[1][:300]!r} {reason[2][:300]!r}" if reason else ""
            )
    return tally, count


def keep(
    way: tuple[str, str, str], tally: Tally, carried: int, missed: Mapping[str, int], why: Mapping[str, str]
) -> None:
    """Keep the figures: one row for all kinds, and one for each kind with pages that could carry a banner and do not.

    Args:
        way: server, by which way it shows the strike, mode.
        tally: of all states.
        carried: pages with exactly one banner.
        missed: kind → pages without, though they could.
        why: kind → cause.
    """
    server, by, mode = way
    counts = {str(row["kind"]): int(row["requests"]) for row in tally.rows(server)}
    common = {"server": server, "by": by, "mode": mode}
    note(
        "modes",
        **common,
        kinds=f"all {len(counts)}",
        requests=sum(counts.values()),
        wrong=len(tally.deviations),
        one_banner=carried,
        without=sum(missed.values()),
        why="",
    )
    for kind, count in missed.items():
        wrong = sum(deviation.item.kind == kind for deviation in tally.deviations)
        row = {"kinds": kind, "requests": counts[kind], "wrong": wrong, "one_banner": "", "without": count}
        note("modes", **common, **row, why=why.get(kind, ""))
