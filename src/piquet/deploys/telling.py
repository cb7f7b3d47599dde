# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of a course on pyinfra's own command line: findings, tables, failures, differences."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from pyinfra import logger

from piquet.controller.commands import by_deploy
from piquet.controller.events import Event
from piquet.printable import printable
from piquet.protocol.verbs import HOST_VERBS


def to_log(event: Event) -> None:
    """Write one event to pyinfra's log, which goes to standard error."""
    for line in lines_of(event):
        logger.info(typed_line(line, sys.argv))


def typed_line(line: str, words: Sequence[str]) -> str:
    """A line with its commands as deploys, as far as the command line tells how it was called.

    Args:
        line: of ours.
        words: of this process' command line; the inventory is its first, unless there are options before it.
    """
    paths = [PurePath(word) for word in words[2:]]
    deploy = next((path for path in paths if path.suffix == ".py" and path.stem in HOST_VERBS), None)
    inventory = words[1] if deploy and not words[1].startswith("-") else ""
    return by_deploy(line, inventory, str(deploy.parent) if deploy else "")


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
