# SPDX-License-Identifier: GPL-3.0-or-later
"""One verb on all hosts through an engine: what is printed meanwhile and at the end, and an honest Ctrl-C."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import click

from piquet.cli import run_summary_json, run_summary_text
from piquet.cli.exit_codes import OK, code_of
from piquet.cli.live import Live
from piquet.cli.run_summary import RunSummary
from piquet.controller.commands import by_command
from piquet.controller.events import Event
from piquet.engines import Drive, EngineRequest, start_engine
from piquet.errors import EngineError, FleetError, PiquetError
from piquet.fleet.inventory import inventory_hosts, require_inventory

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OWN_TABLE = frozenset({"hook", "unhook", "stage"})
"""Verbs whose steps end without a table over all hosts."""

_WITHOUT_GAP = _OWN_TABLE | {"survey"}
"""Verbs whose data does not end with an empty line."""


@dataclass
class VerbRun:
    """One call of a verb's command."""

    engine: str
    request: EngineRequest
    is_json: bool
    course: RunSummary
    live: Live
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    action: str = ""
    signals: int = 0

    def hear(self, event: Event) -> None:
        """Take in one event and show what it means."""
        if event.kind == "start" and not event.host:
            self.end_step()
            self.course.feed(event)
            self.action = event.action
            self.live.step_begins(event.hosts)
            return
        self.course.feed(event)
        if event.kind == "result":
            if not event.result.get("skipped"):
                self.results[event.host] = event.result
            self.live.progress()

    def end_step(self) -> None:
        """Print what the step brought: people's part on standard error, data on standard output, hosts sorted."""
        results, self.results = self.results, {}
        self.live.step_ends(results, is_named=self.action != "tally")
        for host, result in sorted(results.items()):
            if not host and result.get("failed") and self.action != "tally":
                self.live.say(f"error: {self._text_as_typed(str(result.get('msg')))}")
            if not self.is_json:
                _print_data(host, {**result, "show": self._text_as_typed(str(result.get("show") or ""))})

    def _text_as_typed(self, text: str) -> str:
        return by_command(text, self.request.inventory, self.engine)


def drive_verb(
    verb: str, engine: str, request: EngineRequest, is_json: bool, summary: RunSummary | None = None
) -> int:
    """Run a verb and tell people or a program how it went.

    Args:
        verb: one of the agent's.
        engine: one of `piquet.engines.ENGINES`.
        request: for the engine.
        is_json: one document on standard output, and nothing else there.
        summary: is filled, for a caller who looks at it afterwards.

    Returns:
        A code of `exit_codes`.
    """
    begun_at = time.monotonic()
    course, error = summary or RunSummary(verb, request.check), None
    try:
        require_inventory(request.inventory)
        with Live(course) as live:
            _follow(VerbRun(engine, request, is_json, course, live))
    except PiquetError as err:
        error = err
        click.echo(f"error: {by_command(str(err), request.inventory, engine)}", err=True)
    code = code_of(error) if error and not course.is_interrupted else course.exit_code()
    seconds = time.monotonic() - begun_at
    if course.is_interrupted or (error and course.hosts):
        click.echo(f"\n{run_summary_text.where(course, request.inventory, engine)}", err=True)
    if is_json:
        document = run_summary_json.run_document(course, engine, seconds, code, error)
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    elif course.hosts or course.losses:
        _print_end(course, seconds, error)
    return code


def _follow(run: VerbRun) -> None:
    """From the first event to the last, or to Ctrl-C.

    Raises:
        PiquetError: the engine could not run, or there was nothing for it to do.
    """
    with start_engine(run.engine, run.course.verb, run.request) as drive, _signals(run, drive):
        try:
            for event in drive.events():
                if run.signals and not run.course.is_interrupted:
                    _stop(run, drive)
                elif event is None:
                    run.live.tick()
                if event is not None:
                    run.hear(event)
        except EngineError as err:
            raise _reason(run, err) from err
        finally:
            run.end_step()
    if not run.course.hosts and run.course.exit_code() == OK:
        raise FleetError("no host was meant\n\n  hint: are the paths and patterns after -i and -l right?")


def _stop(run: VerbRun, drive: Drive) -> None:
    run.course.is_interrupted = True
    run.live.say("stopping: nothing new is begun … (Ctrl-C again ends at once)")
    drive.stop()


def _reason(run: VerbRun, error: EngineError) -> PiquetError:
    """An engine without one result: if the inventory is to blame, its own message says more."""
    if not run.course.hosts and not run.request.inventory.endswith(".py"):
        try:
            inventory_hosts(run.request.inventory, run.request.limit)
        except FleetError as err:
            return err
    return error


@contextmanager
def _signals(run: VerbRun, drive: Drive) -> Iterator[None]:
    """The first signal asks for an end, the second ends; whoever reads events does the work of the first."""

    def note(number: int, frame: FrameType | None) -> None:
        run.signals += 1
        if run.signals == 1:
            drive.nudge()
        else:
            drive.kill()

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_data(host: str, result: Mapping[str, Any]) -> None:
    if shown := str(result.get("show") or ""):
        click.echo(f"{shown}\n" if not host else shown)
    if host and (text := run_summary_text.diff_text(host, result.get("diff"))):
        click.echo(text)


def _print_end(course: RunSummary, seconds: float, error: PiquetError | None) -> None:
    rows = course.rows()
    if rows and course.verb in _OWN_TABLE:
        click.echo(run_summary_text.host_table(rows, course.check))
    if rows and course.verb in _WITHOUT_GAP:
        click.echo()
    line = run_summary_text.last_line(course, seconds)
    click.echo(f"NOT {line}" if error and line.startswith("done") else line)
