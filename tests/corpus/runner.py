# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks every kind every case in every state, and says where an answer is not what it must be.

States, each on a freshly started server so that limits and caches repeat, with the calendar stopped at an instant:

    staged    before the start, the bundle installed, no flags        } must be byte-identical to the server without us
    armed     before the start, flags there                           } at the same instant, `Date` included
    released  inside the window, flags taken away                     }
    after     behind the end, flags still there                       }
    active    inside the window, flags there: the table of answers decides; what it calls usual must be byte-identical

The unhooked answers are recorded first, on the same ports and files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

from .cases import Case, of_kind, with_cookie
from .client import Wire, exchange, exchange_h2, settled
from .kinds import Ask, Kind
from .picket import Picket
from .servers import Server

State = Literal["unhooked", "staged", "armed", "active", "released", "after"]
STATES: tuple[State, ...] = ("staged", "armed", "active", "released", "after")
_THREADS = 4


@dataclass(frozen=True)
class Item:
    """One case asked of one name of one kind."""

    kind: str
    ask: Ask
    case: Case

    def __str__(self) -> str:
        """For a report."""
        where = "" if self.ask.address == "127.0.0.1" else f" at {self.ask.address}"
        return f"{self.kind} {self.ask.scheme}://{self.ask.host}{where} {self.case}"


@dataclass(frozen=True)
class Deviation:
    """One answer that is not what it must be."""

    state: State
    item: Item
    why: str
    expected: bytes
    got: bytes

    def __str__(self) -> str:
        """State, request, reason and the beginning of both answers."""
        answers = f"    expected {self.expected[:300]!r}\n    got      {self.got[:300]!r}"
        return f"[{self.state}] {self.item}: {self.why}\n{answers}"


@dataclass
class Tally:
    """Counts per kind and state, every deviation, and the pages that carry a banner or could and do not."""

    asked: Counter[tuple[str, State]] = field(default_factory=Counter)
    deviations: list[Deviation] = field(default_factory=list)
    missed: list[Item] = field(default_factory=list)
    carried: list[Item] = field(default_factory=list)

    def add(self, state: State, items: Iterable[Item], found: Iterable[Deviation]) -> None:
        """Count a state's requests and keep what was wrong."""
        self.asked.update((item.kind, state) for item in items)
        self.deviations += found

    def wrong(self, state: State) -> list[Deviation]:
        """Deviations of one state."""
        return [deviation for deviation in self.deviations if deviation.state == state]

    def table(self, title: str) -> str:
        """Counts as text: a line per kind, right/asked per state, and the totals."""
        wrong = Counter((deviation.item.kind, deviation.state) for deviation in self.deviations)
        rows = [f"{title:20}" + "".join(f"{state:>14}" for state in STATES)]
        for kind in sorted({kind for kind, _ in self.asked}):
            rows.append(f"{kind:20}" + "".join(_share(self.asked[kind, s], wrong[kind, s]) for s in STATES))
        totals = [
            (sum(n for (_, s), n in self.asked.items() if s == state), len(self.wrong(state)))
            for state in STATES
        ]
        rows.append(f"{'total':20}" + "".join(_share(*total) for total in totals))
        return "\n".join(rows)

    def rows(self, server: str) -> list[dict[str, str | int]]:
        """Counts as figures: a row per kind with the requests of all states and the wrong answers of each."""
        wrong = Counter((deviation.item.kind, deviation.state) for deviation in self.deviations)
        return [
            {
                "server": server,
                "kind": kind,
                "requests": sum(self.asked[kind, state] for state in STATES),
                **{f"wrong_{state}": wrong[kind, state] for state in STATES},
            }
            for kind in sorted({kind for kind, _ in self.asked})
        ]

    def report(self, limit: int = 15) -> str:
        """The first deviations, one of each kind, state and reason first, for a failing test."""
        seen: dict[tuple[str, str, str], Deviation] = {}
        for deviation in self.deviations:
            seen.setdefault((deviation.item.kind, deviation.state, deviation.why), deviation)
        shown = [str(deviation) for deviation in list(seen.values())[:limit]]
        return "\n".join([f"{len(self.deviations)} deviations, {len(seen)} sorts", *shown])


def _share(asked: int, wrong: int) -> str:
    return f"{asked - wrong:>7}/{asked:<6}"


def items(kinds: Sequence[Kind], cases: Sequence[Case], *, own: bool = False) -> tuple[Item, ...]:
    """Every case for every name of every kind, in a fixed order; `own` adds the kind's own addresses."""
    return tuple(
        Item(kind.name, way, case)
        for kind in kinds
        for way in kind.asks
        for case in (*cases, *(of_kind(kind.paths) if own else ()))
        if way.scheme != "h2" or case.is_for_http2
    )


def record(server: Server, asked: Sequence[Item]) -> dict[Item, Wire]:
    """Ask a freshly started server; each kind's requests in their order, kinds side by side."""
    by_kind: dict[str, list[Item]] = {}
    for item in asked:
        by_kind.setdefault(item.kind, []).append(item)
    answers: dict[Item, Wire] = {}
    with server.serving(), ThreadPoolExecutor(_THREADS) as pool:
        for part in pool.map(lambda group: _ask_all(server, group), by_kind.values()):
            answers.update(part)
    return answers


def _ask_all(server: Server, asked: Sequence[Item]) -> dict[Item, Wire]:
    return {item: ask(server, item.ask, item.case) for item in asked}


def ask(server: Server, way: Ask, case: Case) -> Wire:
    """Ask a running server one case by one way."""
    port = server.https if way.tls else server.http
    if way.scheme == "h2":
        url = f"https://{way.host}{case.target}"
        wire = exchange_h2(way.address, port, url, case.method, case.headers, case.body)
    else:
        name = way.host if way.tls else None
        wire = exchange(way.address, port, case.bytes(way.host), name, way.source(case.source))
    return settled(wire) if server.provider == "apache" else wire


def differences(state: State, unhooked: Mapping[Item, Wire], now: Mapping[Item, Wire]) -> Iterator[Deviation]:
    """Answers that are not byte-identical."""
    for item, wire in now.items():
        if wire != unhooked[item]:
            yield Deviation(state, item, "not identical", *_shown(unhooked[item], wire))


def _shown(expected: Wire, got: Wire) -> tuple[bytes, bytes]:
    """Both answers from a little before the first difference on."""
    at = next((i for i, (a, b) in enumerate(zip(expected.received, got.received, strict=False)) if a != b), 0)
    start = max(0, at - 40)
    return expected.ended.encode() + expected.received[start:], got.ended.encode() + got.received[start:]


@dataclass(frozen=True)
class Recorder:
    """The states of one server under one picket; `parts` are asked on servers started afresh."""

    server: Server
    picket: Picket
    parts: tuple[tuple[Item, ...], ...]

    def at(self, at_ms: int, keep: frozenset[Item] | None = None) -> dict[Item, Wire]:
        """Answers at an instant, of all items or of those to keep."""
        self.server.chroot.set_clock(at_ms)
        answers: dict[Item, Wire] = {}
        for part in self.parts:
            chosen = part if keep is None else tuple(item for item in part if item in keep)
            if chosen:
                answers |= record(self.server, chosen)
        return answers

    def usual(self) -> frozenset[Item]:
        """Items that the table calls usual inside the window."""
        return frozenset(
            item for part in self.parts for item in part if self.picket.is_usual(item.ask, item.case)
        )


def chosen(parts: Iterable[Iterable[Item]], share: int) -> frozenset[Item]:
    """One in so many, of every kind others."""
    return frozenset(item for part in parts for item in part if crc32(str(item).encode()) % share == 0)


def run(server: Server, picket: Picket, cases: Sequence[Case], *, share: int = 1) -> Tally:
    """All states of one server: unhooked, hooked and staged, armed, active, released, after.

    The server is left hooked and staged.

    Args:
        server: with its kinds.
        picket: the campaign.
        cases: what is asked of each name.
        share: every kind is asked one in so many, each of another selection.
    """
    split = with_cookie(cases)
    asked = (items(server.kinds, split[False], own=True), items(server.kinds, split[True]))
    kept = chosen(asked, share)
    recorder = Recorder(server, picket, tuple(tuple(item for item in part if item in kept) for part in asked))
    before, inside, after = picket.before_ms, picket.inside_ms, picket.after_ms
    usual = recorder.usual()
    unhooked = {instant: recorder.at(instant) for instant in (before, inside, after)}
    unhooked_usual = recorder.at(inside, usual)

    picket.hook(server)
    picket.stage(server)
    tally = Tally()
    _same(tally, "staged", unhooked[before], recorder.at(before))
    server.make_flags(picket.keys)
    _same(tally, "armed", unhooked[before], recorder.at(before))
    active = recorder.at(inside)
    found = (
        picket.deviation(item.ask, item.case, active[item], unhooked[inside][item], unhooked_usual.get(item))
        for item in active
    )
    tally.add(
        "active",
        active,
        [Deviation("active", item, *reason) for item, reason in zip(active, found, strict=True) if reason],
    )
    for item, wire in active.items():
        if picket.is_missed(item.ask, item.case, wire, unhooked[inside][item]):
            tally.missed.append(item)
        elif b"data-piquet=" in wire.received:
            tally.carried.append(item)
    _same(tally, "after", unhooked[after], recorder.at(after))
    server.drop_flags()
    _same(tally, "released", unhooked[inside], recorder.at(inside))
    return tally


def _same(tally: Tally, state: State, unhooked: Mapping[Item, Wire], now: Mapping[Item, Wire]) -> None:
    tally.add(state, now, differences(state, unhooked, now))
