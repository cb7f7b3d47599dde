# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as it is sent to a host, run in a private root beside a running server, and what each verb cost.

One Python stays inside of the root: it starts the server, runs what it is told to, and reads what the kernel says.
Own time of the agent and that of the processes that it starts are told apart; what the server's master does at a reload
is counted too.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from piquet.agent_archive import payload
from tests.corpus.chroot import system
from tests.corpus.servers import START, Server

AGENT, SAID = "/tmp/agent.zip", "/tmp/said"
_COUNTED = """
import atexit, json, os, runpy, sys, time
born = float(sys.argv[1])
told = dict(opens=0, fsyncs=0, processes=0, down_s=None)
def heard(event, arguments):
    if event == "open":
        told["opens"] += 1
    elif event == "subprocess.Popen":
        told["processes"] += 1
    elif event == "os.remove" and told["down_s"] is None and str(arguments[0]) == "/run/piquet/live":
        told["down_s"] = time.monotonic() - born
def counted(call):
    def inner(*arguments):
        told["fsyncs"] += 1
        return call(*arguments)
    return inner
def tell():
    user, system, child_user, child_system, _ = os.times()
    peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
    told.update(agent_s=user + system, children_s=child_user + child_system, peak_kb=int(peak.split()[1]))
    with open("/tmp/told", "w") as file:
        json.dump(told, file)
atexit.register(tell)
os.fsync, os.sync = counted(os.fsync), counted(os.sync)
sys.argv = sys.argv[2:]
sys.addaudithook(heard)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_INSIDE = """
import json, os, subprocess, sys, time
def master():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{name}/stat").read().rpartition(")")
            comm = open(f"/proc/{name}/comm").read().strip()
        except OSError:
            continue
        if comm in ("nginx", "apache2"):
            found.append((int(name), int(words[2].split()[1])))
    heads = [pid for pid, parent in found if parent not in dict(found)]
    return heads[0] if heads else 0
def spent_s(pid):
    return int(open(f"/proc/{pid}/schedstat").read().split()[0]) / 1e9 if pid else 0.0
def run(argv):
    pid = master()
    before, began = spent_s(pid), time.monotonic()
    with open("/tmp/said", "wb") as said, open("/tmp/faults", "wb") as faults:
        child = subprocess.Popen([word.replace("@NOW@", repr(began)) for word in argv], stdin=subprocess.DEVNULL,
                                 stdout=said, stderr=faults)
        _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.monotonic() - began
    time.sleep(0.3)
    return dict(code=os.waitstatus_to_exitcode(status), wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime,
                peak_kb=usage.ru_maxrss, server_s=spent_s(pid) - before, faults=open("/tmp/faults").read()[-4000:])
def memory():
    status = open(f"/proc/{master()}/status").read()
    return int(status.split("VmRSS:")[1].split()[0])
def start(argv):
    global server
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        time.sleep(0.1)
        if os.path.exists("/run/nginx.pid") or os.path.exists("/run/apache2/apache2.pid"):
            time.sleep(0.5)
            return server.pid
    raise SystemExit("the server did not start")
def stop():
    server.terminate()
    server.wait()
cron = subprocess.Popen(["/usr/local/sbin/cron", "100000"])
for line in sys.stdin:
    name, arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)), flush=True)
"""


@dataclass(frozen=True)
class Cost:
    """What one command took.

    Attributes:
        agent_s: CPU seconds of the agent's own process.
        children_s: CPU seconds of what it started: the server's own tests and questions.
        server_s: CPU seconds of the server's master meanwhile: what a reload is.
        wall_s: on the clock.
        peak_mb: the most memory that its own process ever had.
        opens: files opened, Python's own modules among them.
        fsyncs: calls of fsync and sync.
        processes: that it started.
        down_s: until the flags were down; None where it took none.
    """

    agent_s: float
    children_s: float
    server_s: float
    wall_s: float
    peak_mb: float
    opens: int = 0
    fsyncs: int = 0
    processes: int = 0
    down_s: float | None = None

    @property
    def cpu_s(self) -> float:
        """All of it."""
        return self.agent_s + self.children_s + self.server_s


class Session:
    """A root with its server at work."""

    def __init__(self, server: Server, process: subprocess.Popen[str]) -> None:
        self.server = server
        self._process = process

    def call(self, name: str, *arguments: object) -> Any:
        """Have the process inside do something."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def run(self, *argv: str) -> Cost:
        """A command of the server's, which must succeed."""
        done = self.call("run", argv)
        assert done["code"] == 0, done["faults"]
        return Cost(0.0, done["cpu_s"], done["server_s"], done["wall_s"], done["peak_kb"] / 1024)

    def ask(
        self, verb: str, at: float, members: Mapping[str, bytes] | None = None, **fields: Any
    ) -> tuple[Cost, dict[str, Any]]:
        """A verb, as the controller asks for it; its cost and its answer."""
        self.server.chroot.write(AGENT, payload({"verb": verb, "at": at, **fields}, members))
        return self._agent(AGENT, "--request")

    def minute(self) -> Cost:
        """What the schedule calls, from the file that is installed."""
        return self._agent("/usr/local/sbin/piquet-host", "reconcile")[0]

    def _agent(self, *argv: str) -> tuple[Cost, dict[str, Any]]:
        done = self.call("run", ["/usr/bin/python3", "-c", _COUNTED, "@NOW@", *argv])
        said, told = (self.server.chroot.path(name).read_text() for name in (SAID, "/tmp/told"))
        assert done["code"] == 0, (said[-4000:], done["faults"])
        own = json.loads(told)
        cost = Cost(
            own["agent_s"], own["children_s"], done["server_s"], done["wall_s"], own["peak_kb"] / 1024,
            own["opens"], own["fsyncs"], own["processes"], own["down_s"],
        )  # fmt: skip
        return cost, json.loads(said) if said.startswith("{") else {}

    def fresh_memory_mb(self) -> float:
        """Resident memory of the server's master, just started."""
        self.call("stop")
        for name in ("/run/nginx.pid", "/run/apache2/apache2.pid"):
            self.server.chroot.path(name).unlink(missing_ok=True)
        self.call("start", START[self.server.provider])
        return float(self.call("memory")) / 1024


@contextlib.contextmanager
def session(server: Server) -> Iterator[Session]:
    """The server running in its root, with a program that the agent takes for cron, until the context ends."""
    chroot = server.chroot
    chroot.write("/etc/machine-id", b"0123456789abcdef0123456789abcdef\n")
    chroot.write("/usr/local/sbin/cron", chroot_program("sleep"), 0o755)
    argv = chroot.entering(["/usr/bin/python3", "-c", _INSIDE])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = Session(server, process)
            found.call("start", START[server.provider])
            yield found
        finally:
            assert process.stdin
            process.stdin.close()


def chroot_program(name: str) -> bytes:
    """The bytes of a program of the chroots' system."""
    return (system() / "usr/bin" / name).read_bytes()


def own_commands(provider: str) -> Sequence[tuple[str, ...]]:
    """What an owner types after an edit."""
    if provider == "nginx":
        return ("nginx", "-t", "-q"), ("nginx", "-s", "reload")
    return ("apache2ctl", "-t"), ("apache2ctl", "graceful")
