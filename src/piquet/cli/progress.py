# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress bar on standard error, for people who wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from piquet.verify.outside.inspection import Progress as ShowProgress


@contextmanager
def progress_bar() -> Iterator[ShowProgress]:
    """A progress bar on standard error, on a terminal only."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def show(title: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(title, total=total)
            return lambda done: bars.advance(task, done)

        yield show
