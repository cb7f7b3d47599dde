# SPDX-License-Identifier: GPL-3.0-or-later
"""A process beside a test that ends with it, whatever becomes of the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def running(argv: Sequence[str | Path], **how: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process at work; killed where it still runs afterwards.

    `Popen` alone waits for its end instead: for ever, where an assertion inside failed.

    Args:
        argv: what to run.
        how: the further arguments of `Popen`.
    """
    with subprocess.Popen(argv, **how) as process:
        try:
            yield process
        finally:
            process.kill()
