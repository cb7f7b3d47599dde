# SPDX-License-Identifier: GPL-3.0-or-later
"""Arming asks every server whether it sees what this host does: a real nginx, with and without a `/run` of its own."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from piquet.host import proof, proof_causes
from piquet.host.outcome import Outcome
from piquet.host.servers import probe
from piquet.host.state import boundaries, manifest
from piquet.host.state.manifest import Manifest, StagedEntry
from piquet.host.system import selinux
from piquet.protocol.findings import Finding
from piquet.protocol.http import PROOF_PREFIX, PROOF_WORD
from tests.corpus.servers import make_certificate
from tests.host.folder_host import HOUR_S, SITES, FolderHost
from tests.host.reconciling import without_hooks
from tests.ports import free_ports


def faulty(outcome: Outcome) -> Finding:
    """The one refusal."""
    (found,) = [finding for finding in outcome.findings if finding.severity == "error"]
    assert found.code == "not-proved"
    return found


def own_run(host: FolderHost) -> None:
    """nginx is started anew with a folder of its own over ours, as a unit with TemporaryFileSystem= does."""
    host.stop()
    while host.machine().servers["nginx"].is_running():
        time.sleep(0.05)
    host.paths.run.mkdir(exist_ok=True)
    mounted = f'mount -t tmpfs none "{host.paths.run}" && exec "$@"'
    subprocess.run(
        ["unshare", "--mount", "sh", "-ec", mounted, "sh", *host.platform.packaged["nginx"].command],
        check=True,
    )
    deadline = time.monotonic() + 10
    while host.answer().is_unasked:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_agents_words_are_those_of_the_table() -> None:
    """What the agent asks is what the configuration answers."""
    assert re.fullmatch(PROOF_WORD, proof.word())


@pytest.mark.parametrize("options", [{}, {"only_check": True}, {"check": True}], ids=["arm", "only", "check"])
def test_a_server_with_a_run_of_its_own_is_not_armed(host: FolderHost, options: dict[str, Any]) -> None:
    """It would show nothing; refused with the cause, and nothing is left of the question."""
    host.hook()
    digest = host.stage(start=HOUR_S, end=2 * HOUR_S)
    own_run(host)
    before = host.tree()
    os.utime(host.paths.run, (1, 1))
    found = faulty(host.ask("arm", plan_digest=digest, **options))
    assert host.paths.run.stat().st_mtime == 1
    assert "mount namespace of its own" in found.message and str(host.paths.proof) in found.message
    assert found.got == f"{SITES[0]}: 200; {SITES[1]}: 200"
    assert host.tree() == before and not host.paths.armed.exists()
    host.stop()
    while host.machine().servers["nginx"].is_running():
        time.sleep(0.05)
    host.start()
    assert host.good("arm", plan_digest=digest, **options).is_ok


def test_what_runs_is_asked_and_not_what_is_on_disk(host: FolderHost) -> None:
    """A hook that is there, and that nobody loaded: the sites answer, and that is said."""
    host.hook()
    digest = host.stage(start=HOUR_S, end=2 * HOUR_S)
    for path, text in without_hooks(host, *SITES).items():
        path.write_text(text)
    assert "its sites answer before ours" in faulty(host.ask("arm", plan_digest=digest)).message
    host.machine().servers["nginx"].reload()
    host.good("arm", plan_digest=digest)


def test_one_site_that_shows_it_is_enough(host: FolderHost) -> None:
    """A site with a mind of its own keeps no fleet from striking."""
    host.hook()
    digest = host.stage(start=HOUR_S, end=2 * HOUR_S)
    for path, text in without_hooks(host, SITES[0]).items():
        path.write_text(text)
    host.good("arm", plan_digest=digest)


def test_who_answers_everything_alike_proves_nothing(host: FolderHost) -> None:
    """204 with our header, whatever is asked: told apart by a name of which there is no file."""
    host.hook()
    digest = host.stage(start=HOUR_S, end=2 * HOUR_S)
    hooked = without_hooks(host, *SITES)
    for path in hooked:
        path.write_text(
            path.read_text().replace("return ", "add_header X-Piquet test/proof; return 204; return ")
        )
    host.machine().servers["nginx"].reload()
    for path, text in hooked.items():
        path.write_text(text)
    found = faulty(host.ask("arm", plan_digest=digest))
    assert "carries our header without being ours" in found.message


def test_inside_a_window_that_nobody_armed_it_is_shown_too(host: FolderHost) -> None:
    """Arming late works as arming in time."""
    host.hook()
    digest = host.stage(start=-60)
    host.good("arm", plan_digest=digest)
    assert host.is_ours()


def test_the_file_is_there_for_one_question(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that nobody can list, and gone whatever happens, with every folder that was made for it."""
    seen: list[Any] = []

    def fails(target: object, path: str, *_: object) -> probe.ProbeAnswer:
        (file,) = host.paths.proof.iterdir()
        modes = [stat.S_IMODE(entry.lstat().st_mode) for entry in (host.paths.proof, file)]
        seen.append((path == PROOF_PREFIX + file.name, modes))
        raise KeyboardInterrupt

    host.hook()
    digest = host.stage(start=HOUR_S, end=2 * HOUR_S)
    monkeypatch.setattr(probe, "probe", fails)
    with pytest.raises(KeyboardInterrupt):
        host.ask("arm", plan_digest=digest)
    assert seen == [(True, [0o711, 0o644])]
    assert not host.paths.run.exists()


def test_what_a_death_has_left_is_swept(host: FolderHost, tmp_path: Path) -> None:
    """By a later reconcile; a link in its place is taken away, and what it leads to is not touched."""
    host.hook()
    host.stage(start=HOUR_S, end=2 * HOUR_S)
    host.paths.proof.mkdir(parents=True)
    (host.paths.proof / ("a" * 32)).touch()
    os.utime(host.paths.proof, (host.now - 60, host.now - 60))
    host.reconcile()
    assert [path.name for path in host.paths.proof.iterdir()] == ["a" * 32], "somebody may be asking"
    host.now += 61
    host.reconcile()
    assert not host.paths.proof.exists()
    (tmp_path / "theirs").touch()
    host.paths.proof.symlink_to(tmp_path)
    host.reconcile()
    assert not host.paths.proof.is_symlink() and (tmp_path / "theirs").exists()


def test_a_link_in_its_place_is_refused(host: FolderHost, tmp_path: Path) -> None:
    """No secret is put into a folder that is not ours."""
    host.hook()
    digest = host.stage(start=HOUR_S, end=2 * HOUR_S)
    host.paths.run.mkdir(exist_ok=True)
    (tmp_path / "theirs").mkdir()
    host.paths.proof.symlink_to(tmp_path / "theirs")
    assert "could not be made" in faulty(host.ask("arm", plan_digest=digest)).message
    assert list((tmp_path / "theirs").iterdir()) == [] and host.paths.proof.is_symlink()


@pytest.mark.parametrize(("tls", "proxied"), [(True, False), (False, True), (True, True)])
def test_it_is_asked_as_its_sockets_want_it(host: FolderHost, tls: bool, proxied: bool) -> None:
    """With TLS and the site's name in it, and behind a PROXY line."""
    (port,) = free_ports(1)
    make_certificate(host.root / "tmp/pem", host.root / "tmp/key")
    options = f"{' ssl' if tls else ''}{' proxy_protocol' if proxied else ''}"
    path = host.root / f"etc/nginx/sites-available/{SITES[0]}"
    added = f"listen 127.0.0.1:{port}{options};\n\t"
    added += "".join(
        f"ssl_certificate{x} {host.root}/tmp/{y};\n\t" for x, y in (("", "pem"), ("_key", "key"))
    )
    path.write_text(path.read_text().replace("server_name", f"{added}server_name"))
    host.hook()
    host.stage(start=HOUR_S, end=2 * HOUR_S)
    staged = manifest.staged(host.paths)
    assert staged is not None
    target = {"address": "127.0.0.1", "port": port, "tls": tls, "host": SITES[0], "proxy_protocol": proxied}
    only = [{**dict(staged.document["entries"][0]), "probe": target}]
    assert proof.unproved(host.machine(), Manifest({**staged.document, "entries": only})) == []
    without = [{**only[0], "probe": {**target, "proxy_protocol": False}}] if proxied else []
    assert len(proof.unproved(host.machine(), Manifest({**staged.document, "entries": without}))) == 1


def test_a_server_whose_sites_cannot_be_asked_is_told(host: FolderHost) -> None:
    """Nothing is said to be well of what nobody asked."""
    host.hook()
    host.stage(start=HOUR_S, end=2 * HOUR_S)
    staged = manifest.staged(host.paths)
    assert staged is not None
    entries = [{**dict(entry), "probe": None} for entry in staged.document["entries"]]
    (found,) = proof.unproved(host.machine(), Manifest({**staged.document, "entries": entries}))
    assert (found.severity, found.code) == ("warning", "not-asked")


def test_nobody_listens(host: FolderHost) -> None:
    """Said as it is."""
    host.hook()
    host.stage(start=HOUR_S, end=2 * HOUR_S)
    staged = manifest.staged(host.paths)
    assert staged is not None
    host.stop()
    while host.machine().servers["nginx"].is_running():
        time.sleep(0.05)
    (found,) = proof.unproved(host.machine(), staged)
    assert "nobody answered" in found.message


def test_what_the_kernel_forbids_is_named(
    host: FolderHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SELinux enforces it is the likely cause, since the file is there for the process."""
    (tmp_path / "enforce").write_text("1")
    monkeypatch.setattr(selinux, "ENFORCE", tmp_path / "enforce")
    reason, hint = proof_causes.cause(
        host.machine().servers["nginx"], "nginx", tmp_path / "enforce", [probe.ProbeAnswer(404, None)]
    )
    assert "SELinux enforces" in reason and "ausearch" in hint
    assert survey_codes(host) == ["selinux-enforcing"]
    (tmp_path / "enforce").write_text("0")
    assert survey_codes(host) == []


def survey_codes(host: FolderHost) -> list[str]:
    """What a survey finds of SELinux; it names both types and says how far that was tried."""
    survey = host.good("survey").survey
    assert survey is not None
    found = [one for one in survey["findings"] if "selinux" in one["code"]]
    for one in found:
        assert one["severity"] == "warning"
        assert all(word in one["hint"] for word in ("httpd_var_run_t", "httpd_sys_content_t", "restorecon"))
        assert "not run on" in one["message"]
    return [one["code"] for one in found]


def test_a_few_are_asked_from_all_over_the_list() -> None:
    """What lies side by side often has one owner."""
    entries = [StagedEntry(str(number), str(number), (1,), "nginx", {}) for number in range(100)]
    for count, wanted in (
        (0, []),
        (1, ["0"]),
        (3, ["0", "1", "2"]),
        (4, ["0", "1", "3"]),
        (100, ["0", "49", "99"]),
    ):
        assert [entry.name for entry in boundaries.spread(entries[:count])] == wanted


def test_nothing_is_seen_of_a_question(host: FolderHost) -> None:
    """Asked all the time meanwhile, the sites answer as usual, and their logs are all that grows."""
    host.hook()
    digest = host.stage(start=HOUR_S, end=2 * HOUR_S)
    done, seen = threading.Event(), set()

    def look() -> None:
        while not done.is_set():
            seen.add((host.answer().status, host.answer().mark))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(3):
            host.good("arm", plan_digest=digest, only_check=True)
    finally:
        done.set()
        looking.join()
    assert seen == {(200, None)}
