# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that ended before it had read its input: what it said is told, not that a socket was closed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from piquet.deploys.remote import PyinfraRemote

SUDO = "sudo: a password is required\n"


class Closed:
    """A host whose command is gone before its input comes."""

    def __init__(self, error: OSError, says: str) -> None:
        """What the first call raises, and what a call without input says."""
        self.error, self.says, self.calls = error, says, 0
        self.connector, self.data = SimpleNamespace(), SimpleNamespace(ssh_user="root")

    def run_shell_command(self, command: object, **arguments: Any) -> tuple[bool, SimpleNamespace]:
        """The one thing that is asked of it."""
        self.calls += 1
        if arguments["_stdin"]:
            raise self.error
        return False, SimpleNamespace(stdout="", stderr=self.says)


@pytest.mark.parametrize(
    ("error", "says", "data", "expected", "calls"),
    [
        (OSError("Socket is closed"), SUDO, b"x", SUDO.strip(), 2),
        (OSError("Socket is closed"), "piquet-answer:\nc2g=\n", b"x", "OSError: Socket is closed", 2),
        (TimeoutError("too long"), SUDO, b"x", "TimeoutError: too long", 1),
    ],
    ids=["sudo", "an agent without input", "time is up"],
)
def test_what_a_command_said_that_is_gone(
    error: OSError, says: str, data: bytes, expected: str, calls: int
) -> None:
    """It is asked once more, without input, where that is why; never what took too long."""
    host = Closed(error, says)
    remote = PyinfraRemote(host, {}, become=False)  # type: ignore[arg-type]
    outcome = remote.run("command", data, as_root=True)
    assert (1, expected, calls) == (outcome.rc, outcome.stderr, host.calls)
