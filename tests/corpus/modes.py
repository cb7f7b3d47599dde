# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a banner over a server: the states of `runner`, with `page_judge` as the judge of the window."""

from __future__ import annotations

from collections.abc import Sequence

from . import page_judge
from .cases import Case, with_cookie
from .picket import Picket
from .runner import Item, Recorder, Tally, differences, items
from .servers import Server


def run_banner(server: Server, strike: Picket, cases: Sequence[Case]) -> tuple[Tally, page_judge.Count]:
    """All states of one server with a banner phase; the answers of the window are counted by what became of them."""
    split = with_cookie(dict.fromkeys([*cases, *map(page_judge.bare, cases)]))
    recorder = Recorder(
        server, strike, (items(server.kinds, split[False], own=True), items(server.kinds, split[True]))
    )
    before, inside, after = strike.before_ms, strike.inside_ms, strike.after_ms
    unhooked = {instant: recorder.at(instant) for instant in (before, inside, after)}
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
        now = recorder.at(instant)
        tally.add(state, now, differences(state, unhooked[instant], now))
    server.make_flags(strike.keys)
    fragments = {language: strike.fragments[1, language] for language in strike.campaign.languages}
    active = recorder.at(inside)
    tally.add("active", active, ())
    for item, got in active.items():
        usual = unhooked[inside]
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
