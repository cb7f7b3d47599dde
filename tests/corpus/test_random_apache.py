# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises, asked of every site of configurations made at random, on one Apache that takes up each of them.

Of each configuration: the survey names what is really served; staged, no answer of any site changes, by rules and by
Lua; inside the window every site is on strike, or the survey has said why it is not.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from piquet.fleet.model import Variant
from piquet.servers.apache.facts import ApacheFacts
from piquet.servers.apache.kind import APACHE_KIND
from tests.figures import note

from .cases import Case
from .client import Wire, parse, settled
from .kinds import Ask, load
from .picket import Picket, picket, plain_facts
from .random_apache import MARK, MODULES, NAMES, OWN_ADDRESS, PATHS, WILD, Made, configurations
from .runner import ask
from .servers import Server, plant
from .surveyed import ask_agent

EXAMPLES, LONG_EXAMPLES = 15, 500
VARIANTS: tuple[Variant, ...] = ("rules", "lua")
_NEW, _NEW_PATH = "taken-up.invalid", "/etc/apache2/sites-enabled/zz-new.conf"
_OPEN = (
    "<Directory /srv/static>\n  Require all granted\n</Directory>\n"
    f"<VirtualHost {OWN_ADDRESS}:@HTTP@>\n  ServerName other.invalid\n  DocumentRoot /srv/static\n</VirtualHost>\n"
)
"""The default host of that address; `00-default` is that of all others."""
_ADDRESSES = ("127.0.0.1", OWN_ADDRESS)
_READY_S = 20.0
_COUNTED = ("configurations", "sites", "answers staged", "answers of ours", "answers foretold")


class Running:
    """One Apache in a chroot, and what it has been given."""

    def __init__(self, server: Server) -> None:
        self.server, self.taken_up, self.counts = server, 0, Counter[str]()
        self.written: set[str] = set()

    def take_up(self, files: dict[str, str]) -> None:
        """Have the server read its configuration, and wait until it answers by it."""
        for path, text in files.items():
            self.server.chroot.write(path, text.replace("@HTTP@", str(self.server.http)).encode())
        self.written |= files.keys()
        self.taken_up += 1
        new = f"<VirtualHost *:{self.server.http}>\nServerName {_NEW}\nDocumentRoot /srv/static\n"
        new += f'RewriteEngine Off\nHeader always set X-New "{self.taken_up}"\n</VirtualHost>\n'
        self.server.chroot.write(_NEW_PATH, new.encode())
        assert self.server.test() == "", files
        os.kill(_master(), signal.SIGHUP)
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            try:
                answer = parse(ask(self.server, Ask("http", _NEW), Case("GET", "/")).received)
            except OSError:
                answer = None
            if answer and answer.values("x-new") == [str(self.taken_up)]:
                return
            time.sleep(0.01)
        raise TimeoutError(self.server.errors()[-2000:])

    def clear(self) -> None:
        """Take away what the last example left, also one that failed."""
        self.server.drop_flags()
        self.server.chroot.set_clock(
            picket(self.server, known=plain_facts("apache", self.server.kinds)).before_ms
        )
        for path in self.written:
            self.server.chroot.path(path).unlink(missing_ok=True)
        self.written.clear()


def _master() -> int:
    """The child of this process's child that the chroot was entered by."""
    (entered,) = _children(os.getpid(), "unshare")
    (found,) = _children(entered, "apache2")
    return found


def _children(pid: int, name: str) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed if Path(f"/proc/{child}/comm").read_text().strip() == name]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """The server with an ordinary default host."""
    kinds = tuple(
        replace(kind, modules=MODULES) for kind in load("apache") if kind.name in ("00-default", "static")
    )
    server = plant("apache", kinds, tmp_path / "apache", 1)
    server.chroot.path("/etc/apache2/sites-enabled/static.conf").unlink()
    other = _OPEN.replace("@HTTP@", str(server.http))
    server.chroot.write("/etc/apache2/sites-enabled/01-other.conf", other.encode())
    server.chroot.set_clock(picket(server).before_ms)
    with server.serving():
        yield Running(server)


def test_some_configurations(running: Running, seed: int) -> None:
    """As many as an ordinary run has time for."""
    _ask_all(running, EXAMPLES, seed)


@pytest.mark.long
def test_many_configurations(running: Running, seed: int) -> None:
    """The full matrix."""
    _ask_all(running, LONG_EXAMPLES, seed)


def _ask_all(running: Running, examples: int, seed: int) -> None:
    chosen = settings(
        max_examples=examples,
        phases=(Phase.generate,),
        deadline=None,
        suppress_health_check=tuple(HealthCheck),
    )
    chosen(given(configurations())(lambda made: _ask_one(running, made)))()
    counts = running.counts
    row = {name.replace(" ", "_"): counts[name] for name in _COUNTED}
    note("random_apache", seed=seed, **row, differences=0)
    assert counts["configurations"] >= examples
    assert counts["answers of ours"] > counts["configurations"]


def _ask_one(running: Running, made: Made) -> None:
    server = running.server
    running.clear()
    running.take_up(made.files)
    hosts = [*NAMES, *("x" + name[1:] for name in WILD)]
    unstaged = _answers(server, hosts)
    document = ask_agent(server)["apache"]
    assert document["told"], made.files
    named = {name for vhost in document["vhosts"] for name in vhost["names"]}
    served = _served(hosts, unstaged)
    assert named & {*NAMES, *WILD} == served, made.files
    facts = APACHE_KIND.facts(document)
    for variant in VARIANTS:
        strike = _strike(server, facts, variant, served)
        running.take_up({path: content.decode("latin-1") for path, content in strike.contents.items()})
        assert _answers(server, hosts) == unstaged, (variant, made.files)
        _hold(running, strike, facts, unstaged, made)
        for path in strike.contents:
            server.chroot.path(path).unlink()
    running.counts.update({"configurations": 1, "sites": len(served), "answers staged": 2 * len(unstaged)})


def _strike(server: Server, facts: ApacheFacts, variant: Variant, names: set[str]) -> Picket:
    """The bundle for every site that was found, by one way."""
    sites = tuple(sorted(names)) or ("static.corpus.example",)
    kind = replace(server.kinds[-1], sites=sites)
    loadable = {n: f"/usr/lib/apache2/modules/mod_{n[:-7]}.so" for n in ("lua_module",)}
    return picket(replace(server, kinds=(kind,)), known=replace(facts, loadable=loadable), variant=variant)


def _answers(server: Server, hosts: list[str]) -> dict[tuple[Ask, str], Wire]:
    """What each name answers to each path at each address."""
    asked = [(Ask("http", name, at), path) for name in hosts for at in _ADDRESSES for path in PATHS]
    return {(way, path): settled(ask(server, way, Case("GET", path))) for way, path in asked}


def _served(hosts: list[str], answers: dict[tuple[Ask, str], Wire]) -> set[str]:
    """Names that a virtual host which was made answers for; of a wildcard, what it stands for was asked."""
    shown = dict(zip(hosts, [*NAMES, *WILD], strict=True))
    found = {way: parse(wire.received) for (way, path), wire in answers.items() if path == "/"}
    return {shown[way.host] for way, answer in found.items() if answer and answer.values(MARK.lower())}


def _hold(
    running: Running, strike: Picket, facts: ApacheFacts, unstaged: dict[tuple[Ask, str], Wire], made: Made
) -> None:
    """Inside the window: what a site answered is on strike, or was said not to be."""
    server = running.server
    server.make_flags(strike.keys)
    server.chroot.set_clock(strike.inside_ms)
    for (way, path), usual in unstaged.items():
        was = parse(usual.received)
        name = way.host if way.host in NAMES else f"*{way.host[1:]}"
        if was is None or not was.values(MARK.lower()) or not strike.is_selected(way.host):
            continue
        answer = parse(settled(ask(server, way, Case("GET", path))).received)
        is_ours = bool(answer and answer.status == 503 and answer.values("x-piquet"))
        is_said = strike.variant == "rules" and (
            facts.server_rules
            or name in facts.own_rules_first
            or ("%2F" in path and name not in facts.encoded_slashes)
        )
        assert is_ours or is_said, (strike.variant, way, path, answer, made.files)
        running.counts["answers of ours" if is_ours else "answers foretold"] += 1
    server.drop_flags()
    server.chroot.set_clock(strike.before_ms)
