# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine tells while a verb runs: one event per step and host, the same whichever engine it is.

A step is a task of a role or an operation of a deploy. Its result is the dictionary that `engine.step`,
`engine.prepare`, `engine.tally` and `engine.verify` make, with `unreachable` or `skipped` added by the engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

EventKind = Literal["start", "result"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: `start` when a step begins (on `hosts`, all at once) or, with a `host`, when work on that host begins;
            `result` when it ended for one host.
        action: which of ours it is: `agent`, `plan`, `tally` or `verify`.
        step: what the step is for, an English imperative, the same in roles and deploys.
        host: inventory name; "" for a step of the controller, which is about all hosts.
        hosts: for `start`: how many hosts the step is for, 0 for a step of the controller.
        names: for `start`: those hosts, where the engine knows them.
        result: for `result`: `changed`, `failed`, `unreachable`, `skipped`, `msg`, `show`, `piquet`, `diff` …
    """

    kind: EventKind
    action: str
    step: str
    host: str = ""
    hosts: int = 0
    names: Sequence[str] = ()
    result: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> str:
        """One line of JSON, as an engine in a process of its own writes it."""
        return json.dumps(self.__dict__, ensure_ascii=True, sort_keys=True)

    @classmethod
    def from_line(cls, line: str) -> Event:
        """Read what `to_line` wrote.

        Raises:
            ValueError: the line is not one event.
        """
        try:
            fields = json.loads(line)
            event = cls(**(fields | {"names": tuple(fields.get("names") or ())}))
        except (AttributeError, TypeError, RecursionError) as err:
            raise ValueError(f"not an event: {line[:200]!r}") from err
        if not event._has_its_types():
            raise ValueError(f"not an event: {line[:200]!r}")
        return event

    def _has_its_types(self) -> bool:
        """Whether the fields hold what they promise, where they were read from a line."""
        texts = (self.action, self.step, self.host, *self.names)
        is_whole = isinstance(self.hosts, int) and isinstance(self.result, dict)
        return is_whole and self.kind in get_args(EventKind) and all(isinstance(text, str) for text in texts)
