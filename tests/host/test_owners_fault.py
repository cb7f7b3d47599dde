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
from tests.host.box import SITES, Box
from tests.host.builds import NGINX_MODULES, other_apache_build, other_nginx, other_nginx_build
from tests.host.owners_names import NO_NAME
from tests.host.printed_line import paper

SILENT = "127.0.0.91"
BROKEN, KEPT = "configuration-broken", "not-reloaded"
Break = Callable[[Box], str]


def other_build(box: Box) -> str:
    """The distribution's upgrade has come for the server and not for the module, or the other way round."""
    box.conf.write_text(f"load_module {other_nginx_build(box.root)};\n{box.conf.read_text()}")
    return f"{box.conf}:1"


def no_name(box: Box) -> str:
    """The site's own upstream, by a name that nobody knows any more."""
    path = box.root / "etc/nginx/sites-available" / SITES[0]
    path.write_text(path.read_text().replace("return 200 'www.a.test';", f"proxy_pass http://{NO_NAME};"))
    path.write_text(
        path.read_text().replace("proxy_pass", "location / { proxy_pass").replace(".invalid;", ".invalid; }")
    )
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if NO_NAME in text)
    return f"{box.root}/etc/nginx/sites-enabled/{SITES[0]}:{line}"


def no_module(box: Box) -> str:
    """A package was removed."""
    box.conf.write_text(f"load_module {box.root}/none.so;\n{box.conf.read_text()}")
    return f"{box.conf}:1"


def no_certificate(box: Box) -> str:
    """Somebody cleaned up; nginx tells of no line."""
    names = f"ssl_certificate {box.root}/none.pem; ssl_certificate_key {box.root}/none.pem;"
    text = f"server {{ listen 127.0.0.1:{box.apache_port} ssl; {names} }}\n"
    (box.root / "etc/nginx/conf.d/tls.conf").write_text(text)
    return f"{box.root}/none.pem"


def no_include(box: Box) -> str:
    """A snippet that is gone."""
    path = box.root / "etc/nginx/conf.d/more.conf"
    path.write_text(f"include {box.root}/none.conf;\n")
    return f"{path}:1"


def by_paper(box: Box) -> Outcome:
    """The printed line, and the look of the next minute."""
    paper(box)
    return box.reconcile()


def by_rollback(box: Box) -> Outcome:
    """The agent's."""
    return box.ask("rollback")


def by_remove(box: Box) -> Outcome:
    """All away."""
    return box.ask("remove")


def by_unhook(box: Box) -> Outcome:
    """The lines out."""
    return box.ask("unhook")


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
def test_nothing_needs_the_owners_test(box: Box, happen: Break, way: Callable[[Box], Outcome]) -> None:
    """Status names the owner's file; each way out ends it; remove takes all away, and the mended host is as before."""
    before, owner = box.tree(), {path: path.read_bytes() for path in files(box)}
    digest = box.arm()
    hooked = {path: path.read_bytes() for path in files(box)}
    place = happen(box)
    (told,) = (finding for finding in box.good("status").findings if finding.code == BROKEN)
    assert f": {place} is not ours." in told.message and told.severity == "warning"
    assert all(map(box.is_ours, SITES)), "what runs is not touched"
    outcome, file = way(box), place.partition(":")[0]
    assert outcome.is_ok, outcome.findings
    assert not any(map(box.is_ours, SITES)) and not box.paths.armed.exists()
    if way is by_remove:
        (kept,) = (finding for finding in outcome.findings if finding.code == KEPT)
        assert file in kept.message and "not ours" in kept.message and web_server.IN_MEMORY in kept.message
        assert outcome.message == "Removed: no file of piquet is left; nginx must be reloaded to forget it."
        assert not [
            path for path in files(box) if b"piquet" in path.read_bytes().replace(bytes(box.root), b"")
        ]
    elif way is not by_paper:
        assert any(file in finding.message for finding in outcome.findings)
    if way is by_rollback:
        refused = box.ask("arm", plan_digest=digest)
        assert file in next(finding for finding in refused.findings if finding.code == BROKEN).message
    for path in set(files(box)) | set(hooked):
        path.write_bytes(hooked[path]) if path in hooked else path.unlink()
    box.good("remove")
    assert {path: path.read_bytes() for path in files(box)} == owner
    box.machine().servers["nginx"].reload()
    assert box.answer().status == 200
    (box.root / "ngx_http_echo_module.so").unlink(missing_ok=True)
    assert box.tree() == before


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Box]:
    """A box whose nginx asks a name server that takes every question and never says anything."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((SILENT, 53))
    made = Box(tmp_path)
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
def test_a_name_server_that_never_answers(waiting: Box, way: Callable[[Box], Outcome]) -> None:
    """Sites are back before nginx's test, which waits for it, has failed; nothing waits without an end."""
    box = waiting
    box.arm()
    place = no_name(box)
    begun = time.monotonic()
    assert not box.machine().servers["nginx"].test().ok
    waited_s = time.monotonic() - begun
    assert waited_s > 1.5, "the name server answered"
    (told,) = (finding for finding in box.good("status").findings if finding.code == BROKEN)
    assert f": {place} is not ours." in told.message and "name server" in told.hint
    back: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        done = pool.submit(way, box)
        while not back and time.monotonic() - begun < 60:
            back += [time.monotonic() - begun] if not box.is_ours() else []
            time.sleep(0.05)
        outcome = done.result()
    assert outcome.is_ok, outcome.findings
    assert not any(map(box.is_ours, SITES)) and not box.paths.armed.exists()
    assert back and back[0] < waited_s, "it waited for the name server first"


def files(box: Box) -> list[Path]:
    """The owner's, and what we put beside them."""
    found = (path for path in (box.root / "etc/nginx").rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in found if path.name != "00-piquet.conf")


def test_ours_is_called_ours(box: Box) -> None:
    """A file of ours that nginx refuses: status says so, and remove cures it, with a reload."""
    before = box.tree()
    box.arm()
    box.paths.at("/etc/piquet/nginx/server/piquet.conf").write_text("nonsense;\n")
    (told,) = (finding for finding in box.ask("status").findings if finding.code == BROKEN)
    assert "piquet.conf:1 is ours." in told.message and "remove" in told.hint
    outcome = box.good("remove")
    assert outcome.message == "Removed: nothing of piquet is left." and box.tree() == before
    assert box.machine().servers["nginx"].test().ok and box.answer().status == 200


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """A box whose nginx runs as another build, and may be upgraded under it."""
    made = Box(tmp_path)
    program = other_nginx(made.root / "usr/sbin")
    made.command_nginx(str(program))
    monkeypatch.setattr(web_server, "RELOAD_TIMEOUT_S", 0.5)
    made.start()
    yield made
    made.stop()


def upgrade(box: Box) -> None:
    """As dpkg does: the new file takes the name of the old one, which goes on running; a module comes with it."""
    program = Path(box.platform.packaged["nginx"].command[0])
    new = program.with_suffix(".dpkg-new")
    shutil.copy(shutil.which("nginx") or "", new)
    new.replace(program)
    box.conf.write_text(f"load_module {NGINX_MODULES}/ngx_http_echo_module.so;\n{box.conf.read_text()}")


@pytest.mark.parametrize("way", [by_remove, pytest.param(by_unhook, marks=pytest.mark.long)])
def test_an_upgrade_that_nobody_restarted(upgraded: Box, way: Callable[[Box], Outcome]) -> None:
    """The test passes, and what runs cannot take it up: our files go all the same, and a restart is asked for."""
    box = upgraded
    box.arm()
    upgrade(box)
    assert box.machine().servers["nginx"].test().ok and box.is_ours()
    outcome = way(box)
    assert outcome.is_ok, outcome.findings
    (told,) = (finding for finding in outcome.findings if finding.code == KEPT)
    assert web_server.IN_MEMORY in told.message and "restart" in told.hint
    assert not box.is_ours() and not box.paths.hooks.exists()
    assert not [path for path in files(box) if b"piquet hook" in path.read_bytes()]
    box.stop()
    master = box.machine().servers["nginx"].master()
    while master is not None and Path(f"/proc/{master.pid}").exists():
        time.sleep(0.05)
    box.start()
    assert box.answer().status == 200


def other_apache_module(box: Box) -> str:
    """A module of another release."""
    box.apache_conf.write_text(
        f"LoadModule echo_module {other_apache_build(box.root)}\n{box.apache_conf.read_text()}"
    )
    return f"{box.apache_conf}:1"


def no_apache_certificate(box: Box) -> str:
    """Somebody cleaned up."""
    path = box.root / "etc/apache2/conf-enabled/tls.conf"
    path.write_text(f"SSLEngine on\nSSLCertificateFile {box.root}/none.pem\n")
    return f"{path}:2"


@pytest.mark.parametrize(
    "happen", [pytest.param(other_apache_module, marks=pytest.mark.long), no_apache_certificate]
)
def test_an_apache_beside(box: Box, happen: Break) -> None:
    """It runs, and refuses what is on disk: told with its place, and no reason to leave anything of ours there."""
    before = box.tree()
    subprocess.run([*box.platform.packaged["apache"].command], check=True)
    deadline = time.monotonic() + 10
    while not (box.root / "apache.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    box.arm()
    kept = box.apache_conf.read_bytes()
    place = happen(box)
    (told,) = (finding for finding in box.good("status").findings if finding.code == BROKEN)
    assert told.message == f"apache refuses its configuration as it is on disk: {place} is not ours."
    (said,) = (finding for finding in box.good("rollback").findings if finding.code == BROKEN)
    assert place in said.message and not box.is_ours()
    outcome = box.good("remove")
    (left,) = (finding for finding in outcome.findings if finding.code == KEPT)
    assert (left.subject, place in left.message) == ("apache", True)
    assert outcome.message == "Removed: no file of piquet is left; apache must be reloaded to forget it."
    box.apache_conf.write_bytes(kept)
    for name in ("mod_echo.so", "etc/apache2/conf-enabled/tls.conf"):
        (box.root / name).unlink(missing_ok=True)
    assert box.tree() == before
