# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one command of the machine and read what it said, in one language and never for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Dict, Sequence

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Result:
    """What a command answered; `output` is stdout and stderr together, as a person would see it."""

    ok: bool
    output: str


def environment() -> Dict[str, str]:
    """The caller's environment, but one language, one time zone, and the places where servers live."""
    path = os.environ.get("PATH", "")
    return {
        **os.environ,
        "LC_ALL": "C",
        "TZ": "UTC",
        "PATH": f"{path}:{SEARCH_PATH}" if path else SEARCH_PATH,
    }


def is_program(command: Sequence[str]) -> bool:
    """Whether the command's program is installed."""
    return bool(command) and shutil.which(command[0], path=environment()["PATH"]) is not None


def execute(command: Sequence[str], timeout_s: float = 60.0, *, with_errors: bool = True) -> Result:
    """Run a command without input; a missing program or a timeout is a result, not an exception.

    Args:
        command: the program and its arguments.
        timeout_s: how long it may take.
        with_errors: whether what it says on stderr is part of the output; a warning in the middle of data is none.
    """
    program = shutil.which(command[0], path=environment()["PATH"])
    if program is None:
        return Result(False, f"{command[0]}: not installed")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
            timeout=timeout_s,
            env=environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Result(False, f"{' '.join(command)}: no answer within {timeout_s:.0f} s")
    except OSError as error:  # what stands behind its `#!` is not there
        return Result(False, f"{program}: {error.strerror}")
    return Result(done.returncode == 0, done.stdout.decode("utf-8", "replace"))
