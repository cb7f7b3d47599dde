# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive pyinfra: `python -m piquet.deploys VERB` in a process of its own, which reads a request and writes events."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import IO

from piquet.controller.events import Event
from piquet.engines.base import Drive, EngineRequest
from piquet.engines.processes import interrupt
from piquet.errors import EngineError

_RUNNER = "piquet.deploys"
_CANNOT_RUN = 2
_JOIN_S = 15.0


class PyinfraDrive(Drive):
    """One runner process. Its output is not trusted further than its form: what is no event is noise."""

    def __init__(self, command: Sequence[str], request: EngineRequest) -> None:
        """Start it and hand the request over."""
        super().__init__()
        self._has_results = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._threads = [threading.Thread(target=act, daemon=True) for act in (self._drain, self._listen)]
        for thread in self._threads:  # the one that is waited for by the other comes first
            thread.start()
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(json.dumps(asdict(request)))
                stdin.close()

    def _listen(self) -> None:
        """Read events up to the end of the process. Whatever happens here, the end is told: everybody waits for it."""
        try:
            for line in _lines(self._process.stdout):
                self._hear(line)
            self._process.wait()
            self._threads[0].join(_JOIN_S)
        finally:
            self._heard.put(None)

    def _hear(self, line: str) -> None:
        try:
            event = Event.from_line(line)
        except ValueError:
            self._noise.append(line)
            return
        self._has_results = self._has_results or event.kind == "result"
        self._heard.put(event)

    def _drain(self) -> None:
        for line in _lines(self._process.stderr):
            self._noise.append(line)

    def _pids(self) -> list[int]:
        return [self._process.pid] if self._is_alive() else []

    def _is_alive(self) -> bool:
        return self._process.poll() is None

    def _ask_to_stop(self) -> bool:
        interrupt(self._process.pid)
        return True

    def _judge(self) -> None:
        status, said = (
            self._process.returncode,
            "\n".join(f"  | {line}" for line in self.noise().splitlines()),
        )
        if status == _CANNOT_RUN or status < 0 or (status and not self._has_results):
            raise EngineError(f"pyinfra could not run (it ended with {status})\n{said}")

    def _clean(self) -> None:
        self._process.wait()
        for thread in self._threads:
            thread.join(_JOIN_S)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def start(verb: str, request: EngineRequest) -> PyinfraDrive:
    """Begin a verb.

    Raises:
        EngineError: the deploys are not installed.
    """
    if find_spec(_RUNNER) is None:
        raise EngineError(
            f"{_RUNNER} is not installed\n\n  hint: use --engine ansible, or reinstall the package"
        )
    # -P: a file of the folder that the user happens to be in is no module of ours
    return PyinfraDrive([sys.executable, "-P", "-m", _RUNNER, verb], request)


def _lines(stream: IO[str] | None) -> IO[str] | Sequence[str]:
    return stream if stream is not None else ()
