# SPDX-License-Identifier: GPL-3.0-or-later
"""How a step is made, so that hypothesis and plain chance can both take it; and how a write is made to fail."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

NEED_SPACE = ("write", "fsync", "mkdir", "symlink")
"""Calls of the system that a full disk refuses."""

MOVES: dict[str, Step] = {}
"""Every rule by its name."""


class Said(NamedTuple):
    """What a child tells its parent of an outcome."""

    is_ok: bool
    is_changed: bool


class Step(NamedTuple):
    """One rule: when it can be taken, what it is drawn from, and what it does."""

    when: Callable[[Any], object]
    choices: Mapping[str, Sequence[Any]]
    act: Callable[..., None]


def step(
    when: Callable[[Any], object] = lambda _: True, **choices: Sequence[Any]
) -> Callable[[Callable[..., None]], Any]:
    """A rule that counts how often it was taken; it can be drawn by hypothesis, and by chance."""

    def decorate(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def counted(self: Any, **arguments: Any) -> None:
            label = next((arguments[name] for name in ("verb", "how", "what") if name in arguments), "")
            self.steps[f"{function.__name__}: {label}" if label else function.__name__] += 1
            function(self, **arguments)

        MOVES[function.__name__] = Step(when, choices, counted)
        drawn = {name: st.sampled_from(values) for name, values in choices.items()}
        return precondition(when)(rule(**drawn)(counted))

    return decorate


@contextlib.contextmanager
def fails_at(count: int) -> Iterator[list[str]]:
    """The count-th call that needs space fails; the list then names it."""
    real, left, failed = {name: getattr(os, name) for name in NEED_SPACE}, [count], []

    def failing(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                failed.append(name)
                raise OSError(errno.ENOSPC, "No space left on device")
            return real[name](*arguments, **named)

        return call

    for name in NEED_SPACE:
        setattr(os, name, failing(name))
    try:
        yield failed
    finally:
        for name, function in real.items():
            setattr(os, name, function)
