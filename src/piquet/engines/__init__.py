# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one verb through an engine and hear what it does: one interface, whichever engine it is.

with start_engine("ansible", "status", EngineRequest("hosts.yml")) as drive:
    for event in drive.events():
        ...
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from piquet.controller.events import Event
from piquet.engines.base import Drive, EngineRequest
from piquet.errors import EngineError

ENGINES = ("ansible", "pyinfra")
"""What `--engine` may say; the first is the default."""


def start_engine(engine: str, verb: str, request: EngineRequest) -> Drive:
    """Begin a verb; leaving the context of the returned drive ends all that it started.

    Args:
        engine: one of `ENGINES`.
        verb: one of `piquet.protocol.verbs.HOST_VERBS`.
        request: on which hosts, with which variables.

    Raises:
        EngineError: the engine is not there.
    """
    if engine not in ENGINES:
        raise EngineError(f"{engine!r} is no engine; there are {', '.join(ENGINES)}")
    module = import_module(f"piquet.engines.{engine}")
    drive: Drive = module.start(verb, request)
    return drive


def run_engine(engine: str, verb: str, request: EngineRequest) -> Iterator[Event]:
    """Run a verb to its end; an iteration that is given up ends the engine too.

    Raises:
        EngineError: the engine could not run; raised after the last event.
    """
    with start_engine(engine, verb, request) as drive:
        yield from (event for event in drive.events() if event is not None)


__all__ = ["ENGINES", "Drive", "EngineRequest", "run_engine", "start_engine"]
