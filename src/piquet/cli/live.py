# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard error while a verb runs: bars on a terminal, a line per step elsewhere, and every failure in full."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from piquet.cli.run_summary import RunSummary
from piquet.cli.run_summary_text import failure

_WAITS_S = (10, 30, 60, 120, 300, 600)
"""When somebody without a terminal is told that a step still waits, seconds after its last news."""

_NAMED = 8


class Live:
    """Follows a course; on a terminal with a bar that disappears when its step is over."""

    def __init__(self, course: RunSummary) -> None:
        """Nothing is shown yet."""
        self._course = course
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._begun_at = self._heard_at = time.monotonic()
        self._told_waits = 0

    def __enter__(self) -> Self:
        """Show that something begins."""
        self._show("Starting", None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._hide()

    def step_begins(self, hosts: int) -> None:
        """A new step is under way: on so many hosts, 0 for one on the controller."""
        self._begun_at = time.monotonic()
        self._hear()
        self._show(self._course.step, hosts or None)

    def progress(self) -> None:
        """A host is done with the step."""
        self._hear()
        if self._bar:
            self._bar.update(self._task, completed=len(self._course.done))

    def tick(self) -> None:
        """Nothing was heard for a while."""
        waited_s = time.monotonic() - self._heard_at
        if self._bar or self._told_waits >= len(_WAITS_S) or waited_s < _WAITS_S[self._told_waits]:
            return
        self._told_waits += 1
        names = sorted(self._course.in_flight)
        shown = ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])])
        self.say(f"  still waiting ({waited_s:.0f} s){': ' if shown else ''}{shown}")

    def step_ends(self, results: Mapping[str, Mapping[str, Any]], is_named: bool) -> None:
        """Sum the step up, and say every failure in full.

        Args:
            results: host (or "" for the controller) → result, without skipped ones.
            is_named: whether the step is worth a line.
        """
        self._hide()
        seconds = time.monotonic() - self._begun_at
        if is_named and results:
            count = len([host for host in results if host])
            hosts = f"{count} host{'' if count == 1 else 's'}, " if count else ""
            self.say(f"{self._course.step}: {hosts}{seconds:.1f} s")
        for host, result in sorted(results.items()):
            if host and (result.get("failed") or result.get("unreachable")):
                self.say(failure(host, result))

    def say(self, text: str) -> None:
        """One message to people, above a bar if there is one."""
        self._console.print(text, soft_wrap=True)

    def _hear(self) -> None:
        self._heard_at, self._told_waits = time.monotonic(), 0

    def _show(self, title: str, total: int | None) -> None:
        self._hide()
        if not self._console.is_terminal:
            return
        columns = [TextColumn("{task.description}"), BarColumn(bar_width=24)]
        columns += [MofNCompleteColumn(), TextColumn("hosts,")] if total else []
        columns += [TimeElapsedColumn(), TextColumn("elapsed")]
        columns += [TimeRemainingColumn(), TextColumn("left")] if total else []
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task(title, total=total)
        self._bar.start()

    def _hide(self) -> None:
        if self._bar:
            self._bar.stop()
        self._bar = None
