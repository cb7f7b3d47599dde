# SPDX-License-Identifier: GPL-3.0-or-later
"""Every verb by plain ssh, without an engine: for tests whose subject is the host and not how a verb comes to it.

The steps are those of the deploys (`piquet.deploys.steps`), which a test holds against the roles; the agent, its
payload and the connection are the real ones. `command` is the same in a process of its own, which can be killed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from piquet.controller import verify
from piquet.controller.answer import CommandOutcome
from piquet.controller.events import Event
from piquet.controller.step import attempt
from piquet.deploys.pattern import matching
from piquet.deploys.settings import read_settings
from piquet.deploys.steps import COURSES, Step, StepResult
from piquet.deploys.strategy import Strategy, World, is_bad
from piquet.deploys.telling import lines_of
from piquet.printable import printable

if TYPE_CHECKING:  # not on the path of the process that `command` starts
    from testbed import Fleet

_SSH_FAILED = 255
"""Exit status of ssh(1) itself."""


@dataclass
class VerbRun:
    """What a verb did, as `subprocess.CompletedProcess` tells it, and on which hosts it changed something."""

    returncode: int = 0
    stdout: str = ""
    stderr: str = ""
    changed: set[str] = field(default_factory=set)


class UnreachableError(Exception):
    """ssh could not connect, or was cut off."""


@dataclass(frozen=True)
class SshRemote:
    """One host of a test fleet, whose login is root's.

    Attributes:
        host: inventory name, which the ssh configuration knows.
        config: for `ssh -F`.
    """

    host: str
    config: Path
    can_pipe: bool = True
    is_text_only: bool = False

    def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
        """Run a command with this input.

        Raises:
            UnreachableError: ssh could not connect, or was cut off.
        """
        argv = ["ssh", "-F", str(self.config), self.host, command]
        done = subprocess.run(argv, input=data or b"", capture_output=True, check=False)
        stdout, stderr = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        if done.returncode == _SSH_FAILED:
            raise UnreachableError(stderr)
        return CommandOutcome(done.returncode, stdout, stderr)

    def put(self, data: bytes, path: str) -> None:
        """Never needed: input can be piped."""
        raise NotImplementedError


def command(fleet: Fleet, verb: str, **values: object) -> list[str]:
    """The command line of `run_verb` in a process of its own."""
    pairs = [f"{key}={value}" for key, value in values.items()]
    return [sys.executable, "-P", __file__, str(fleet.folder), verb, *pairs]


def run_verb(
    folder: Path, verb: str, values: Mapping[str, object], *, only: Sequence[str] = (), dry: bool = False
) -> VerbRun:
    """Run a verb over the hosts of a fleet.

    Args:
        folder: of the fleet, with `inventory.yml` and `ssh_config`.
        verb: one of `COURSES`, or verify.
        values: variables of the roles, for all hosts.
        only: the hosts that take part; all when empty.
        dry: check mode.
    """
    fleet = {name: {**data, **values} for name, data in _inventory(folder).items()}
    pattern = str(values.get("piquet_hosts", "all"))
    fleet = {name: fleet[name] for name in matching(pattern, list(fleet), {})}
    in_play = [name for name in fleet if not only or name in only]
    settings = {name: read_settings(name, fleet[name], folder) for name in in_play}
    if verb == "verify":
        return _verify(settings[in_play[0]], fleet, values)
    events: list[Event] = []
    world = World(
        fleet=fleet,
        in_play=in_play,
        settings=settings,
        presence=lambda name: "there",
        why_not=lambda name: "",
        ask=_asking(folder / "ssh_config"),
        tell=events.append,
    )
    strategy = Strategy(COURSES[verb], world, check=dry)
    strategy.plan()
    with ThreadPoolExecutor(len(in_play)) as pool:
        strategy.walk(lambda act, hosts: list(pool.map(act, hosts)))
    changed = {event.host for event in events if event.host and event.result.get("changed")}
    text = "\n".join(line for event in events for line in _told(event))
    return VerbRun(int(strategy.has_failed), text, changed=changed)


def _verify(settings: Mapping[str, Any], fleet: Mapping[str, Mapping[str, Any]], values: Any) -> VerbRun:
    arguments = {
        "campaign": settings["piquet_campaign"],
        "workdir": settings["piquet_workdir"],
        "moment": values.get("piquet_verify_moment", "now"),
        "baseline": "auto",
        "ca": str(values.get("piquet_verify_ca", "")),
    }
    result = verify.attempt(arguments, fleet)
    return VerbRun(result["rc"], result["show"])


def _asking(config: Path) -> Callable[[Step, str, Mapping[str, Any], bool], StepResult]:
    def ask(step: Step, name: str, arguments: Mapping[str, Any], check: bool) -> StepResult:
        try:
            return attempt(SshRemote(name, config), name, arguments, check=check, diff=check)
        except UnreachableError as err:
            return {"changed": False, "unreachable": True, "msg": f"{name}: {printable(str(err))}"}

    return ask


def _told(event: Event) -> Iterator[str]:
    """What people read of an event, and each host's part in it."""
    yield from lines_of(event)
    if event.kind == "result" and event.host and not event.result.get("skipped"):
        word = "failed" if is_bad(event.result) else "changed" if event.result.get("changed") else "ok"
        yield f"{word}: [{event.host}]"


def _inventory(folder: Path) -> dict[str, dict[str, Any]]:
    """Host → its variables, as the test-bed and tests wrote them."""
    tree = yaml.safe_load((folder / "inventory.yml").read_text("utf-8"))
    groups = tree["all"]["children"].values()
    return {name: dict(data) for group in groups for name, data in group["hosts"].items()}


def main() -> None:
    """Run one verb.

    Raises:
        SystemExit: always; with 1 when it failed.
    """
    folder, verb, *pairs = sys.argv[1:]
    done = run_verb(Path(folder), verb, dict(pair.split("=", 1) for pair in pairs))
    print(done.stdout)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
