# SPDX-License-Identifier: GPL-3.0-or-later
"""A course within pyinfra's own: joined host by host as the deploy is called, walked in check mode, taken for real.

pyinfra calls a deploy once per host before anything is done. The first call makes the plan, and in a run that
detects changes it asks every host in check mode, all at once; what each host would change is then known to all.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import gevent.lock
import gevent.pool
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.exceptions import DeployError
from pyinfra.api.host import Host
from pyinfra.api.state import State

from piquet.controller.events import Event
from piquet.controller.step import attempt
from piquet.deploys import inventory, telling
from piquet.deploys.install import install
from piquet.deploys.remote import ConnectionLostError, PyinfraRemote, global_arguments
from piquet.deploys.settings import read_settings
from piquet.deploys.steps import COURSES, Step, StepResult
from piquet.deploys.strategy import Presence, Strategy, World
from piquet.errors import PiquetError
from piquet.printable import continued, in_one_line


class Runs:
    """What one pyinfra `State` does with our verbs.

    Attributes:
        tell: who hears every event; pyinfra's log unless somebody else listens.
        why_not: inventory name → why it could not be connected, where that is known.
        verbs: what was begun, in this order.
    """

    def __init__(self, state: State) -> None:
        """Nothing is begun yet."""
        self.state = state
        self.tell: Callable[[Event], None] = telling.to_log
        self.why_not: dict[str, str] = {}
        self.verbs: list[PyinfraRun] = []
        self._calls: Counter[tuple[str, str]] = Counter()
        self._by_call: dict[tuple[str, int], PyinfraRun] = {}
        self._lock = gevent.lock.RLock()

    def join(self, verb: str, host: Host) -> PyinfraRun:
        """The run of a verb that this host's call belongs to; its second call belongs to a second run.

        Raises:
            DeployError: the run cannot be begun; nothing was done on any host.
        """
        with self._lock:
            number = self._calls[host.name, verb]
            self._calls[host.name, verb] += 1
            run = self._by_call.get((verb, number)) or self.begin(verb, _caller_arguments(self.state, host))
            self._by_call[verb, number] = run
            run.real.joined.add(host.name)
            return run

    def begin(self, verb: str, explicit: Mapping[str, Any]) -> PyinfraRun:
        """Begin a verb over all hosts of the run: plan, and look in check mode where changes are to be detected.

        Raises:
            DeployError: there is no such host, a variable is unusable, or the plan was refused.
        """
        run = PyinfraRun(self, verb, explicit)
        self.verbs.append(run)
        plan = run.real.plan()
        if run.real.stopped:
            raise DeployError(telling.typed_line(run.real.stopped, sys.argv))
        run.check.adopt(plan)
        if self.state.should_check_for_changes():
            run.check.walk(run.on_all)
        return run


class PyinfraRun:
    """One verb over the hosts of one pyinfra run: once in check mode, once for real."""

    def __init__(self, runs: Runs, verb: str, explicit: Mapping[str, Any]) -> None:
        """Find the hosts and read their variables.

        Raises:
            DeployError: there is no host, or a variable is unusable.
        """
        self._runs, self._explicit = runs, explicit
        world = self._world()
        self.steps = COURSES[verb]
        self.real = Strategy(self.steps, world, check=False)
        self.check = Strategy(self.steps, world, check=True)

    def takes_part(self, host: Host) -> bool:
        """Whether the verb is about this host at all."""
        return host.name in self.real.world.settings

    def on_all(self, act: Callable[[str], object], hosts: Sequence[str]) -> None:
        """Do something for hosts, as many at once as pyinfra does."""
        pool = gevent.pool.Pool(self._runs.state.config.PARALLEL or None)
        for greenlet in [pool.spawn(act, host) for host in hosts]:
            greenlet.get()

    def _world(self) -> World:
        state = self._runs.state
        try:
            fleet = inventory.fleet(state)
            in_play = [h.name for h in state.inventory if h.name in fleet and state.is_host_in_limit(h)]
            if not in_play:
                raise DeployError("piquet_hosts: this run has no host that matches it")
            folder = inventory.folder(state)
            settings = {
                name: read_settings(name, state.inventory.get_host(name).data.dict(), folder)
                for name in in_play
            }
        except PiquetError as err:
            raise DeployError(str(err)) from err
        return World(
            fleet=fleet,
            in_play=in_play,
            settings=settings,
            presence=self._presence,
            why_not=lambda name: self._runs.why_not.get(name, ""),
            ask=self._ask,
            tell=lambda event: self._runs.tell(event),
        )

    def _presence(self, name: str) -> Presence:
        state = self._runs.state
        host = state.inventory.get_host(name)
        if host in state.active_hosts:
            return "there"
        return "lost" if host in state.activated_hosts else "unreachable"

    def _ask(self, step: Step, name: str, arguments: Mapping[str, Any], check: bool) -> StepResult:
        state = self._runs.state
        host = state.inventory.get_host(name)
        become = self.real.world.settings[name]["piquet_become"]
        remote = PyinfraRemote(host, global_arguments(state, host, self._explicit), become=become)
        try:
            if step.action == "python":
                return install(remote, name, check=check)
            return attempt(remote, name, arguments, check=check, diff=bool(state.config.DIFF))
        except ConnectionLostError as err:
            return {"changed": False, "unreachable": True, "msg": f"{name}: {continued(str(err))}"}
        except (
            Exception
        ) as err:  # pyinfra would end the run, and with it what is still to be done on the others
            reason = in_one_line(f"{type(err).__name__}: {err}")
            text = f"{name}: it failed here ({reason}); what the host did is unknown: run status"
            return {"changed": False, "failed": True, "msg": text}


_RUNS: WeakKeyDictionary[State, Runs] = WeakKeyDictionary()


def runs_of(state: State) -> Runs:
    """What this pyinfra run does with our verbs."""
    if state not in _RUNS:
        _RUNS[state] = Runs(state)
    return _RUNS[state]


def _caller_arguments(state: State, host: Host) -> dict[str, Any]:
    """The connector arguments that the deploy's caller gave, e.g. `stage(_sudo_user="web")`."""
    given, host.current_deploy_kwargs = host.current_deploy_kwargs, None
    try:
        usual, _ = pop_global_arguments(state, host, {})
    finally:
        host.current_deploy_kwargs = given
    chosen: Mapping[str, Any] = given or {}
    plain: Mapping[str, Any] = usual
    return {
        key: chosen[key] for key in CONNECTOR_ARGUMENT_KEYS if key in chosen and chosen[key] != plain.get(key)
    }
