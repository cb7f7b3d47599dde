# SPDX-License-Identifier: GPL-3.0-or-later
"""What every engine's drive has in common: a queue of events, a way to stop, nothing left behind."""

from __future__ import annotations

import queue
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from piquet.controller.events import Event
from piquet.engines.processes import family, kill
from piquet.printable import printable

TICK_S = 1.0
PATIENCE_S = 5.0
"""How long an engine may take to stop when it is asked to."""
_NOISE_LINES = 40


class Nudge:
    """Put among the events to wake whoever reads them."""


NUDGE = Nudge()


@dataclass(frozen=True)
class EngineRequest:
    """What is asked of an engine besides the verb.

    Attributes:
        inventory: file, folder or `host1,host2,`.
        limit: a host pattern, None for all hosts.
        variables: `piquet_…` → value, above what the inventory says.
        check: change nothing, tell what would change.
        diff: have texts before and after in the results.
    """

    inventory: str
    limit: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False
    diff: bool = False


class Drive(ABC):
    """One verb under way in a process of its own, which the terminal's Ctrl-C does not reach."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._heard: queue.SimpleQueue[Event | Nudge | None] = queue.SimpleQueue()
        self._noise: deque[str] = deque(maxlen=_NOISE_LINES)
        self._is_over = False
        self._is_stopped = False

    def __enter__(self) -> Self:
        """It runs since it was made."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End whatever still runs, and take away what was written."""
        if not self._is_over:
            self.kill()
        self._clean()

    def events(self) -> Iterator[Event | None]:
        """Events as they come, None for a second without one or a nudge.

        Raises:
            EngineError: the engine could not run or ended without a word; raised after the last event.
        """
        while not self._is_over:
            try:
                event = self._heard.get(timeout=TICK_S)
            except queue.Empty:
                event = NUDGE
            if event is None:
                self._is_over = True
            else:
                yield event if isinstance(event, Event) else None
        if not self._is_stopped:
            self._judge()

    def nudge(self) -> None:
        """Have `events` yield None now; for a signal handler, hence the kind of queue."""
        self._heard.put(NUDGE)

    def stop(self) -> None:
        """Ask the engine to begin nothing more and to end; give it `PATIENCE_S`, then kill it.

        What runs on hosts goes on to its end there by itself.
        """
        self._is_stopped = True
        before = [process for pid in self._pids() for process in family(pid)]
        deadline, is_asked = time.monotonic() + PATIENCE_S, False
        while self._is_alive() and time.monotonic() < deadline:
            is_asked = is_asked or self._ask_to_stop()
            time.sleep(0.05)
        kill(before)

    def kill(self) -> None:
        """End the engine and all of its processes at once."""
        self._is_stopped = True
        kill([process for pid in self._pids() for process in family(pid)])

    def noise(self) -> str:
        """The last lines that the engine wrote besides events, fit for a terminal."""
        return printable("\n".join(line.rstrip() for line in self._noise if line.strip()))

    @abstractmethod
    def _pids(self) -> list[int]:
        """The engine's own process, as soon as it is known."""

    @abstractmethod
    def _is_alive(self) -> bool:
        """Whether the engine still runs."""

    @abstractmethod
    def _ask_to_stop(self) -> bool:
        """Send the engine what Ctrl-C would; false if there is nobody yet to send it to."""

    @abstractmethod
    def _judge(self) -> None:
        """Raise an EngineError if it could not run."""

    @abstractmethod
    def _clean(self) -> None:
        """Wait for the end of what was killed; take away what was written."""
