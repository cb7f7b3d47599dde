# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration that its owner cannot load any more: every way out keeps its promise, and we say whose fault it is.

A module of another build, a name that no name server knows, a file that is missing: the server's own test fails, so
that nothing can be reloaded. Real servers, on both sides.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from piquet.host.outcome import Outcome
from piquet.host.servers import web_server
from tests.host.builds import NGINX_MODULES, other_apache_build, other_nginx, other_nginx_build
from tests.host.folder_host import SITES, FolderHost
from tests.host.owners_names import NO_NAME
from tests.host.printed_line import paper

SILENT = "127.0.0.91"
BROKEN, KEPT = "configuration-broken", "not-reloaded"
Break = Callable[[FolderHost], str]


def other_build(host: FolderHost) -> str:
    """The distribution's upgrade has come for the server and not for the module, or the other way round."""
    host.conf.write_text(f"load_module {other_nginx_build(host.root)};\n{host.conf.read_text()}")
    return f"{host.conf}:1"


def no_name(host: FolderHost) -> str:
    """The site's own upstream, by a name that nobody knows any more."""
    path = host.root / "etc/nginx/sites-available" / SITES[0]
    path.write_text(path.read_text().replace("return 200 'www.a.test';", f"proxy_pass http://{NO_NAME};"))
    path.write_text(
        path.read_text().replace("proxy_pass", "location / { proxy_pass").replace(".invalid;", ".invalid; }")
    )
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if NO_NAME in text)
    return f"{host.root}/etc/nginx/sites-enabled/{SITES[0]}:{line}"


def no_module(host: FolderHost) -> str:
    """A package was removed."""
    host.conf.write_text(f"load_module {host.root}/none.so;\n{host.conf.read_text()}")
    return f"{host.conf}:1"


def no_certificate(host: FolderHost) -> str:
    """Somebody cleaned up; nginx tells of no line."""
    names = f"ssl_certificate {host.root}/none.pem; ssl_certificate_key {host.root}/none.pem;"
    text = f"server {{ listen 127.0.0.1:{host.apache_port} ssl; {names} }}\n"
    (host.root / "etc/nginx/conf.d/tls.conf").write_text(text)
    return f"{host.root}/none.pem"


def no_include(host: FolderHost) -> str:
    """A snippet that is gone."""
    path = host.root / "etc/nginx/conf.d/more.conf"
    path.write_text(f"include {host.root}/none.conf;\n")
    return f"{path}:1"


def by_paper(host: FolderHost) -> Outcome:
    """The printed line, and the look of the next minute."""
    paper(host)
    return host.reconcile()


def by_rollback(host: FolderHost) -> Outcome:
    """The agent's."""
    return host.ask("rollback")


def by_remove(host: FolderHost) -> Outcome:
    """All away."""
    return host.ask("remove")


def by_unhook(host: FolderHost) -> Outcome:
    """The lines out."""
    return host.ask("unhook")


WAYS = (by_paper, by_rollback, by_unhook, by_remove)
CASES = [
    pytest.param(
        kind,
        way,
        marks=[] if (kind, way) in ((other_build, by_remove), (no_name, by_rollback)) else [pytest.mark.long],
    )
    for kind in (other_build, no_name, no_module, no_certificate, no_include)
    for way in WAYS
]


@pytest.mark.parametrize(("happen", "way"), CASES)
def test_nothing_needs_the_owners_test(
    host: FolderHost, happen: Break, way: Callable[[FolderHost], Outcome]
) -> None:
    """Status names the owner's file; each way out ends it; remove takes all away, and the mended host is as before."""
    before, owner = host.tree(), {path: path.read_bytes() for path in files(host)}
    digest = host.arm()
    hooked = {path: path.read_bytes() for path in files(host)}
    place = happen(host)
    (told,) = (finding for finding in host.good("status").findings if finding.code == BROKEN)
    assert f": {place} is not ours." in told.message and told.severity == "warning"
    assert all(map(host.is_ours, SITES)), "what runs is not touched"
    outcome, file = way(host), place.partition(":")[0]
    assert outcome.is_ok, outcome.findings
    assert not any(map(host.is_ours, SITES)) and not host.paths.armed.exists()
    if way is by_remove:
        (kept,) = (finding for finding in outcome.findings if finding.code == KEPT)
        assert file in kept.message and "not ours" in kept.message and web_server.IN_MEMORY in kept.message
        assert outcome.message == "Removed: no file of piquet is left; nginx must be reloaded to forget it."
        assert not [
            path for path in files(host) if b"piquet" in path.read_bytes().replace(bytes(host.root), b"")
        ]
    elif way is not by_paper:
        assert any(file in finding.message for finding in outcome.findings)
    if way is by_rollback:
        refused = host.ask("arm", plan_digest=digest)
        assert file in next(finding for finding in refused.findings if finding.code == BROKEN).message
    for path in set(files(host)) | set(hooked):
        path.write_bytes(hooked[path]) if path in hooked else path.unlink()
    host.good("remove")
    assert {path: path.read_bytes() for path in files(host)} == owner
    host.machine().servers["nginx"].reload()
    assert host.answer().status == 200
    (host.root / "ngx_http_echo_module.so").unlink(missing_ok=True)
    assert host.tree() == before


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[FolderHost]:
    """A host whose nginx asks a name server that takes every question and never says anything."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((SILENT, 53))
    made = FolderHost(tmp_path)
    resolv, program = made.root / "resolv.conf", made.root / "usr/sbin/nginx"
    resolv.write_text(f"nameserver {SILENT}\noptions timeout:2 attempts:1\n")
    real = f'mount --bind {resolv} /etc/resolv.conf && exec {shutil.which("nginx")} "$@"'
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\nexec unshare --mount sh -c '{real}' nginx \"$@\"\n")
    program.chmod(0o755)
    made.command_nginx(str(program))
    made.start()
    yield made
    made.stop()
    silent.close()


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_a_name_server_that_never_answers(waiting: FolderHost, way: Callable[[FolderHost], Outcome]) -> None:
    """Sites are back before nginx's test, which waits for it, has failed; nothing waits without an end."""
    host = waiting
    host.arm()
    place = no_name(host)
    begun = time.monotonic()
    assert not host.machine().servers["nginx"].test().ok
    waited_s = time.monotonic() - begun
    assert waited_s > 1.5, "the name server answered"
    (told,) = (finding for finding in host.good("status").findings if finding.code == BROKEN)
    assert f": {place} is not ours." in told.message and "name server" in told.hint
    back: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        done = pool.submit(way, host)
        while not back and time.monotonic() - begun < 60:
            back += [time.monotonic() - begun] if not host.is_ours() else []
            time.sleep(0.05)
        outcome = done.result()
    assert outcome.is_ok, outcome.findings
    assert not any(map(host.is_ours, SITES)) and not host.paths.armed.exists()
    assert back and back[0] < waited_s, "it waited for the name server first"


def files(host: FolderHost) -> list[Path]:
    """The owner's, and what we put beside them."""
    found = (
        path for path in (host.root / "etc/nginx").rglob("*") if path.is_file() and not path.is_symlink()
    )
    return sorted(path for path in found if path.name != "00-piquet.conf")


def test_ours_is_called_ours(host: FolderHost) -> None:
    """A file of ours that nginx refuses: status says so, and remove cures it, with a reload."""
    before = host.tree()
    host.arm()
    host.paths.at("/etc/piquet/nginx/server/piquet.conf").write_text("nonsense;\n")
    (told,) = (finding for finding in host.ask("status").findings if finding.code == BROKEN)
    assert "piquet.conf:1 is ours." in told.message and "remove" in told.hint
    outcome = host.good("remove")
    assert outcome.message == "Removed: nothing of piquet is left." and host.tree() == before
    assert host.machine().servers["nginx"].test().ok and host.answer().status == 200


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderHost]:
    """A host whose nginx runs as another build, and may be upgraded under it."""
    made = FolderHost(tmp_path)
    program = other_nginx(made.root / "usr/sbin")
    made.command_nginx(str(program))
    monkeypatch.setattr(web_server, "RELOAD_TIMEOUT_S", 0.5)
    made.start()
    yield made
    made.stop()


def upgrade(host: FolderHost) -> None:
    """As dpkg does: the new file takes the name of the old one, which goes on running; a module comes with it."""
    program = Path(host.platform.packaged["nginx"].command[0])
    new = program.with_suffix(".dpkg-new")
    shutil.copy(shutil.which("nginx") or "", new)
    new.replace(program)
    host.conf.write_text(f"load_module {NGINX_MODULES}/ngx_http_echo_module.so;\n{host.conf.read_text()}")


@pytest.mark.parametrize("way", [by_remove, pytest.param(by_unhook, marks=pytest.mark.long)])
def test_an_upgrade_that_nobody_restarted(upgraded: FolderHost, way: Callable[[FolderHost], Outcome]) -> None:
    """The test passes, and what runs cannot take it up: our files go all the same, and a restart is asked for."""
    host = upgraded
    host.arm()
    upgrade(host)
    assert host.machine().servers["nginx"].test().ok and host.is_ours()
    outcome = way(host)
    assert outcome.is_ok, outcome.findings
    (told,) = (finding for finding in outcome.findings if finding.code == KEPT)
    assert web_server.IN_MEMORY in told.message and "restart" in told.hint
    assert not host.is_ours() and not host.paths.hooks.exists()
    assert not [path for path in files(host) if b"piquet hook" in path.read_bytes()]
    host.stop()
    master = host.machine().servers["nginx"].master()
    while master is not None and Path(f"/proc/{master.pid}").exists():
        time.sleep(0.05)
    host.start()
    assert host.answer().status == 200


def other_apache_module(host: FolderHost) -> str:
    """A module of another release."""
    host.apache_conf.write_text(
        f"LoadModule echo_module {other_apache_build(host.root)}\n{host.apache_conf.read_text()}"
    )
    return f"{host.apache_conf}:1"


def no_apache_certificate(host: FolderHost) -> str:
    """Somebody cleaned up."""
    path = host.root / "etc/apache2/conf-enabled/tls.conf"
    path.write_text(f"SSLEngine on\nSSLCertificateFile {host.root}/none.pem\n")
    return f"{path}:2"


@pytest.mark.parametrize(
    "happen", [pytest.param(other_apache_module, marks=pytest.mark.long), no_apache_certificate]
)
def test_an_apache_beside(host: FolderHost, happen: Break) -> None:
    """It runs, and refuses what is on disk: told with its place, and no reason to leave anything of ours there."""
    before = host.tree()
    subprocess.run([*host.platform.packaged["apache"].command], check=True)
    deadline = time.monotonic() + 10
    while not (host.root / "apache.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    host.arm()
    kept = host.apache_conf.read_bytes()
    place = happen(host)
    (told,) = (finding for finding in host.good("status").findings if finding.code == BROKEN)
    assert told.message == f"apache refuses its configuration as it is on disk: {place} is not ours."
    (said,) = (finding for finding in host.good("rollback").findings if finding.code == BROKEN)
    assert place in said.message and not host.is_ours()
    outcome = host.good("remove")
    (left,) = (finding for finding in outcome.findings if finding.code == KEPT)
    assert (left.subject, place in left.message) == ("apache", True)
    assert outcome.message == "Removed: no file of piquet is left; apache must be reloaded to forget it."
    host.apache_conf.write_bytes(kept)
    for name in ("mod_echo.so", "etc/apache2/conf-enabled/tls.conf"):
        (host.root / name).unlink(missing_ok=True)
    assert host.tree() == before
