# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry one payload to one host and run it: one command with the payload as its input, wherever possible."""

from __future__ import annotations

import base64
import re
import shlex
from typing import Protocol

from piquet.controller.answer import CommandOutcome
from piquet.errors import HostError

PIPED = "one command, payload as its input"
TYPED = "one command, payload as its input in base64"
COPIED = "copied, run, deleted (this connection or become method cannot carry input)"
_MADE = re.compile(r"/tmp/\.piquet\.[A-Za-z0-9]{8}")  # noqa: S108 - a name that mktemp makes
_MAKE = "umask 077; exec mktemp /tmp/.piquet.XXXXXXXX"
_MARK = "piquet-answer:"


class Remote(Protocol):
    """A connection to one host, as an engine offers it."""

    @property
    def can_pipe(self) -> bool:
        """Whether `run` can feed input to a command that runs as root."""

    @property
    def is_text_only(self) -> bool:
        """Whether input and output are lines of text to it, and of a status it only tells whether it is 0."""

    def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
        """Run a shell command, with `data` as its standard input."""

    def put(self, data: bytes, path: str) -> None:
        """Write a file as the login user."""


def piped_command(python: str) -> str:
    """The one remote command: keep the input in a private file, run it, delete it, pass its status on.

    A lost connection stops neither the agent half-way nor the deleting (`trap`).
    """
    script = (
        f'trap "" HUP; umask 077; f=$(mktemp /tmp/.piquet.XXXXXXXX) || exit 9; cat >"$f"; '
        f'{shlex.quote(python)} "$f" --request; rc=$?; rm -f "$f"; exit $rc'
    )
    return f"sh -c {shlex.quote(script)}"


def typed_command(python: str) -> str:
    """`piped_command` for a connection that carries lines of text only.

    Input is base64, and so are both outputs, each behind a line with our mark. The status comes as the last line
    of the output, since such a connection does not tell it.
    """
    script = (
        f'trap "" HUP; umask 077; run() {{ f=$(mktemp /tmp/.piquet.XXXXXXXX) || return 9; '
        f'base64 -d >"$f" || {{ rm -f "$f"; return 9; }}; '
        f'{shlex.quote(python)} "$f" --request; rc=$?; rm -f "$f"; return $rc; }}; '
        f"echo {_MARK}; echo {_MARK} >&2; "
        f'{{ {{ run; printf "\n%s" $?; }} 2>&1 >&3 3>&- | base64 >&2; }} 3>&1 | base64'
    )
    return f"sh -c {shlex.quote(script)}"


def typed_outcome(outcome: CommandOutcome) -> CommandOutcome:
    """What the agent wrote and how it ended, from what `typed_command` gave back.

    Without our mark the command did not run at all (nobody may become root, say): then as it is, as a failure.
    """
    said, _, status = _decoded_output(outcome.stdout).rpartition("\n")
    if not status.isdecimal():
        return CommandOutcome(outcome.rc or 1, outcome.stdout, outcome.stderr)
    before = outcome.stderr.partition(_MARK)[0]
    return CommandOutcome(int(status), said, before + _decoded_output(outcome.stderr))


def said_before(stderr: str) -> str:
    """What a host said before our command began: its login shell, or a sudo that did not let us in."""
    return stderr.partition(_MARK)[0].strip()


def _decoded_output(text: str) -> str:
    """What stands behind our mark, decoded; what a login shell printed before it is passed over."""
    _, _, encoded = text.partition(_MARK)
    try:
        return base64.b64decode(encoded, validate=False).decode("utf-8", "replace")
    except ValueError:  # not base64, or not even ASCII
        return ""


def copied_command(python: str, path: str) -> str:
    """Run a payload that was copied to `path`, delete it, pass its status on."""
    file = shlex.quote(path)
    script = f'trap "" HUP; {shlex.quote(python)} {file} --request; rc=$?; rm -f {file}; exit $rc'
    return f"sh -c {shlex.quote(script)}"


def deliver(remote: Remote, payload: bytes, python: str) -> tuple[CommandOutcome, str]:
    """Run the payload on the host.

    A payload cut short by a lost connection is no valid zip file any more, so Python does not run it.

    Returns:
        The outcome, and in words how it was carried.

    Raises:
        HostError: the copy could not be made.
    """
    if remote.is_text_only:
        lines = base64.encodebytes(payload)
        return typed_outcome(remote.run(typed_command(python), lines, as_root=True)), TYPED
    if remote.can_pipe:
        return remote.run(piped_command(python), payload, as_root=True), PIPED
    made = remote.run(f"sh -c {shlex.quote(_MAKE)}", None, as_root=False)
    path = made.stdout.strip().rpartition("\n")[2].strip()
    if made.rc != 0 or not _MADE.fullmatch(path):
        raise HostError(f"no file could be made in /tmp on the host\n{made.stderr.strip()}")
    remote.put(payload, path)
    return remote.run(copied_command(python, path), None, as_root=True), COPIED
