# SPDX-License-Identifier: GPL-3.0-or-later
"""Do one thing on every road and demand the same of all: what was said, what is on disk, what is answered."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.parity import state
from tests.parity.road import Road, Run, on_roads


@dataclass
class Comparison:
    """Counts what was held against each other, so that a run can say it.

    Attributes:
        roads: at least two.
        is_full: whether what is only shown is printed for people too, to be compared; the document has it all.
        counts: what → how many pairs were found equal.
    """

    roads: Sequence[Road]
    is_full: bool = True
    counts: dict[str, int] = field(default_factory=dict)

    def verb(self, verb: str, *arguments: str, code: int = 0, changed: bool | None = None) -> dict[str, Run]:
        """Run a verb on every road; its document, exit code and "changed" flags are the same, and as expected."""
        done = on_roads(self.roads, lambda road: road.run(verb, *arguments))
        for name, run in done.items():
            said = json.dumps(run.document, indent=1)[:4000]
            assert run.exit_code == code, (
                f"{name}: {verb} ended with {run.exit_code}, expected {code}\n{said}\n{run.stderr}"
            )
            if changed is not None:
                flags = {host: told["changed"] for host, told in run.document["hosts"].items()}
                assert flags == dict.fromkeys(flags, changed), f"{name}: {verb}: changed is {flags}"
        self.same(
            f"{verb} {' '.join(arguments)}: what it said",
            lambda road, across: _pretty(done[road.name], across),
        )
        return done

    def shown(self, verb: str, *arguments: str) -> None:
        """What a verb would change, as a document and in words."""
        self.verb(verb, *arguments, "--check", "--diff")
        if self.is_full:
            self.words(verb, *arguments, "--check", "--diff")

    def words(self, verb: str, *arguments: str) -> None:
        """What a verb prints for people is the same on every road, to the letter, but for times."""
        said = on_roads(self.roads, lambda road: road.say(verb, *arguments))
        self.same(
            f"{verb} {' '.join(arguments)}: what it printed",
            lambda road, across: _printed(said[road.name], road, across),
            is_seconds_free=True,
            is_within="--diff" in arguments,
        )

    def hosts(self, moment: str) -> None:
        """Every file, mode, owner and byte on the twins, the journal included, and every answer."""
        for road in self.roads:
            assert road.hosts.keys() == self.roads[0].hosts.keys()
        for name in self.roads[0].hosts:
            trees = on_roads(
                self.roads,
                lambda road, name=name: {a: state.tree(road.hosts[name], a) for a in (False, True)},
            )
            self.same(
                f"{moment}: files on {name}",
                lambda road, across, trees=trees: _lines(trees[road.name][across]),
            )
        self.answers(moment)

    def answers(self, moment: str) -> None:
        """What visitors get."""
        got = on_roads(self.roads, lambda road: {a: state.answers(road, a) for a in (False, True)})
        self.same(f"{moment}: answers", lambda road, across: _lines(got[road.name][across]))

    def same(
        self,
        what: str,
        text: Callable[[Road, bool], str],
        is_seconds_free: bool = False,
        is_within: bool = False,
    ) -> None:
        """Equal between engines; between schedulers equal but for the schedule's own, unless `is_within`.

        Raises:
            AssertionError: with the difference.
        """
        for one, other, is_across in self._pairs():
            if is_across and is_within:
                continue
            left, right = text(one, is_across), text(other, is_across)
            if is_seconds_free:
                left, right = state.without_seconds(left), state.without_seconds(right)
            assert left == right, f"{what}: {one.name} and {other.name} differ\n{_difference(left, right)}"
            kind = what.partition(": ")[2].partition(" on ")[0]
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def _pairs(self) -> Iterator[tuple[Road, Road, bool]]:
        """Both engines of each scheduler, and the schedulers of the first engine; whether it is across schedulers."""
        firsts: dict[str, Road] = {}
        for road in self.roads:
            first = firsts.setdefault(road.scheduler, road)
            if first is not road:
                yield first, road, False
            elif road is not self.roads[0]:
                yield self.roads[0], road, True


def _pretty(run: Run, is_across: bool) -> str:
    return json.dumps(state.run_document(run.document, is_across), indent=1, sort_keys=True)


def _printed(run: Run, road: Road, is_across: bool) -> str:
    text = run.stdout.replace(str(road.folder), "FOLDER").replace(f" --engine {road.engine}", "")
    return str(state.likened(text, is_across))


def _lines(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}: {table[key]}" for key in sorted(table))


def _difference(left: str, right: str) -> str:
    found = list(difflib.unified_diff(left.splitlines(), right.splitlines(), lineterm="", n=1))
    return "\n".join(line[:600] for line in found[:80])
