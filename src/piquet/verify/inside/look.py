# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at one host through its testinfra connection: one remote command, whatever the number of sites.

The program and its order travel as two arguments in base64, so that no name of anybody's ever reaches a shell.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import Any, Protocol

from piquet.errors import HostError
from piquet.printable import printable, printable_document
from piquet.verify.inside.ask import SIGN
from piquet.verify.observation import Inquiry, Observation, Reply

MAX_ARGUMENT_BYTES = 90_000
"""Linux takes 128 KiB in one argument (execve(2), MAX_ARG_STRLEN), and ssh makes one of the whole command."""
MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""Of one command's answer, unpacked: some 1,500 sites with their pages are well below."""
LOOK_TIMEOUT_S = 10.0
LOG_LINES = 8
_START = "import base64,sys,zlib;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
_STDERR_LINES = 8


class InspectedHost(Protocol):
    """What we need of a testinfra host."""

    def run(self, command: str, *args: str) -> Any:
        """Run a command with quoted arguments; the result has `rc`, `stdout` and `stderr`."""


@dataclass(frozen=True)
class Order:
    """What to look at besides the sites.

    Attributes:
        agent: path of the installed agent.
        mark: text by which our hook line is found.
        files: the owner's files that a hook may stand in.
        ours: paths that are ours alone.
        tests: provider → commands that test its configuration, the first one installed is run.
        logs: provider → error logs.
    """

    agent: str
    mark: str
    files: tuple[str, ...]
    ours: tuple[str, ...]
    tests: Mapping[str, tuple[tuple[str, ...], ...]]
    logs: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Look:
    """What one host was like at one instant; every text is printable.

    Attributes:
        host: inventory name.
        replies: answers of its sites.
        machine: what the agent, its files and its servers say; see `ask.machine_facts`.
        logs: path → last lines of an error log.
    """

    host: str
    replies: tuple[Reply, ...]
    machine: Mapping[str, Any]
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def by_site(self) -> Mapping[str, Sequence[Reply]]:
        """The replies of each site."""
        found: dict[str, list[Reply]] = {}
        for reply in self.replies:
            found.setdefault(reply.target.site, []).append(reply)
        return found

    @property
    def at(self) -> float:
        """The host's clock, epoch seconds UTC."""
        return float(self.machine["at"])

    @property
    def status(self) -> Mapping[str, Any]:
        """What `piquet-host status --json` said, {} without an agent."""
        return self.machine["status"] or {}

    @property
    def state(self) -> str:
        """absent, staged, armed, stopped or ended; `unknown` if the agent gave no status."""
        if not self.machine["agent"]:
            return "absent"
        return str(self.status.get("state", "unknown"))


def look_at_host(
    remote: InspectedHost, host: str, python: str, jobs: Sequence[Inquiry], order: Order
) -> Look:
    """Look at a host once.

    Args:
        remote: its testinfra connection.
        host: inventory name.
        python: path of its Python.
        jobs: whom to ask, as seen from there.
        order: what else to look at.

    Raises:
        HostError: it cannot be reached, or gave no answer in the agreed form.
    """
    whole = {**vars(order), "logs": [path for paths in order.logs.values() for path in paths]}
    replies: list[Reply] = []
    machine, logs = None, {}
    for part in _parts(jobs, whole):
        found = _run(remote, host, python, part.text)
        replies += _replies(part.jobs, found["replies"], host)
        machine, logs = machine or found["machine"], found["logs"]
    if not isinstance(machine, dict):
        raise HostError(f"{host} gave half an answer")
    return Look(host, tuple(replies), machine, logs)


@dataclass(frozen=True)
class _Part:
    """Some jobs, and the argument that carries them."""

    jobs: Sequence[Inquiry]
    text: str


def _parts(jobs: Sequence[Inquiry], order: Mapping[str, Any]) -> list[_Part]:
    """As few commands as fit; only the first one carries the rest of the order."""
    text = _argument({**order, "jobs": [_job(job) for job in jobs]})
    if len(text) <= MAX_ARGUMENT_BYTES or len(jobs) < 2:
        return [_Part(jobs, text)]
    middle = len(jobs) // 2
    later = {**order, "agent": "", "files": (), "ours": ()}
    return [*_parts(jobs[:middle], order), *_parts(jobs[middle:], later)]


def _job(job: Inquiry) -> list[Any]:
    target = job.target
    where = [target.address, target.port, target.tls, target.name, target.authority]
    where.append(target.proxy_protocol)
    return [where, [[q.method, q.path, q.headers] for q in job.questions]]


def _argument(order: Mapping[str, Any]) -> str:
    value = {"timeout_s": LOOK_TIMEOUT_S, "log_lines": LOG_LINES, **order}
    return base64.b64encode(zlib.compress(json.dumps(value).encode(), 9)).decode("ascii")


def _program() -> str:
    source = files("piquet.verify.inside").joinpath("ask.py").read_bytes()
    return base64.b64encode(zlib.compress(source, 9)).decode("ascii")


def _run(remote: InspectedHost, host: str, python: str, argument: str) -> Mapping[str, Any]:
    try:
        done = remote.run("%s -I -c %s %s %s", python, _START, _program(), argument)
    except (RuntimeError, AssertionError, ValueError, OSError) as err:
        raise HostError(_unreached_message(host, err)) from err
    for line in str(done.stdout).splitlines():
        _, sign, packed = line.partition(SIGN)
        if sign:
            return _unpacked_document(packed)
    said = "\n  ".join(printable(str(done.stderr)).strip().splitlines()[-_STDERR_LINES:])
    hint = f"is {python} there, 3.8 or later? An inventory says where with piquet_python"
    raise HostError(f"{host} gave no answer, exit status {done.rc}\n  got:      {said}\n\n  hint: {hint}")


def _unpacked_document(packed: str) -> Mapping[str, Any]:
    """What a host sent, which may be anything.

    Raises:
        ValueError, zlib.error: it is longer than any fleet's answer, cut short, or no JSON.
    """
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(packed), MAX_ANSWER_BYTES)
    if not inflater.eof:
        raise ValueError("the answer is too long, or cut short")
    found: Mapping[str, Any] = printable_document(json.loads(data))
    return found


def _unreached_message(host: str, err: Exception) -> str:
    """testinfra raises its whole command result; what helps in it is the last words of ssh."""
    result = err.args[0] if err.args else ""
    said = str(getattr(result, "stderr", "") or err).strip().splitlines()[-1:]
    got = printable("".join(said))[-400:]
    hint = "try the same connection by hand; ssh://, --ssh-config and the inventory say how to log in"
    return f"{host} cannot be reached\n  got:      {got}\n\n  hint: {hint}"


def _replies(jobs: Sequence[Inquiry], answers: Sequence[Sequence[Any]], host: str) -> list[Reply]:
    if len(jobs) != len(answers):
        raise HostError(f"{host} answered {len(answers)} of {len(jobs)} targets")
    found = []
    for job, row in zip(jobs, answers, strict=True):
        found += [
            Reply(job.target, question, _observation(*fields))
            for question, fields in zip(job.questions, row, strict=True)
        ]
    return found


def _observation(
    status: int | None,
    headers: Sequence[Sequence[str]],
    sha256: str,
    size: int,
    sent: float,
    first: float,
    error: str,
    banners: Sequence[str] = (),
) -> Observation:
    pairs = tuple((name, value) for name, value in headers)
    return Observation(status, pairs, sha256, size, sent, first, error, banners=tuple(banners))
