# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs as packaged pyinfra deploys: `from piquet.deploys import stage`, then `stage()` in a deploy file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from pyinfra import logger
from pyinfra.api.command import FunctionCommand
from pyinfra.api.deploy import deploy
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State
from pyinfra.context import ctx_host, ctx_state

from piquet.deploys.run import PyinfraRun, runs_of
from piquet.deploys.steps import Step, StepResult
from piquet.deploys.strategy import is_bad
from piquet.protocol.verbs import HOST_VERBS


def _follow(verb: str) -> None:
    """Add the steps of a verb for the current host; the plan, if there is one, is made with the first host."""
    host, state = _current_host()
    run = runs_of(state).join(verb, host)
    if not run.takes_part(host):
        return
    for step in run.steps:
        if step.action != "plan":
            _take(run, step, name=step.name, _ignore_errors=step.goes_on)


def take_step(run: PyinfraRun, step: Step) -> Generator[FunctionCommand, None, None]:
    """Take one step on the current host; a command follows only where something changed, or failed.

    Before pyinfra executes, the answer in check mode says what would.
    """
    host, state = _current_host()
    if state.is_executing:
        result = run.real.take(step, host.name)
    else:
        result = run.check.told.get(step.register) or run.check.results[step.register].get(host.name)
    if result is None and run.real.disorder:
        host.log(f"{step.name}: {run.real.disorder}", logger.error)
        result = {"failed": True}
    if result is None:
        host.noop(f"{step.name}: {run.real.stopped or run.check.stopped or 'not due'}")
        return
    mine = run.real.share(step, host.name, result)
    if is_bad(mine) and not step.goes_on:
        _lose(state, host)
    if is_bad(mine):
        yield FunctionCommand(_fail, (), {})
    elif mine.get("changed"):
        yield FunctionCommand(_report, (mine,), {})


_take: Callable[..., object] = operation()(take_step)  # pyinfra's own type loses the parameters


def _lose(state: State, host: Host) -> None:
    """Have pyinfra end with an error; with --no-wait it would forget that the host failed.

    A host that fails in check mode takes no part any more. Nobody is asked whether to go on: the course says that.
    """
    state.failed_hosts.add(host)
    if not state.is_executing:
        state.active_hosts.discard(host)


def _fail(state: State, host: Host) -> bool:
    """What pyinfra counts as an error; the reason was told when it happened."""
    return False


def _report(state: State, host: Host, result: StepResult) -> bool:
    """What pyinfra counts as a change, which the agent has made by then."""
    return True


def _current_host() -> tuple[Host, State]:
    """The host and the state behind pyinfra's context."""
    return ctx_host.get(), ctx_state.get()


def _deploy(verb: str) -> Callable[..., object]:
    """The deploy of a verb."""

    def act() -> None:
        _follow(verb)

    act.__name__ = act.__qualname__ = verb
    act.__doc__ = f"{HOST_VERBS[verb].says}."
    made: Callable[..., object] = deploy(f"piquet {verb}")(act)
    return made


DEPLOYS: Mapping[str, Callable[..., object]] = {verb: _deploy(verb) for verb in HOST_VERBS}
"""Verb → deploy."""
