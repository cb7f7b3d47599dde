# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet watch`: the status of every host, asked again and again, with a countdown; until Ctrl-C. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.live import Live as Screen
from rich.text import Text

from piquet.cli.exit_codes import OK
from piquet.cli.hosts import ENGINE, INVENTORY, LIMIT, as_typed
from piquet.controller.events import Event
from piquet.controller.host_results import bad, good, status_page, tally
from piquet.engines import Drive, EngineRequest, start_engine
from piquet.errors import EngineError, FleetError
from piquet.fleet.inventory import require_inventory
from piquet.fleet.sites import counted

_TICK_S = 1.0


@dataclass
class Watch:
    """What was heard in the last round that came to its end.

    Attributes:
        results: inventory name → the registered result of `status`; empty before the first round is over.
        asked_at: when that round began, aware UTC.
        trouble: why the last round told nothing, "" if it did.
    """

    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    asked_at: datetime | None = None
    trouble: str = ""

    def page(self, at: datetime) -> str:
        """The status as `piquet status` prints it, counted down to this instant.

        Args:
            at: aware; now.
        """
        if self.asked_at is None:
            return self.trouble or "asking every host …"
        rows = tally(self.results, [self.results], {})
        told = [(host, (result.get("piquet") or {}).get("status")) for host, result in self.results.items()]
        statuses = [(host, status) for host, status in sorted(told) if status]
        verdict = (
            f"Asked {(at - self.asked_at).total_seconds():.0f} s ago: {counted(len(good(rows)), 'host')} ok"
        )
        verdict += f", {len(bad(rows))} not ({', '.join(bad(rows))})" if bad(rows) else ""
        parts = [status_page(verdict, rows, statuses, at), self.trouble]
        return "\n\n".join(part for part in parts if part)


@click.command("watch")
@INVENTORY
@LIMIT
@ENGINE
@click.option(
    "--every", type=click.IntRange(min=1), default=15, show_default=True, help="Seconds between two rounds."
)
def command(inventory: str, limit: str | None, engine: str, every: int) -> int:
    """Show what every host is doing, live, until Ctrl-C.

    Changes nothing. Without a terminal each round is printed.
    """
    require_inventory(inventory)
    request = EngineRequest(inventory, limit)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    watch = Watch()
    try:
        with Screen(console=console, auto_refresh=False, screen=console.is_terminal) as screen:

            def show(is_new: bool) -> None:
                page = as_typed(watch.page(datetime.now(UTC)))
                if console.is_terminal:
                    screen.update(Text(f"{page}\n\nCtrl-C ends this, and nothing else"), refresh=True)
                elif is_new:
                    click.echo(f"{page}\n")

            while True:
                _ask(watch, engine, request, show)
                _wait(every, show)
    except KeyboardInterrupt:
        return OK


def _ask(watch: Watch, engine: str, request: EngineRequest, show: Callable[[bool], None]) -> None:
    """One round; a round that fails leaves what the last one told, and says why."""
    asked_at, heard = datetime.now(UTC), {}
    try:
        with start_engine(engine, "status", request) as drive:
            for event in _events(drive, show):
                if event.kind == "result" and event.host and not event.result.get("skipped"):
                    heard[event.host] = event.result
    except EngineError as error:
        watch.trouble = f"the last round told nothing: {error}"
        show(True)
        return
    if not heard:
        raise FleetError("no host was meant\n\n  hint: are the paths and patterns after -i and -l right?")
    watch.results, watch.asked_at, watch.trouble = heard, asked_at, ""
    show(True)


def _events(drive: Drive, show: Callable[[bool], None]) -> Iterator[Event]:
    """Events as they come; the countdown goes on meanwhile."""
    for event in drive.events():
        if event is None:
            show(False)
        else:
            yield event


def _wait(seconds: float, show: Callable[[bool], None]) -> None:
    until = time.monotonic() + seconds
    while (left_s := until - time.monotonic()) > 0:
        time.sleep(min(_TICK_S, left_s))
        show(False)
