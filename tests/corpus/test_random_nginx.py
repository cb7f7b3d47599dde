# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise for every site of configurations made at random, on a real nginx with the modules that Debian packages.

Unhooked answers are those of the same nginx with the owner's files alone; what the plan accepts is staged, and every
site must answer as before in every state but the window, and there exactly as the table says. What the plan refuses is
left out, as its own `exclude` would do it.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from piquet.campaign.model import Campaign, Mode
from piquet.fleet.model import ServerFacts
from piquet.fleet.read import read_fleet
from piquet.host.servers.nginx import server as nginx
from piquet.host.system import commands
from piquet.host.system.paths import Paths
from piquet.host.system.platforms import Platform
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS
from tests.figures import note

from .cases import Case
from .client import Wire
from .conftest import Planter
from .kinds import Ask, Kind
from .picket import Picket, ms, picket
from .random_nginx import MODULES, Made, block, made
from .runner import ask
from .servers import Server

CASES = (
    *(
        Case(method, path)
        for method, path in (("GET", "/"), ("HEAD", "/"), ("POST", "/deep/x"), ("GET", "/api/x"))
    ),
    *(Case("GET", path) for path in ("/files/one.txt", "/.well-known/piquet/strike.css", "/piquet:~1")),
    Case("GET", "/deep/er?q=x", (("Accept-Encoding", "gzip, br"), ("Accept-Language", "en"))),
)
MAIN = """\
user www-data;
worker_processes 1;
daemon off;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 768; }
http {
    include mime.types;
    access_log off;
    limit_req_zone $server_name zone=requests:1m rate=100r/s;
    limit_conn_zone $server_name zone=connections:1m;
    server { listen @PORT@ default_server; server_name control.example; return 404; }
    include conf.d/*.conf;
    include sites-enabled/*;
"""
MODES: tuple[Mode, ...] = ("block", "occupy", "banner")
_RELOADED_S = 10.0
Answers = dict[tuple[str, Case], Wire]


@dataclass
class Counted:
    """What a run of examples came to."""

    examples: int = 0
    invalid: int = 0
    sites: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    requests: int = 0


class Looked(nginx.Nginx):
    """The agent's own eyes on the chroot's files, in this process: the server is asked nothing."""

    def __init__(self, server: Server) -> None:
        super().__init__(Platform("debian", ("debian",)), Paths())
        self.root = server.chroot.root

    @property
    def conf(self) -> Path:
        """The chroot's main file."""
        return self.root / "etc/nginx/nginx.conf"

    def is_present(self) -> bool:
        """It is."""
        return True

    def is_running(self) -> bool:
        """It does."""
        return True

    def _test(self) -> commands.Result:
        return commands.Result(ok=True, output="")


@dataclass
class Course:
    """One nginx that goes through examples, each by reloads."""

    server: Server
    campaigns: Mapping[Mode, Campaign]
    upstream: str
    counted: Counted = field(default_factory=Counted)

    def check(self, case: Made) -> None:
        """All states of one configuration.

        Raises:
            AssertionError: some answer is not what it must be.
        """
        names = [f"site{number}.example" for number in range(len(case.servers))]
        campaign = self.campaigns[case.mode]
        inside = ms(campaign.phases[0].start_at)
        self.begin(case, names)
        usual = {at: self.ask(names, at) for at in (inside - 1, inside)}
        facts, refused = self.look(names, campaign)
        self.count(names, facts, refused)
        if refused == set(names):
            return
        strike = self.strike(names, facts, refused, case.mode)
        strike.hook(self.server)
        try:
            strike.stage(self.server)
            reload(self.server)
            self.check_states(case, names, strike, usual)
        finally:
            strike.withdraw(self.server)

    def check_states(
        self, case: Made, names: list[str], strike: Picket, usual: Mapping[int, Answers]
    ) -> None:
        """Staged, released, armed: as usual; active: as the table says."""
        before, inside = sorted(usual)
        assert_same("staged", usual[before], self.ask(names, before), case)
        assert_same("released", usual[inside], self.ask(names, inside), case)
        self.server.make_flags(strike.keys)
        assert_same("armed", usual[before], self.ask(names, before), case)
        for (name, asked), wire in self.ask(names, inside).items():
            wrong = strike.deviation(Ask("http", name), asked, wire, usual[inside][name, asked], None)
            assert wrong is None, f"{name} {asked}: {wrong}\n{case}"

    def count(self, names: list[str], facts: ServerFacts, refused: set[str]) -> None:
        """Keep what an example is about."""
        self.counted.examples += 1
        self.counted.sites.update("refused" if name in refused else "accepted" for name in names)
        self.counted.ways[facts.variant] += 1

    def plant(self, case: Made, names: list[str]) -> None:
        """Write the owner's files."""
        chroot, port = self.server.chroot, self.server.http
        loaded = "".join(f"load_module /usr/lib/nginx/modules/{name}.so;\n" for name in MODULES)
        http = "".join(f"    {line}\n" for line in case.http).replace("@UPSTREAM@", self.upstream)
        chroot.write(
            "/etc/nginx/nginx.conf", (loaded + MAIN.replace("@PORT@", str(port)) + http + "}\n").encode()
        )
        chroot.write("/etc/nginx/snippets/part.conf", "\n".join(case.snippet).encode())
        for path in self.server.vhost_files():
            path.unlink()
        for name, lines in zip(names, case.servers, strict=True):
            text = block(name, port, lines, self.upstream)
            chroot.write(f"/etc/nginx/sites-enabled/{name}.conf", text.encode())

    def begin(self, case: Made, names: list[str]) -> None:
        """Have the owner's files in force; a configuration that nginx refuses is no example."""
        self.plant(case, names)
        if self.server.test():
            self.counted.invalid += 1
            assume(False)
        reload(self.server)

    def ask(self, names: list[str], at_ms: int) -> Answers:
        """Every case of every site at an instant."""
        self.server.chroot.set_clock(at_ms)
        self.counted.requests += len(names) * len(CASES)
        return {(n, asked): ask(self.server, Ask("http", n), asked) for n in names for asked in CASES}

    def look(self, names: list[str], campaign: Campaign) -> tuple[ServerFacts, set[str]]:
        """What survey and plan say: facts, and the sites that are refused; nothing else may be refused."""
        found = Looked(self.server).survey()
        assert found is not None
        document = {
            "piquet_survey": 1, "at": 0.0, "skew_s": 0.0, "apache": None, "cron": True, "init": "systemd",
            "nginx": {**found.document, "dropin_dir": "/etc/nginx/conf.d"}, "findings": [],
        }  # fmt: skip
        fleet = read_fleet({"corpus": {"ansible_host": "192.0.2.1"}}, {"corpus": document}, SERVERS)
        plan = make_plan(campaign, fleet, campaign.phases[0].start_at - timedelta(hours=1), SERVERS)
        refused = {site for finding in plan.findings if finding.severity == "error" for site in finding.sites}
        others = {f.code for f in plan.findings if f.severity == "error" and not f.sites}
        assert others <= {"sites-not-held", "not-hooked"}
        assert refused <= {*names, "control.example"}, "the control's site has what http says, as all others"
        return fleet.hosts[0].servers[0], refused & set(names)

    def strike(self, names: list[str], facts: ServerFacts, refused: set[str], mode: Mode) -> Picket:
        """The campaign over what is accepted."""
        kinds = tuple(
            Kind(
                "nginx", name, "", "", () if name in refused else (name,), (Ask("http", name),), (), None, ""
            )
            for name in names
        )
        return picket(replace(self.server, kinds=kinds), known=facts, mode=mode)


def assert_same(state: str, usual: Answers, now: Answers, case: Made) -> None:
    """Byte for byte."""
    wrong = [f"{n} {c}: {usual[n, c]} != {wire}" for (n, c), wire in now.items() if wire != usual[n, c]]
    assert not wrong, f"{state}: {wrong[0]}\n{case}"


def reload(server: Server) -> None:
    """Have the running nginx read its files again, until only a new worker is there.

    Raises:
        TimeoutError: it does not.
    """
    master = _master(server)
    old = _workers(master)
    os.kill(master, signal.SIGHUP)
    deadline = time.monotonic() + _RELOADED_S
    while time.monotonic() < deadline:
        if (now := _workers(master)) and not now & old:
            return
        time.sleep(0.005)
    raise TimeoutError(server.errors()[-2000:])


def _master(server: Server) -> int:
    root = str(server.chroot.root)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _title(int(folder.name)).startswith("nginx: master"):
            try:
                if str((folder / "root").readlink()) == root:
                    return int(folder.name)
            except OSError:
                continue
    raise LookupError(root)


def _workers(master: int) -> set[int]:
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return {int(pid) for pid in children if _title(int(pid)).startswith("nginx: worker")}


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize(
    "examples", [pytest.param(15, id="some"), pytest.param(500, id="all", marks=pytest.mark.long)]
)
def test_every_site_of_configurations_made_at_random(
    examples: int, planted: Planter, application: int, seed: int
) -> None:
    """0 differences while staged and armed, and in the window exactly our answers for what the plan accepts."""
    server = planted("nginx", "static", more_modules=MODULES)
    course = Course(
        server, {mode: picket(server, mode=mode).campaign for mode in MODES}, f"127.0.0.1:{application}"
    )
    server.chroot.write("/etc/pam.d/nginx", b"auth required pam_deny.so\naccount required pam_deny.so\n")
    course.plant(Made((), ((),), ()), ["site0.example"])

    @settings(max_examples=examples, print_blob=False, suppress_health_check=list(HealthCheck))
    @given(made())
    def check(case: Made) -> None:
        course.check(case)

    with server.serving():
        check()
    counted = course.counted
    row = {"seed": seed, "examples": counted.examples, "sites": counted.sites.total()}
    note("random_nginx", **row, accepted=counted.sites["accepted"], requests=counted.requests, differences=0)
    assert counted.examples >= examples
    assert counted.sites["accepted"] > counted.sites["refused"]
    assert counted.ways["include"] and counted.ways["lua"]
