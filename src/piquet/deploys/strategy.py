# SPDX-License-Identifier: GPL-3.0-or-later
"""One verb on its way over all hosts: which step is for whom, what came of it, what must not be begun any more.

The rules of the roles (`run_once`, `when`, `any_errors_fatal`, `ignore_errors`) without pyinfra: how a host is
asked is given, so that the order of things is tested without hosts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from piquet.controller import host_results, prepare, verify
from piquet.controller.events import Event
from piquet.deploys.settings import Settings
from piquet.deploys.steps import Step, StepResult

Presence = Literal["there", "unreachable", "lost"]
"""Connected and well; never connected; failed in a step before, ours or not."""
_SKIPPED: StepResult = {"changed": False, "skipped": True}
_OUT_OF_STEP = "{} not so far yet: run this for all hosts at once, without --serial and --no-wait"
_LOST = "{}: {} has failed before"
_LEFT_OUT = "{} in the plan, but this deploy was not called for it: call it for every host"


@dataclass(frozen=True)
class World:
    """What a course knows of the hosts.

    Attributes:
        fleet: every host of `piquet_hosts`, in the run or not: inventory name → the variables of a plan.
        in_play: hosts of the run, connected or not.
        settings: inventory name → variables, of the hosts in play.
        presence: how a host is, now.
        why_not: why a host could not be connected, as far as known.
        ask: run a step on one host: step, host, its arguments, check mode → result.
        tell: whoever listens.
    """

    fleet: Mapping[str, Mapping[str, Any]]
    in_play: Sequence[str]
    settings: Mapping[str, Settings]
    presence: Callable[[str], Presence]
    why_not: Callable[[str], str]
    ask: Callable[[Step, str, Mapping[str, Any], bool], StepResult]
    tell: Callable[[Event], None]


def is_bad(result: StepResult) -> bool:
    """Whether a host, or a step of the controller, did not do its work."""
    return bool(result.get("failed") or result.get("unreachable"))


class Strategy:
    """One verb, in check mode or for real."""

    def __init__(self, steps: Sequence[Step], world: World, *, check: bool) -> None:
        """Nothing is done yet."""
        self.steps = tuple(steps)
        self.world = world
        self.check = check
        self.joined: set[str] = set()
        self.told: dict[str, StepResult] = {}
        self.results: dict[str, dict[str, StepResult]] = {step.register: {} for step in steps}
        self.in_flight: set[tuple[Step, str]] = set()
        self.stopped = ""
        self.disorder = ""
        self.is_interrupted = False
        self.has_failed = False
        self._out: set[str] = set()
        self._begun: set[str] = set()
        self._passed: set[str] = set()
        self._lock = threading.Lock()

    def plan(self) -> StepResult | None:
        """Make the plan, if this course has one."""
        step = self.steps[0]
        return self._on_controller(step) if step.action == "plan" else None

    def adopt(self, plan: StepResult | None) -> None:
        """Take the plan that another pass over the same hosts has made and told."""
        if plan is not None:
            self.told[self.steps[0].register] = plan

    def walk(self, on_all: Callable[[Callable[[str], object], Sequence[str]], None]) -> None:
        """The whole course after the plan, step by step, for all hosts that are there.

        Args:
            on_all: call a function for each of these hosts, all at once, and come back when all are done.
        """
        self.joined.update(self.world.in_play)
        for step in self.steps:
            if step.action == "plan":
                continue
            if self.gate(step):
                return
            if step.is_of_controller:
                self._on_controller(step)
            else:
                on_all(partial(self._on_host, step), self._begin(step))

    def take(self, step: Step, host: str) -> StepResult | None:
        """One step as it comes up on one host; None where it must not be begun any more, or is not due yet."""
        if self.gate(step):
            return None
        if step.is_of_controller:
            is_last = step is self.steps[-1] and not self.is_interrupted
            if is_last and self._hosts_missing(step):
                self._passed.add(host)
                return None
            return self._on_controller(step)
        self._begin(step)
        return self._on_host(step, host)

    def gate(self, step: Step) -> str:
        """Why this step must not be begun; empty if it may."""
        if not self.stopped and self.is_interrupted and step.action != "tally":
            return "interrupted"
        is_last_tally = step is self.steps[-1] and step.action == "tally"
        missing = [] if self.stopped or self.is_interrupted or is_last_tally else self._hosts_missing(step)
        if missing:
            self._stop_for_disorder(_OUT_OF_STEP.format(", ".join(missing)))
        if not self.stopped and (left_out := self._left_out()):
            self._stop_for_disorder(_LEFT_OUT.format(", ".join(left_out)))
        return self.stopped

    def share(self, step: Step, host: str, result: StepResult) -> StepResult:
        """What a result of the controller means for one host."""
        if not step.is_of_controller or not result.get("failed"):
            return result
        bad = set(result.get("bad", ()))
        is_mine = step.action != "tally" or host in bad or bool(bad & self._passed)
        return result if is_mine else {"changed": False, "msg": result["msg"]}

    def lose(self, message: str) -> None:
        """Tell of every host on which something still runs that nobody knows what came of it, then each one's state."""
        for step, host in sorted(self.in_flight, key=lambda pair: pair[1]):
            self._record(step, host, {"changed": False, "failed": True, "msg": f"{host}: {message}"})
        if self.steps[-1].action == "tally":
            self._on_controller(self.steps[-1])

    def hosts(self) -> list[str]:
        """Hosts that the course is about: those in play that take part, and those that cannot."""
        return [h for h in self.world.in_play if h in self.joined or self.world.presence(h) != "there"]

    def _stop(self, reason: str) -> None:
        self.stopped, self.has_failed = reason, True

    def _stop_for_disorder(self, reason: str) -> None:
        """Stop because of how pyinfra was called, not of what a host or the plan said: nobody was told of it yet."""
        self.disorder = reason
        self._stop(reason)

    def _left_out(self) -> list[str]:
        involved = self.told.get("plan", {}).get("involved", ())
        return [h for h in involved if h not in self.joined and self.world.presence(h) == "there"]

    def _hosts_missing(self, step: Step) -> list[str]:
        """Hosts that have no result yet of a step that must be over before this one."""
        before = self.steps[: self.steps.index(step)]
        needed = [s for s in before if not s.is_of_controller and (step.is_of_controller or s.is_fatal)]
        return sorted({host for s in needed for host in self._hosts_waiting(s)})

    def _hosts_waiting(self, step: Step) -> list[str]:
        """Hosts that are there and have no result of a step."""
        if self.check and step.is_real_only:
            return []
        known = self.results[step.register]
        there = [h for h in self.hosts() if h not in self._out and self.world.presence(h) == "there"]
        return [host for host in there if host not in known]

    def _begin(self, step: Step) -> list[str]:
        """Tell that a step begins, and what is known before it does; the hosts that are to be asked."""
        if step.register not in self._begun:
            self._begun.add(step.register)
            hosts = [host for host in self.hosts() if host not in self._out]
            concerned = [h for h in hosts if step.when(h, self.world.settings[h], self.told)]
            presence = {host: self.world.presence(host) for host in hosts}
            told = tuple(host for host in concerned if presence[host] != "lost")
            if not concerned and step.action == "python":  # not asked for: no news
                self.results[step.register] = dict.fromkeys(hosts, _SKIPPED)
                return []
            self.world.tell(Event("start", _event_action(step), step.name, hosts=len(told), names=told))
            for host in hosts:
                if host not in concerned:
                    self._record(step, host, _SKIPPED)
                elif presence[host] == "unreachable":
                    self._record(step, host, _unreachable_result(host, self.world.why_not(host)))
                elif presence[host] == "lost" and step.is_fatal:
                    self._stop_for_disorder(_LOST.format(step.name, host))
        return self._hosts_waiting(step)

    def _on_host(self, step: Step, host: str) -> StepResult:
        known = self.results[step.register].get(host)
        if known is not None:
            return known
        arguments = step.arguments(self.world.settings[host], self.told)
        self.in_flight.add((step, host))
        result = self.world.ask(step, host, arguments, self.check)
        return self._record(step, host, result)

    def _record(self, step: Step, host: str, result: StepResult) -> StepResult:
        self.in_flight.discard((step, host))
        if host in self.results[step.register]:
            return self.results[step.register][host]
        self.results[step.register][host] = result
        self.world.tell(Event("result", _event_action(step), step.name, host, result=result))
        if is_bad(result) and not step.goes_on:
            self._out.add(host)
            self.has_failed = True
            if step.is_fatal:
                self._stop(f"{step.name}: {host} failed")
        return result

    def _on_controller(self, step: Step) -> StepResult:
        """Do a step once, whoever comes first; the others wait for it."""
        with self._lock:
            if step.register not in self.told:
                self.told[step.register] = self._do(step)
            return self.told[step.register]

    def _do(self, step: Step) -> StepResult:
        settings = self.world.settings[self.world.in_play[0]]
        is_due = step.when("", settings, self.told) and not (self.check and step.is_real_only)
        self.world.tell(Event("start", step.action, step.name))
        result = self._controller_result(step, step.arguments(settings, self.told)) if is_due else _SKIPPED
        self.world.tell(Event("result", step.action, step.name, result=result))
        if result.get("failed"):
            self._stop(str(result["msg"]))
        return result

    def _controller_result(self, step: Step, arguments: Mapping[str, Any]) -> StepResult:
        if step.action == "plan":
            return prepare.attempt(arguments, self.world.fleet, self.world.in_play)
        if step.action == "verify":
            return verify.attempt(arguments, self.world.fleet)
        of = [self.results[name] for name in arguments["of"]]
        undo = self.results[arguments["undo"]] if arguments["undo"] else {}
        before = self.results[arguments["before"]] if arguments["before"] else {}
        return host_results.attempt(arguments, self.hosts(), of, undo, before)


def _event_action(step: Step) -> str:
    """The action in the words of events: whatever is done on a host counts as the agent's."""
    return "agent" if step.action == "python" else step.action


def _unreachable_result(host: str, reason: str) -> StepResult:
    return {"changed": False, "unreachable": True, "msg": reason or f"{host} could not be connected"}
