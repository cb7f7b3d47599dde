# SPDX-License-Identifier: GPL-3.0-or-later
"""certbot and its nginx plugin, for real, on a host that is staged or armed: it rewrites the blocks that we hooked."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from piquet.host.servers import probe
from piquet.host.state import flags
from tests.host.folder_host import DROPIN, SITES, FolderHost
from tests.host.hook_looks import two_looks
from tests.ports import free_ports

FIRST, OTHER = SITES
PYTHON = "/usr/bin/python3"
"""The distribution's, for which the package is."""
LINE = b"# piquet hook"
ONE_BLOCK = """server {
	listen 127.0.0.1:PORT;
	server_name www.a.test;
	location / { return 200 usual; }
}
"""
TWO_BLOCKS = f"""{ONE_BLOCK}
server {{
	listen 127.0.0.1:TLS ssl;
	server_name www.a.test;
	ssl_certificate ROOT/c.pem;
	ssl_certificate_key ROOT/k.pem;
	location / {{ return 200 usual; }}
}}
"""


class Certified:
    """A host with a certificate, whose first site certbot may take."""

    def __init__(self, host: FolderHost, text: str) -> None:
        self.host = host
        (self.tls_port,) = free_ports(1)
        self.file = host.root / "etc/nginx/sites-available" / FIRST
        for word, value in {"PORT": host.port, "TLS": self.tls_port, "ROOT": host.root}.items():
            text = text.replace(word, str(value))
        self.file.write_text(text)
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                ),
                *("-keyout", host.root / "k.pem", "-out", host.root / "c.pem", "-subj", f"/CN={FIRST}"),
                *("-addext", f"subjectAltName=DNS:{FIRST}"),
            ],
            check=True,
            capture_output=True,
        )
        host.machine().servers["nginx"].reload()

    def command(self, verb: str, *words: str) -> list[str]:
        """One call of certbot; it finds everything below the host."""
        root = self.host.root
        places = {
            "--nginx-server-root": root / "etc/nginx",
            "--config-dir": root / "certbot/etc",
            "--work-dir": root / "certbot/lib",
            "--logs-dir": root / "certbot/log",
            "--https-port": self.tls_port,
            "--http-01-port": self.host.port,
            "--nginx-sleep-seconds": 0,
        }
        more = [str(part) for pair in places.items() for part in pair]
        program = Path(__file__).with_name("renewal.py")
        return [PYTHON, str(program), str(self.host.port), verb, *more, "--non-interactive", *words]

    def certbot(self, verb: str, *words: str) -> None:
        """It ends well."""
        done = subprocess.run(self.command(verb, *words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.host.machine().servers["nginx"].reload()  # it has done so, without waiting for the workers

    def install(self, *words: str) -> None:
        """What `certbot --nginx` does once it has a certificate."""
        pems = {"--cert-path": "c.pem", "--fullchain-path": "c.pem", "--key-path": "k.pem"}
        paths = [str(part) for option, name in pems.items() for part in (option, self.host.root / name)]
        self.certbot("install", "--nginx", *paths, "-d", FIRST, *words)

    @contextlib.contextmanager
    def challenge(self) -> Iterator[None]:
        """While it stands."""
        command = self.command("renew", "--nginx", "-d", FIRST)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdin is not None and running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            self.host.machine().servers["nginx"].reload()
            yield
            running.communicate("\n", timeout=60)
        assert running.returncode == 0
        self.host.machine().servers["nginx"].reload()

    def answers(self) -> tuple[int, int]:
        """By http and https."""
        https = {**self.host.target(FIRST), "port": self.tls_port, "tls": True}
        return self.host.answer().status, probe.probe(https).status

    def lines(self) -> int:
        """Of ours in the file."""
        return self.file.read_bytes().count(LINE)

    def without_ours(self) -> bytes:
        """What certbot and the owner wrote."""
        return b"".join(line for line in self.file.read_bytes().splitlines(True) if LINE not in line)

    def codes(self) -> list[str]:
        """What status says."""
        return [finding.code for finding in self.host.ask("status").findings]


def up(host: FolderHost) -> frozenset[str]:
    """Keys whose flag is up."""
    return flags.up(host.paths) or frozenset()


SHAPES = {
    "split": (ONE_BLOCK, ["--redirect"], 1, (301, 503), "hook-missing"),
    "copied": (ONE_BLOCK, ["--no-redirect", "--hsts"], 2, (503, 503), ""),
    "copied and behind": (ONE_BLOCK, ["--redirect", "--hsts"], 2, (301, 503), "hook-not-first"),
    "behind": (TWO_BLOCKS, ["--redirect"], 2, (301, 503), "hook-not-first"),
    "only certificates": (TWO_BLOCKS, ["--no-redirect"], 2, (503, 503), ""),
}
"""What certbot finds and is told; then how many lines of ours there are, what http and https answer, what we say."""


@pytest.mark.parametrize(
    "shape", [pytest.param(s, marks=[] if s == "behind" else [pytest.mark.long]) for s in SHAPES]
)
def test_a_first_certificate_on_an_armed_host(host: FolderHost, shape: str) -> None:
    """What it does to our line is told; no look takes it for a stop; hook mends it and shows nothing by itself."""
    text, words, lines, answers, code = SHAPES[shape]
    site = Certified(host, text)
    digest = host.arm()
    site.install(*words)
    certbots = site.without_ours()
    assert (site.lines(), site.answers()) == (lines, answers)
    assert site.codes() == ([code] if code else [])
    assert code in {finding.code for finding in host.reconcile().findings} | {""}
    two_looks(host)
    assert up(host) == set(SITES) and (not code or code in host.journal())
    assert host.hook().is_changed is bool(code)
    if code:
        assert up(host) == {OTHER} and 503 not in site.answers(), "nothing new goes on strike without an arm"
        host.good("arm", plan_digest=digest)
    assert (site.lines(), site.answers(), site.codes()) == (2, (503, 503), [])
    assert site.without_ours() == certbots
    host.good("remove")
    assert site.file.read_bytes() == certbots and 503 not in site.answers()


@pytest.mark.long
@pytest.mark.parametrize("shape", SHAPES)
def test_certbot_writes_what_it_would_without_us(
    host: FolderHost, tmp_path_factory: pytest.TempPathFactory, shape: str
) -> None:
    """Byte for byte the same as on a host that has never seen us, after remove."""
    text, words, *_ = SHAPES[shape]
    other = FolderHost(tmp_path_factory.mktemp("other"))
    other.start()
    try:
        there = Certified(other, text)
        there.install(*words)
        alone = there.file.read_text()
    finally:
        other.stop()
    here = Certified(host, text)
    host.hook()
    host.stage()
    here.install(*words)
    host.good("remove")
    for was, now in ((other.root, host.root), (other.port, host.port), (there.tls_port, here.tls_port)):
        alone = alone.replace(str(was), str(now))
    assert here.file.read_text() == alone


@pytest.mark.long
def test_between_stage_and_arm(host: FolderHost) -> None:
    """Arm refuses and names the block; after hook it goes, and both answers are ours."""
    site = Certified(host, ONE_BLOCK)
    host.hook()
    digest = host.stage()
    site.install("--redirect")
    assert "hook-missing" in site.codes()
    refused = host.ask("arm", plan_digest=digest)
    (told,) = (finding for finding in refused.findings if finding.code == "not-hooked")
    assert told.subject.startswith(f"{site.file}:") and not host.paths.armed.exists()
    host.hook()
    host.good("arm", plan_digest=digest)
    assert site.answers() == (503, 503)


@pytest.mark.long
@pytest.mark.parametrize("is_armed", [False, True])
def test_a_renewal(host: FolderHost, is_armed: bool) -> None:
    """A challenge that stands can be fetched and stops nobody; afterwards each file is as it was, with our line."""
    site = Certified(host, TWO_BLOCKS)
    host.hook()
    digest = host.stage()
    if is_armed:
        host.good("arm", plan_digest=digest)
    before = {path: path.read_bytes() for path in (host.root / "etc/nginx").rglob("*") if path.is_file()}
    with site.challenge():
        assert before != {path: path.read_bytes() for path in before}
        token = "dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHQ"
        answer = probe.probe(host.target(FIRST), f"/.well-known/acme-challenge/{token}")
        assert (answer.status, answer.mark) == (200, None)
        two_looks(host)
    assert before == {path: path.read_bytes() for path in before}
    two_looks(host)
    assert site.codes() == [] and site.answers() == ((503, 503) if is_armed else (200, 200))
    assert up(host) == (set(SITES) if is_armed else set())


@pytest.mark.long
def test_certbots_own_rollback_of_an_armed_host(host: FolderHost) -> None:
    """It has copies of all that nginx read, ours too; they are what lies there, so that nothing changes for us."""
    site = Certified(host, ONE_BLOCK)
    host.arm()
    hooked = site.file.read_bytes()
    site.install("--redirect")
    site.certbot("rollback", "--installer", "nginx", "--checkpoints", "2")
    assert site.file.read_bytes() == hooked and site.codes() == []
    two_looks(host)
    assert up(host) == set(SITES) and host.is_ours() and host.is_ours(OTHER)


@pytest.mark.long
def test_certbots_own_rollback_after_remove(host: FolderHost) -> None:
    """It stops in the middle, where our folders are gone; what it put back is inert, and remove takes it away again."""
    site = Certified(host, ONE_BLOCK)
    before, owners = host.tree(), site.file.read_bytes()
    host.arm()
    site.install("--redirect")
    host.good("remove")
    with pytest.raises(AssertionError, match="Unable to load checkpoint"):
        site.certbot("rollback", "--installer", "nginx", "--checkpoints", "1")
    put_back(host)
    assert site.lines() == 1 and host.paths.at(DROPIN).exists()
    assert host.machine().servers["nginx"].test().ok
    host.machine().servers["nginx"].reload()
    assert not any(host.is_ours(name) for name in SITES) and host.answer().status == 200
    assert host.good("remove").is_changed
    assert site.lines() == 0 and site.file.read_bytes() == owners
    assert not [name for name in host.tree().keys() - before.keys() if not name.startswith("certbot/")]


def put_back(host: FolderHost) -> None:
    """As far as it may get: the order of files in a copy of certbot's is another one each time."""
    for names in sorted((host.root / "certbot/lib/backups").glob("*/FILEPATHS"), reverse=True):
        for number, name in enumerate(names.read_text().splitlines()):
            if Path(name).parent.is_dir():
                shutil.copy2(names.parent / f"{Path(name).name}_{number}", name)
