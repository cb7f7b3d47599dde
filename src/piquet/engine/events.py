# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine tells while a verb runs: one event per step and host, the same whichever engine it is.

A step is a task of a role or an operation of a deploy. Its result is the dictionary that `engine.step`,
`engine.prepare`, `engine.tally` and `engine.verify` make, with `unreachable` or `skipped` added by the engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["start", "result"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: `start` when a step begins (on `hosts`, all at once), `result` when it ended for one host.
        action: which of ours it is: `agent`, `plan`, `tally` or `verify`.
        step: what the step is for, an English imperative, the same in roles and deploys.
        host: inventory name; "" for a step of the controller, which is about all hosts.
        hosts: for `start`: how many hosts the step is for, 0 for a step of the controller.
        result: for `result`: `changed`, `failed`, `unreachable`, `skipped`, `msg`, `show`, `piquet`, `diff` …
    """

    kind: Kind
    action: str
    step: str
    host: str = ""
    hosts: int = 0
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
            return cls(**json.loads(line))
        except TypeError as err:
            raise ValueError(f"not an event: {line[:200]!r}") from err
