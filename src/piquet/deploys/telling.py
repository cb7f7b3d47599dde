# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of a course on pyinfra's own command line: findings, tables, failures, differences."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import PurePath

from pyinfra import logger

from piquet.controller.commands import by_deploy
from piquet.controller.events import Event
from piquet.printable import printable
from piquet.protocol.verbs import HOST_VERBS


def to_log(event: Event) -> None:
    """Write one event to pyinfra's log, which goes to standard error."""
    for line in lines_of(event):
        logger.info(_typed(line))


def _typed(line: str) -> str:
    """A line with its commands as deploys, as far as this process' own command line tells how it was called."""
    for before, word in pairwise(sys.argv):
        path = PurePath(word)
        if path.suffix == ".py" and path.stem in HOST_VERBS:
            return by_deploy(line, before, str(path.parent))
    return by_deploy(line, "", "")


def lines_of(event: Event) -> Iterator[str]:
    """What there is to say of an event; pyinfra itself names steps, successes and counts."""
    result = event.result
    yield from diff_lines(result.get("diff") or ())
    shown, message = str(result.get("show") or ""), str(result.get("msg") or "")
    yield from printable(shown).splitlines()
    if (result.get("unreachable") or result.get("failed")) and message not in shown:
        word = "unreachable" if result.get("unreachable") else "failed"
        yield from printable(f"{event.step}: {word}: {message}").splitlines()


def diff_lines(changes: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Ansible's form of a difference as a unified one."""
    for change in changes:
        before, after = change["before"].splitlines(), change["after"].splitlines()
        found = difflib.unified_diff(
            before, after, change["before_header"], change["after_header"], lineterm=""
        )
        yield from (printable(line) for line in found)
