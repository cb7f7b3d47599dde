# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory may choose for a host: the schedule, each server's way, its Python, a release that is seen late.

No file, no network, no clock.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from piquet.campaign.document import shown
from piquet.errors import Problem
from piquet.fleet.model import Scheduler
from piquet.fleet.surveyed_server import Kinds
from piquet.protocol.places import DEFAULT_PYTHON

_AUTO = "auto"
_SCHEDULERS = (_AUTO, "systemd", "cron")
_PROGRAM = re.compile(r"(?:/[A-Za-z0-9._+-]+)+")
"""What may stand behind `#!`: one program and no option, on any system. Source: execve(2), 127 bytes are sure."""
_LONGEST = 125
_LATE_RELEASE = ("refuse", "accept")


def _choices(kinds: Kinds) -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    """Host variable, what it may say (the first is the default), what another word is not, what the default means."""
    yield "piquet_scheduler", _SCHEDULERS, "is no schedule", "systemd where it runs, else cron"
    for kind in kinds.values():
        yield f"piquet_{kind.name}", (_AUTO, *kind.ways), f"is no way to speak to {kind.title}", kind.auto
    what = "is no answer to a release that is seen late"
    yield "piquet_late_release", _LATE_RELEASE, what, "refuse above 10 s"


def problems(host: str, variables: Mapping[str, Any], kinds: Kinds) -> Iterator[Problem]:
    """Every variable of a host that says something else than it may."""
    for name, allowed, what, auto in _choices(kinds):
        value = variables.get(name, allowed[0])
        if value not in allowed:
            close = difflib.get_close_matches(str(value), allowed, 1)
            hint = f"did you mean {close[0]}?" if close else f"leave it out for {allowed[0]}: {auto}"
            yield Problem(host, 0, 0, f"`{name}` {what}", ", ".join(allowed), shown(value), hint)
    program = variables.get("piquet_python", DEFAULT_PYTHON)
    if not isinstance(program, str) or len(program) > _LONGEST or not _PROGRAM.fullmatch(program):
        what, hint = "`piquet_python` is no program", f"leave it out for {DEFAULT_PYTHON}"
        yield Problem(host, 0, 0, what, "an absolute path, as /usr/bin/python3.11", shown(program), hint)


def scheduler(variables: Mapping[str, Any], survey: Mapping[str, Any]) -> tuple[Scheduler, bool | None]:
    """The host's schedule, and whether it is at work there; what a survey does not say is not known.

    Raises:
        TypeError: the survey says it in another form.
    """
    wanted = variables.get("piquet_scheduler", "auto")
    init, cron = survey.get("init"), survey.get("cron")
    if not isinstance(init, str | None) or not isinstance(cron, bool | None):
        raise TypeError(f"init {init!r}, cron {cron!r}")
    is_systemd = init in ("systemd", None)
    if wanted == "systemd" or (wanted == "auto" and is_systemd):
        return "systemd", None if init is None else is_systemd
    return "cron", cron


def python(variables: Mapping[str, Any]) -> str:
    """The Python that runs the agent, also the one that is installed and called by the schedule."""
    return str(variables.get("piquet_python", DEFAULT_PYTHON))


def accepts_late_release(variables: Mapping[str, Any]) -> bool:
    """Whether the inventory takes it that on this host a flag that is gone is seen late."""
    return variables.get("piquet_late_release") == "accept"
