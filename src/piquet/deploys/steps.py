# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs as steps: the tasks of the roles, in their order and by their names. No pyinfra here.

A test holds every course against `roles/*/tasks/main.yml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from piquet.deploys.settings import Settings
from piquet.protocol.places import END_IT_NOW
from piquet.servers.registry import SERVERS

StepAction = Literal["agent", "plan", "verify", "tally", "python"]
StepResult = Mapping[str, Any]
StepResults = Mapping[str, StepResult]
"""What the steps of the controller gave so far, by the name under which they are registered."""


def _always(host: str, settings: Settings, told: StepResults) -> bool:
    return True


@dataclass(frozen=True)
class Step:
    """One task.

    Attributes:
        action: who does it; `python` is the package manager.
        name: the task's name.
        register: under which name its results are kept.
        arguments: what it is given, from a host's variables (the first host's for a step of the controller).
        when: whether it is for a host.
        goes_on: a host that fails or cannot be reached stays in the run.
        is_fatal: one host that fails ends it for all.
        is_real_only: left out in check mode.
    """

    action: StepAction
    name: str
    register: str
    arguments: Callable[[Settings, StepResults], Mapping[str, Any]]
    when: Callable[[str, Settings, StepResults], bool] = field(default=_always)
    goes_on: bool = False
    is_fatal: bool = False
    is_real_only: bool = False

    @property
    def is_of_controller(self) -> bool:
        """Whether it is done once, about all hosts."""
        return self.action in ("plan", "verify", "tally")


def _agent(verb: str, **more: Any) -> Callable[[Settings, StepResults], Mapping[str, Any]]:
    def arguments(settings: Settings, told: StepResults) -> Mapping[str, Any]:
        return {
            "verb": verb,
            "python": settings["piquet_python"],
            "workdir": settings["piquet_workdir"],
            "plan_digest": told.get("plan", {}).get("digest"),
            "only_check": False,
            "max_skew_s": settings["piquet_max_skew_s"],
            "phase": 0,
            "end": False,
            "site": "",
            "campaign": "",
            "withdrawn": False,
            "decision": "",
            **{server: settings.get(f"piquet_{server}", "auto") for server in SERVERS},
            "allow_unloaded": settings["piquet_allow_unloaded"],
            **more,
        }

    return arguments


def _rehearse(settings: Settings, told: StepResults) -> Mapping[str, Any]:
    """No plan is made: what is staged is shown, unless a digest says what that must be."""
    return {
        **_agent("rehearse")(settings, told),
        "plan_digest": settings["piquet_plan_digest"],
        "phase": settings["piquet_rehearse_phase"],
        "end": settings["piquet_rehearse_end"],
    }


def _trust(settings: Settings, told: StepResults) -> Mapping[str, Any]:
    return {**_agent("trust")(settings, told), "campaign": settings["piquet_campaign"]}


def _stop(settings: Settings, told: StepResults) -> Mapping[str, Any]:
    wanted = {
        "site": settings["piquet_stop_site"],
        "withdrawn": settings["piquet_stop_withdrawn"],
        "decision": settings["piquet_stop_decision"],
    }
    return {**_agent("stop")(settings, told), **wanted}


def _plan(settings: Settings, *, whole: bool, bundles: bool) -> Mapping[str, Any]:
    return {
        "campaign": settings["piquet_campaign"],
        "workdir": settings["piquet_workdir"],
        "hosts": settings["piquet_hosts"],
        "digest": settings["piquet_plan_digest"],
        "canary": settings["piquet_canary"] if bundles else [],
        "whole": whole,
        "bundles": bundles,
        "only_campaign": False,
        "afterwards": "",
    }


def _baseline(settings: Settings, told: StepResults) -> Mapping[str, Any]:
    return {
        "campaign": settings["piquet_campaign"],
        "workdir": settings["piquet_workdir"],
        "hosts": settings["piquet_hosts"],
        "moment": "now",
        "baseline": "keep",
        "ca": "",
    }


def _tally(of: list[str], title: str, **more: Any) -> Callable[[Settings, StepResults], Mapping[str, Any]]:
    base = {
        "of": of,
        "before": "",
        "undo": "",
        "title": title,
        "fail": True,
        "show": "always",
        "advice": "",
        "afterwards": "",
        "now": False,
        "site": "",
    }
    return lambda settings, told: base | more


def _single_step(verb: str, name: str) -> tuple[Step, ...]:
    """A verb that is one step, on which a host that fails is left behind."""
    return (Step("agent", name, verb, _agent(verb)),)


def _listing_steps(verb: str, name: str, listing: str, advice: str) -> tuple[Step, ...]:
    """A verb that goes on past hosts that fail, and lists them all in the end."""
    return (
        Step("agent", name, verb, _agent(verb), goes_on=True),
        Step(
            "tally", listing, "tally", _tally([verb], verb.capitalize(), advice=advice, now=verb == "status")
        ),
    )


_LIST = "List the hosts and fail if one was not reached"
_REMEMBER = Step(
    "verify", "Remember how every site answers before any reload of ours", "baseline", _baseline,
    when=lambda host, settings, told: bool(settings["piquet_baseline"]), is_real_only=True,
)  # fmt: skip
_STAGE: tuple[Step, ...] = (
    Step(
        "plan", "Plan the campaign and build the bundles", "plan",
        lambda settings, told: _plan(settings, whole=False, bundles=True),
    ),
    _REMEMBER,
    Step(
        "python", "Install Python where it is missing", "python", lambda settings, told: {},
        when=lambda host, settings, told: (
            bool(settings["piquet_install_python"]) and host in told["plan"]["involved"]
        ),
    ),
    Step(
        "agent", "Stage the canaries", "canaries", _agent("stage"), is_fatal=True,
        when=lambda host, settings, told: host in told["plan"]["canary"],
    ),
    Step(
        "agent", "Stage all other hosts", "others", _agent("stage"),
        when=lambda host, settings, told: host in told["plan"]["rest"],
    ),
)  # fmt: skip
_ARM: tuple[Step, ...] = (
    Step(
        "plan", "Plan the campaign again, to arm exactly what is staged", "plan",
        lambda settings, told: _plan(settings, whole=not settings["piquet_arm_partial"], bundles=False),
    ),
    Step(
        "agent", "Check that every host can be armed", "check", _agent("arm", only_check=True), goes_on=True,
        when=lambda host, settings, told: host in told["plan"]["involved"],
    ),
    Step(
        "tally", "Stop here unless every host can be armed", "can",
        lambda settings, told: _tally(
            ["check"], "Can be armed", show="bad", fail=not settings["piquet_arm_partial"],
            advice="no host was armed; put these hosts right, or leave them out with piquet_arm_partial=true",
        )(settings, told),
    ),
    Step(
        "agent", "Arm", "arm", _agent("arm"), goes_on=True,
        when=lambda host, settings, told: host in told["can"]["ok"],
    ),
    Step("tally", "Count who is armed", "armed", _tally(["arm"], "Armed", before="check", fail=False, show="never")),
    Step(
        "agent", "Undo the arming of this run where it must not stay", "undo", _agent("rollback"),
        goes_on=True,
        when=lambda host, settings, told: (
            bool(told["armed"]["bad"])
            and host in told["can"]["ok"]
            and host in told["armed"]["begun"]
            and (not settings["piquet_arm_partial"] or host in told["armed"]["bad"])
        ),
    ),
    Step(
        "tally", "Say the state of every host", "tally",
        _tally(
            ["check", "arm"], "Armed", undo="undo",
            advice="a host that could not be reached may be armed: roll it back, or let it end by itself "
            "at the end of the window",
            afterwards="to end it before: piquet rollback -i INVENTORY; "
            f"on a host alone, as root: {END_IT_NOW}\na paper for the desk says all of this: piquet paper -i INVENTORY",
        ),
    ),
)  # fmt: skip

COURSES: Mapping[str, tuple[Step, ...]] = {
    "survey": _single_step("survey", "Survey the host and keep what was found"),
    "hook": (_REMEMBER, *_single_step("hook", "Hook every server block that the survey saw")),
    "unhook": _single_step("unhook", "Unhook every server block that we hooked"),
    "trust": (
        Step("agent", "Pin who may decide on the host", "trust", _trust, goes_on=True),
        Step(
            "tally", "List the hosts and fail if one does not have these signers", "tally",
            _tally(["trust"], "Trust", advice="put these hosts right, then trust again"),
        ),
    ),
    "stage": _STAGE,
    "rehearse": (
        Step("agent", "Begin a rehearsal on every host, or end it", "rehearse", _rehearse, goes_on=True),
        Step(
            "tally", "Show the state of every host", "tally",
            _tally(
                ["rehearse"], "Rehearsal",
                advice="put these hosts right, then rehearse again; what has begun on the others ends by itself "
                "within 30 minutes",
            ),
        ),
    ),
    "arm": _ARM,
    "status": _listing_steps("status", "Ask every host what it is doing", "Show the state of every host", ""),
    "stop": (
        Step("agent", "Stop the site on every host that shows it", "stop", _stop, goes_on=True),
        Step(
            "tally", "Show where the site was stopped, and fail if one was not reached", "tally",
            lambda settings, told: _tally(
                ["stop"], "Stop", site=settings["piquet_stop_site"],
                advice="stop it again on these hosts",
            )(settings, told),
        ),
    ),
    "rollback": _listing_steps(
        "rollback", "Roll every host back to normal", _LIST,
        f"run rollback again for these hosts; whoever has root there can end it with: {END_IT_NOW}",
    ),
    "remove": _listing_steps(
        "remove", "Remove all that is ours from every host", _LIST,
        "run remove again for these hosts once they answer",
    ),
}  # fmt: skip
"""Verb → its steps."""
