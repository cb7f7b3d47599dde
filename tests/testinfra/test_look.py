# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a host: what is sent, what is read, and that the program on the host sees what verify sees."""

from __future__ import annotations

import ast
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import testinfra

from piquet.campaign.model import Campaign
from piquet.errors import HostError
from piquet.fleet.model import Fleet, Listen
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS
from piquet.verify.inside import ask
from piquet.verify.inside.local import local_jobs, local_targets
from piquet.verify.inside.look import MAX_ARGUMENT_BYTES, Order, _parts, look_at_host
from piquet.verify.observation import UNKNOWN_SITE, Inquiry, Reply, Target
from piquet.verify.outside.probe import Prober
from piquet.verify.questions import FRONT, usual_questions
from tests.ports import free_ports
from tests.unit.samples import AT
from tests.verify.conftest import make_campaign
from tests.verify.servers import Server, make_authority, start_nginx
from tests.verify.surveyed import host, site

NAMES = ("a.example.org", "b.example.org")
_SITE = """server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl; server_name {name};
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; return 200 "{name}"; }}
"""
NOTHING = Order("/nonexistent/agent", "# piquet hook", (), (), {}, {})


@pytest.fixture
def ahead() -> Campaign:
    """A campaign that has not begun."""
    return make_campaign(AT)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A private nginx with two sites at two doors."""
    tmp_path.chmod(0o755)
    make_authority(tmp_path, list(NAMES))
    ports = free_ports(2)
    blocks = [_SITE.format(name=name, port=ports[0], tls=ports[1], folder=tmp_path) for name in NAMES]
    running = start_nginx(tmp_path, "".join(blocks), ports)
    yield running
    running.stop()


def jobs_of(server: Server, campaign: Campaign) -> tuple[Inquiry, ...]:
    """Both sites at both doors, and a door where nobody listens."""
    doors = [(server.port, False), (server.tls_port, True)]
    targets = [Target("here", "127.0.0.1", port, tls, name, name) for name in NAMES for port, tls in doors]
    dead = Target("here", "127.0.0.1", free_ports(1)[0], False, "dead.example.org", "dead.example.org")
    return tuple(Inquiry(target, usual_questions(campaign, None)) for target in (*targets, dead))


def essence(replies: tuple[Reply, ...]) -> list[tuple[object, ...]]:
    """What a site said, without the times; of an error its kind."""
    seen = [reply.observation for reply in replies]
    left_out = ("date", "connection")
    return [
        (
            o.status,
            o.sha256,
            o.size,
            o.error.partition(":")[0],
            tuple(h for h in o.headers if h[0] not in left_out),
        )
        for o in seen
    ]


def test_it_sees_what_verify_sees(server: Server, ahead: Campaign) -> None:
    """By testinfra's `local` way: the same answers as the prober's, over plain HTTP, over TLS, and from nobody."""
    jobs = jobs_of(server, ahead)
    found = look_at_host(testinfra.get_host("local://"), "here", sys.executable, jobs, NOTHING)

    async def prober() -> tuple[Reply, ...]:
        async with Prober() as prober:
            pairs = [(job.target, question) for job in jobs for question in job.questions]
            return tuple([Reply(*pair, await prober.ask(*pair)) for pair in pairs])

    expected = asyncio.run(prober())
    assert [reply.target for reply in expected] == [reply.target for reply in found.replies]
    assert essence(expected) == essence(found.replies)
    assert {200, None} == {reply.observation.status for reply in found.replies}
    assert found.state == "absent"


def test_names_never_reach_a_shell(tmp_path: Path) -> None:
    """A hostile path or name travels as bytes, and does nothing on its way."""
    bait = tmp_path / "bait"
    evil = f"x'; touch {bait}; echo '%s $(touch {bait}) `touch {bait}`"
    target = Target("here", "127.0.0.1", free_ports(1)[0], False, evil, evil)
    order = Order("/nonexistent", "x", (evil,), (evil, str(tmp_path)), {}, {"nginx": (evil,)})
    found = look_at_host(
        testinfra.get_host("local://"), "here", sys.executable, (Inquiry(target, (FRONT,)),), order
    )
    assert found.machine["left"] == [str(tmp_path)]
    assert found.machine["files"] == {evil: None}
    assert found.replies[0].observation.error
    assert not bait.exists()


def test_a_log_is_made_printable(tmp_path: Path) -> None:
    """What a visitor wrote into the owner's log is shown, and not obeyed by a terminal."""
    log = tmp_path / "error.log"
    log.write_bytes(b"first\n" * 20 + b"\x1b[2Jlast \xff\n")
    order = Order("/nonexistent", "x", (), (), {}, {"nginx": (str(log),)})
    found = look_at_host(testinfra.get_host("local://"), "here", sys.executable, (), order)
    assert found.logs[str(log)][-2:] == ["first", "\\x1b[2Jlast \ufffd"]


def test_a_host_that_gives_no_answer() -> None:
    """A Python that is not there, or not one, is told with what was said and a hint."""
    with pytest.raises(
        HostError, match=r"(?s)here gave no answer.*nonexistent.*hint: is /nonexistent/python"
    ):
        look_at_host(testinfra.get_host("local://"), "here", "/nonexistent/python", (), NOTHING)


def test_many_sites_go_in_pieces_that_a_kernel_takes(ahead: Campaign) -> None:
    """However many names: every argument is short enough, every job is sent once, the rest of the order too."""
    chance = Random(1)
    names = [f"{chance.randbytes(20).hex()}.example.org" for _ in range(9000)]
    jobs = [Inquiry(Target("here", "127.0.0.1", 80, False, name, name), (FRONT,)) for name in names]
    parts = _parts(jobs, {**vars(NOTHING), "logs": []})
    assert len(parts) > 1
    assert max(len(part.text) for part in parts) <= MAX_ARGUMENT_BYTES
    assert jobs == [job for part in parts for job in part.jobs]


def test_doors_as_the_host_itself_reaches_them(ahead: Campaign) -> None:
    """Wildcards at loopback, addresses of their own as they are, IPv6 alone at ::1, a Unix socket not at all."""
    sites = (
        site("any.example.org", Listen("0.0.0.0", 80, False), Listen("::", 80, False)),
        site("lone.example.org", Listen("192.0.2.77", 8080, False), Listen("127.0.0.1", 81, False)),
        site("six.example.org", Listen("::", 8443, True)),
        site("unix.example.org", Listen("unix:/run/x.sock", 0, False)),
    )
    web1 = host(*sites)
    plan = make_plan(ahead, Fleet((web1,)), AT, SERVERS)
    targets, lost = local_targets(plan, web1, plan.hosts[0])
    doors = [(t.site, t.address, t.port) for t in targets if t.site != UNKNOWN_SITE]
    assert sorted(doors) == [
        ("any.example.org", "127.0.0.1", 80),
        ("lone.example.org", "127.0.0.1", 81),
        ("lone.example.org", "192.0.2.77", 8080),
        ("six.example.org", "::1", 8443),
    ]
    assert [one.site for one in lost] == ["unix.example.org"]
    questions = {job.target.site: len(job.questions) for job in reversed(local_jobs(targets))}
    assert questions == {UNKNOWN_SITE: 1, **{name: 3 for name, *_ in doors}}


def test_the_program_is_old_and_plain_python() -> None:
    """Python 3.8 can parse it, and it imports nothing but the standard library."""
    tree = ast.parse(Path(ask.__file__).read_text("utf-8"), feature_version=(3, 8))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names} == set()
