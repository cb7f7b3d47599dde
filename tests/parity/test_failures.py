# SPDX-License-Identifier: GPL-3.0-or-later
"""When something is wrong, every road says the same, ends with the same code and leaves hosts in the same state."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import Fleet
from testbed.host import Host
from tests.parity.compare import Comparison
from tests.parity.road import RELOAD, Road, Run, inventory_text, on_hosts, on_roads

pytestmark = pytest.mark.long
_BROKEN = {
    "nginx": "server { listen 80; server_name broken.parity.example; no_such_directive on; }\n",
    "apache": "<VirtualHost *:80>\n    ServerName broken.parity.example\n    NoSuchDirective on\n</VirtualHost>\n",
}
_BROKEN_FILE = {
    "nginx": "/etc/nginx/sites-enabled/zz-broken.conf",
    "apache": "/etc/apache2/sites-enabled/zz-broken.conf",
}
_USER = """\
id op >/dev/null 2>&1 || useradd --create-home --shell /bin/sh op
install -d -m 700 -o op ~op/.ssh && install -m 600 -o op ~root/.ssh/authorized_keys ~op/.ssh/authorized_keys
"""
_SUDO = "printf 'op ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/op && chmod 440 /etc/sudoers.d/op"
_SLOW = "/usr/local/bin/parity-python"
_SLOW_PYTHON = """\
#!/bin/sh
# The agent waits while somebody wants it to.
while [ -e /run/parity-wait ]; do touch /run/parity-waits; sleep 0.1; done
exec /usr/bin/python3 "$@"
"""


def test_a_broken_configuration(compared: Comparison, campaign: Path) -> None:
    """Stage refuses and changes nothing; when its owner has mended it, stage works."""
    compared.verb("survey")
    compared.verb("hook")
    with _broken(compared):
        compared.verb("stage", str(campaign), "--no-baseline", "--check", code=7)
        compared.verb("stage", str(campaign), "--no-baseline", code=7)
        compared.words("stage", str(campaign), "--no-baseline")
        compared.hosts("after a refused stage")
        compared.verb("arm", str(campaign), code=7)
    compared.verb("stage", str(campaign), "--no-baseline")
    with _broken(compared):
        compared.verb("arm", str(campaign), code=7)
        compared.verb("rollback")
        compared.hosts("after a rollback under a broken configuration")


def test_no_python_on_the_host(compared: Comparison, campaign: Path) -> None:
    """Every verb says what is missing, and how to name another one."""
    compared.verb("survey")
    compared.verb("hook")
    with _without_python(compared):
        for verb, *more in (("status",), ("stage", str(campaign), "--no-baseline"), ("rollback",)):
            done = compared.verb(verb, *more, code=7)
            compared.words(verb, *more)
            said = json.dumps([run.document for run in done.values()])
            assert said.count("there is no Python at /usr/bin/python3") >= len(compared.roads), said[:2000]
    compared.verb("stage", str(campaign), "--no-baseline")


def test_an_operator_who_becomes_root(compared: Comparison, campaign: Path, twins: Fleet) -> None:
    """With sudo everything is as for root; without the right to it every road says so, and nothing is done."""
    on_hosts(compared.roads, lambda host: host.run(_USER + _SUDO))
    _log_in_as(compared.roads, twins, "op")
    try:
        compared.verb("survey")
        compared.verb("hook")
        compared.verb("stage", str(campaign), "--no-baseline")
        compared.verb("arm", str(campaign))
        compared.hosts("after arming through sudo")
        on_hosts(compared.roads, lambda host: host.run("rm /etc/sudoers.d/op"))
        refused = compared.verb("rollback", code=7)
        for name, run in refused.items():
            told = [host["msg"] for host in run.document["hosts"].values()]
            assert all("it is not possible to become root" in message for message in told), f"{name}: {told}"
        compared.hosts("after a rollback that could not become root")
    finally:
        on_hosts(compared.roads, lambda host: host.run(_SUDO))
        compared.verb("rollback")
        _log_in_as(compared.roads, twins, "root")
        on_hosts(
            compared.roads,
            lambda host: host.run("rm -f /etc/sudoers.d/op; pkill -u op; userdel -r op", check=False),
        )


def test_a_host_out_of_reach(compared: Comparison, campaign: Path) -> None:
    """Arm holds everybody back, rollback goes on past it, both name it; the code says that it could not be reached."""
    compared.verb("survey")
    compared.verb("hook")
    compared.verb("stage", str(campaign), "--no-baseline")
    with _cut_off([road.hosts["nginx-web"] for road in compared.roads]):
        for verb, *more in (("status",), ("arm", str(campaign)), ("rollback",)):
            done = on_roads(compared.roads, lambda road, verb=verb, more=more: road.run(verb, *more))
            _same_but_for_the_reason(compared, verb, done)
    compared.hosts("after verbs that could not reach a host")
    compared.verb("arm", str(campaign))
    with _cut_off([road.hosts["nginx-web"] for road in compared.roads]):
        done = on_roads(compared.roads, lambda road: road.run("rollback"))
        _same_but_for_the_reason(compared, "rollback", done)
        assert {run.exit_code for run in done.values()} == {8}
    compared.hosts("after a rollback that could not reach an armed host")


def test_an_interrupted_verb(compared: Comparison, campaign: Path) -> None:
    """Ctrl-C while hosts are worked on: the same code and table; they finish by themselves, and it can be run again."""
    on_hosts(compared.roads, lambda host: host.write_file(_SLOW, _SLOW_PYTHON, mode=0o755))
    compared.verb("survey")
    compared.verb("hook")
    compared.verb("stage", str(campaign), "--no-baseline")
    done = on_roads(compared.roads, lambda road: _interrupted(road, "rollback"))
    assert {run.exit_code for run in done.values()} == {130}, {n: r.stderr for n, r in done.items()}
    compared.same(
        "rollback, interrupted: the state of every host",
        lambda road, across: json.dumps(
            {host: told["result"] for host, told in done[road.name].document["hosts"].items()}, sort_keys=True
        ),
    )
    on_hosts(compared.roads, lambda host: host.run("rm -f /run/parity-wait /run/parity-waits"))
    on_hosts(compared.roads, lambda host: host.run("while pgrep -f '[-]-request'; do sleep 0.2; done"))
    compared.hosts("after an interrupted rollback")
    compared.verb("rollback")
    on_hosts(compared.roads, lambda host: host.run(f"rm {_SLOW}"))


def test_roads_cross(compared: Comparison, campaign: Path) -> None:
    """What one engine began the other goes on with, verb by verb, and finds nothing to do again."""
    other = {"ansible": "pyinfra", "pyinfra": "ansible"}
    steps = (
        ("survey",),
        ("hook",),
        ("stage", str(campaign), "--no-baseline"),
        ("arm", str(campaign)),
        ("status",),
    )
    for number, (verb, *more) in enumerate((*steps, ("rollback",), ("unhook",), ("remove",))):
        for again in (False, True):
            done = on_roads(
                compared.roads,
                lambda road, verb=verb, more=more, swap=(number % 2 == 1) != again: road.run(
                    verb, *more, engine=other[road.engine] if swap else road.engine
                ),
            )
            for name, run in done.items():
                assert run.exit_code == 0, f"{name}: {verb}\n{run.stdout}\n{run.stderr}"
                flags = [told["changed"] for told in run.document["hosts"].values()]
                assert not (again and any(flags)), f"{name}: {verb} again: {flags}"
        compared.hosts(f"after {verb} by the other engine")


@contextlib.contextmanager
def _broken(compared: Comparison) -> Iterator[None]:
    """An owner's mistake on every host, mended afterwards."""
    on_hosts(
        compared.roads, lambda host: host.write_file(_BROKEN_FILE[host.provider], _BROKEN[host.provider])
    )
    try:
        yield
    finally:
        mend = "rm -f {file}; {reload}"
        on_hosts(
            compared.roads,
            lambda host: host.run(
                mend.format(file=_BROKEN_FILE[host.provider], reload=RELOAD[host.provider])
            ),
        )


@contextlib.contextmanager
def _without_python(compared: Comparison) -> Iterator[None]:
    on_hosts(compared.roads, lambda host: host.run("mv /usr/bin/python3 /usr/bin/away"))
    try:
        yield
    finally:
        on_hosts(compared.roads, lambda host: host.run("mv /usr/bin/away /usr/bin/python3"))


@contextlib.contextmanager
def _cut_off(hosts: list[Host]) -> Iterator[None]:
    with contextlib.ExitStack() as cables:
        for host in hosts:
            cables.enter_context(host.cut_off())
        yield


def _log_in_as(roads: object, twins: Fleet, user: str) -> None:
    for road in roads:  # type: ignore[attr-defined]
        road.inventory.write_text(inventory_text(twins, road, user), encoding="utf-8")


def _same_but_for_the_reason(compared: Comparison, verb: str, done: dict[str, Run]) -> None:
    """Code and words for each host; why a host cannot be reached is said in the words of ssh or of its library."""
    assert {run.document["hosts"]["nginx-web"]["result"] for run in done.values()} == {"unreachable"}, verb
    compared.same(
        f"{verb}, a host out of reach: the state of every host",
        lambda road, across: json.dumps(
            [
                done[road.name].exit_code,
                done[road.name].document["summary"] | {"seconds": 0},
                {host: told["result"] for host, told in done[road.name].document["hosts"].items()},
            ],
            sort_keys=True,
        ),
    )


def _interrupted(road: Road, verb: str) -> Run:
    """Ctrl-C once every host's agent waits."""
    for host in road.hosts.values():
        host.run("rm -f /run/parity-waits; touch /run/parity-wait")
    process = subprocess.Popen(
        road.command(verb, "--json", "-e", f"piquet_python={_SLOW}"),
        cwd=road.folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not all(
        host.run("test -e /run/parity-waits", check=False).returncode == 0 for host in road.hosts.values()
    ):
        assert time.monotonic() < deadline and process.poll() is None, f"{road.name}: the agents never began"
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return Run(process.returncode, json.loads(out), out, err)
