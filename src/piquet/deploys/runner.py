# SPDX-License-Identifier: GPL-3.0-or-later
"""One verb by pyinfra's API in a process of its own: a job on standard input, events on standard output.

Standard output holds one `engine.events.Event` a line and nothing else; what pyinfra says goes to standard error.
Ends with 0 when all was done, 1 when a host or step failed, 2 when it could not run.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TextIO

import gevent
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.exceptions import DeployError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.connectors import util as connector_util

from piquet.controller.events import Event
from piquet.deploys.job import VerbJob, make_state, read_job
from piquet.deploys.remote import connecting
from piquet.deploys.run import Runs, runs_of
from piquet.deploys.verbs import DEPLOYS
from piquet.errors import PiquetError
from piquet.printable import continued, printable

DONE, FAILED, CANNOT_RUN = 0, 1, 2
RUNNER_INTERRUPTED = "interrupted; what the host did is unknown: run status"


def main() -> None:
    """Do the job and end the process.

    Raises:
        SystemExit: always.
    """
    events = _own_output()
    _log_to_stderr()
    try:
        job = read_job(sys.argv[1] if len(sys.argv) > 1 else "", sys.stdin.read())
        state = make_state(job)
    except (PiquetError, PyinfraError) as err:
        print(f"error: {printable(str(err))}", file=sys.stderr)
        sys.exit(CANNOT_RUN)
    sys.exit(Runner(job, state, events).run())


class _Interrupt(BaseException):
    """The second signal: nobody waits for the hosts any more."""


class Runner(BaseStateCallback):
    """Connects, follows the course, tells what happens, and stops when told to."""

    def __init__(self, job: VerbJob, state: State, events: TextIO) -> None:
        """Listen to the run and to signals."""
        self._job, self._state, self._events = job, state, events
        self._runs: Runs = runs_of(state)
        self._runs.tell = self._tell
        self._main = gevent.getcurrent()
        self._signals = 0
        state.add_callback_handler(self)
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self._on_signal)

    def run(self) -> int:
        """The whole job; the exit status."""
        try:
            return self._run_steps()
        except _Interrupt:
            print("interrupted", file=sys.stderr)
            for run in self._runs.verbs:
                run.real.lose(RUNNER_INTERRUPTED)
            self._state.pool.kill(block=False)
            return FAILED
        finally:
            self._events.flush()

    def host_connect_error(self, state: State, host: Host, error: Exception) -> None:  # type: ignore[override]
        """Remember why, for the tables."""
        self._runs.why_not[host.name] = continued(str(error))

    def _run_steps(self) -> int:
        state = self._state
        try:
            self._connect()
            self._prepare()
            if not self._job.check:
                state.set_stage(StateStage.Execute)
                run_ops(state)
        except DeployError as err:
            if not self._runs.verbs:
                print(f"error: {printable(str(err))}", file=sys.stderr)
                return CANNOT_RUN
        except PyinfraError as err:
            print(f"pyinfra: {printable(str(err))}", file=sys.stderr)
            self._without_hosts()
        finally:
            state.set_stage(StateStage.Disconnect)
        disconnect_all(state)
        return FAILED if self._has_failed() else DONE

    def _connect(self) -> None:
        self._state.set_stage(StateStage.Connect)
        for host in self._state.inventory:
            host.connector.connect = connecting(host.connector.connect)  # type: ignore[method-assign]
        connect_all(self._state)

    def _prepare(self) -> None:
        self._state.set_stage(StateStage.Prepare)
        add_deploy(self._state, DEPLOYS[self._job.verb])

    def _without_hosts(self) -> None:
        """No host is left, so pyinfra stops; what is to be done on the controller is done all the same."""
        run = self._runs.verbs[0] if self._runs.verbs else self._runs.begin(self._job.verb, {})
        if not self._job.check:
            run.real.walk(run.on_all)

    def _has_failed(self) -> bool:
        courses = [course for run in self._runs.verbs for course in (run.real, run.check)]
        is_stopped = self._signals > 0 or any(course.has_failed for course in courses)
        return is_stopped or not self._runs.verbs

    def _tell(self, event: Event) -> None:
        self._events.write(event.to_line() + "\n")
        self._events.flush()

    def _on_signal(self) -> None:
        """At first begin nothing more; at the second signal wait for nothing more either."""
        self._signals += 1
        for run in self._runs.verbs:
            run.real.is_interrupted = run.check.is_interrupted = True
        if self._signals > 1 or not self._runs.verbs:
            gevent.kill(self._main, _Interrupt)


def _own_output() -> TextIO:
    """The real standard output, for events alone: what others print goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _log_to_stderr() -> None:
    """pyinfra's log to standard error, and no questions: nobody is there to type a password."""
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("pyinfra")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    connector_util.__dict__["getpass"] = _no_password


def _no_password(prompt: str = "") -> str:
    raise EOFError(prompt)
