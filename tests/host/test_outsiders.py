# SPDX-License-Identifier: GPL-3.0-or-later
"""Others work on the same machine: they save a file while we write it, delete one of ours, or fill and lock a disk."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from piquet.host import status_document
from piquet.host.servers.apache.server import Apache
from piquet.host.state import token_file, transaction
from piquet.host.system import files, processes
from piquet.host.system.files import Change
from piquet.host.system.paths import Paths
from piquet.host.verbs import hook, remove
from piquet.protocol import places
from tests.host.folder_host import DROPIN, HOUR_S, INCLUDED, SITES, FolderHost

PARTS: Mapping[str, bytes] = MappingProxyType(
    {
        "/etc/piquet/nginx/http/20-decide.conf": b"map $piquet_pass $piquet_decided { default 1; }\n",
        "/etc/piquet/nginx/http/30-bypass.conf": b"map $host $piquet_pass { default 1; }\n",
    }
)


def including(host: FolderHost) -> dict[str, Any]:
    """A bundle whose drop-in includes parts that need each other, as the real one does."""
    return {"extra": PARTS, "dropin": f"include {host.paths.etc}/nginx/http/*.conf;\n"}


def test_every_step_leaves_what_nginx_accepts(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the power goes while files are written or deleted, nginx starts afterwards without us."""
    real, steps = files.perform, []

    def perform(change: Change) -> None:
        real(change)
        steps.append(change.path.name)
        tested = host.machine().servers["nginx"].test()
        assert tested.ok, f"after {change.kind} {change.path}: {tested.output}"

    host.hook()
    monkeypatch.setattr(files, "perform", perform)
    host.stage(**including(host))
    host.good("remove")
    assert steps.count("30-bypass.conf") == 2


@pytest.mark.parametrize("is_boot", [False, True])
@pytest.mark.parametrize("gone", [DROPIN, "/etc/piquet/nginx/http/30-bypass.conf"])
def test_the_owner_may_delete_a_part_of_ours(host: FolderHost, gone: str, is_boot: bool) -> None:
    """A clean-up of unknown files must not keep nginx from its next reload or start: all of ours goes, for good."""
    before = host.tree()
    host.hook()
    digest = host.stage(**including(host))
    host.good("arm", plan_digest=digest)
    host.paths.at(gone).unlink()
    assert not host.machine().servers["nginx"].test().ok
    if is_boot:
        host.reboot()
    workers = running(host)
    codes = {finding.code for finding in host.reconcile(boot=is_boot).findings}
    assert {"configuration-incomplete"} == codes & {"configuration-incomplete", "configuration-broken"}
    assert running(host) == workers, (
        "a reload would also have put into force what its owner is about to change"
    )
    assert host.machine().servers["nginx"].test().ok
    host.machine().servers["nginx"].reload()
    assert not host.is_ours()
    assert not host.paths.armed.exists()
    assert not host.reconcile().findings
    host.stage(**including(host))
    assert host.good("arm", plan_digest=digest).is_changed
    assert host.is_ours()
    host.good("remove")
    assert host.tree() == before


def running(host: FolderHost) -> list[int]:
    """The processes that serve; a reload starts others."""
    master = host.machine().servers["nginx"].master()
    assert master is not None
    return [worker.pid for worker in processes.children(master.pid)]


def test_what_a_deleted_part_leaves_is_tested(host: FolderHost) -> None:
    """Where the configuration is refused without ours too, the owner is told before the next start fails."""
    host.hook()
    host.good("arm", plan_digest=host.stage(**including(host)))
    host.paths.at(DROPIN).unlink()
    broken = host.root / "etc/nginx/conf.d/broken.conf"
    broken.write_text("no such directive;\n")
    found = {finding.code: finding for finding in host.reconcile().findings}
    assert "no such directive" not in found["configuration-incomplete"].got
    assert 'unknown directive "no"' in found["configuration-broken"].got
    assert not host.is_ours()
    broken.unlink()
    assert host.machine().servers["nginx"].test().ok


def test_the_owner_may_delete_all_of_our_configuration(host: FolderHost) -> None:
    """`rm -rf /etc/piquet` is a stop too, before any reload."""
    host.arm()
    shutil.rmtree(host.paths.etc)
    host.reconcile()
    assert not host.is_ours()
    assert not host.paths.armed.exists()
    assert host.machine().servers["nginx"].test().ok


def test_remove_knows_its_files_without_its_record(host: FolderHost) -> None:
    """Somebody deleted /var/lib/piquet: the manifest says what else is ours."""
    before = host.tree()
    host.arm()
    shutil.rmtree(host.paths.lib)
    host.good("remove")
    assert host.tree().keys() == before.keys()


@pytest.mark.parametrize(("verb", "module"), [("hook", hook), ("unhook", hook), ("remove", remove)])
def test_what_the_owner_saves_meanwhile_stays(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch, verb: str, module: Any
) -> None:
    """Between reading a file and writing it lies a test of the configuration, seconds on a large host."""
    path = host.root / f"etc/nginx/sites-available/{SITES[1]}"
    edit, real = b"# saved while piquet worked\n", transaction.make_changes
    if verb != "hook":
        host.hook()

    def apply(*arguments: Any) -> None:
        path.write_bytes(path.read_bytes() + edit)
        real(*arguments)

    survey = host.good("survey").survey
    assert survey is not None
    monkeypatch.setattr(module.transaction, "make_changes", apply)
    outcome = host.ask(verb, files=survey["nginx"]["files"])
    monkeypatch.undo()
    assert not outcome.is_ok
    assert path.read_bytes().endswith(edit)
    other = host.root / f"etc/nginx/sites-available/{SITES[0]}"
    assert (b"# piquet hook" in other.read_bytes()) is (verb != "hook"), "all or nothing"
    host.good("remove")
    assert path.read_bytes().endswith(edit)
    assert b"# piquet hook" not in path.read_bytes()


@pytest.fixture
def read_only(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make /var as a read-only mount is: every change of ours is refused, deleting what is not there too."""

    def refuse_all(*_: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    def refuse(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *arguments: Any, **named: Any) -> Any:
            if {host.paths.lib, host.paths.spool} & set(path.parents):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return real(path, *arguments, **named)

        return call

    def lock() -> None:
        for name in ("unlink", "replace", "rename"):
            monkeypatch.setattr(Path, name, refuse(getattr(Path, name)))
        monkeypatch.setattr(token_file, "_empty_token_file", refuse_all)

    return lock


def test_a_read_only_disk_does_not_keep_flags_up(
    host: FolderHost, read_only: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the end they go; what cannot be recorded anywhere is told."""
    host.arm()
    read_only()
    monkeypatch.setattr(Paths, "stopped", property(lambda paths: paths.lib / "stopped"))
    host.now += 2 * HOUR_S
    assert {f.code for f in host.reconcile().findings} == {"not-disarmed"}
    assert not host.is_ours()
    assert not host.paths.live.is_symlink()


@pytest.mark.parametrize("stop", ["rollback", "by hand"])
def test_a_stop_on_a_read_only_disk_is_final(
    host: FolderHost, read_only: Callable[[], None], monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """`armed.json` cannot be deleted; the stop is recorded elsewhere, and no boot undoes it, only a new arm."""
    digest = host.arm()
    read_only()
    if stop == "rollback":
        assert host.good("rollback").is_changed
    else:
        host.paths.live.unlink()
        host.reconcile()
    assert host.paths.armed.exists()
    assert status_document.status_of(host.machine())["state"] == "stopped"
    again = host.ask("arm", plan_digest=digest)
    assert (again.is_ok, {f.code for f in again.findings} >= {"stopped-elsewhere"}) == (False, True)
    assert not host.is_ours(), "a picket that cannot be armed is not called armed already"
    monkeypatch.undo()
    for _ in range(2):
        host.reboot()
        host.reconcile(boot=True)
        host.reconcile()
        assert not host.is_ours()
        assert not host.paths.armed.exists()
    host.good("arm", plan_digest=digest)
    assert host.is_ours()
    host.reboot()
    host.reconcile(boot=True)
    assert host.is_ours(), "the old stop does not count against the new arm"
    host.good("remove")
    assert not host.paths.etc.exists()


def test_a_stop_on_a_read_only_disk_stops_the_host(host: FolderHost, read_only: Callable[[], None]) -> None:
    """One flag taken away that cannot be recorded: too little rather than too much."""
    host.arm()
    read_only()
    (host.paths.live / SITES[0]).unlink()
    assert "state-not-written" in {f.code for f in host.reconcile().findings}
    assert not host.is_ours(SITES[1])


def test_what_is_included_has_its_order() -> None:
    """Never a user of a variable before its definition."""
    from piquet.host.state.manifest import last_loaded_first

    assert last_loaded_first([DROPIN, *PARTS, INCLUDED])[:2] == (INCLUDED, DROPIN)


def test_unhooking_an_armed_host_is_a_stop(host: FolderHost) -> None:
    """Said, and for good: hooking again shows nothing, at once or after a boot, without a new arm."""
    digest = host.arm()
    assert host.is_ours()
    assert {f.code for f in host.good("unhook").findings} == {"stopped"}
    host.hook()
    assert not host.is_ours()
    host.reboot()
    host.reconcile(boot=True)
    assert not host.is_ours()
    host.good("arm", plan_digest=digest)
    assert host.is_ours()


def test_all_of_our_configuration_gone_is_a_stop(host: FolderHost) -> None:
    """Put back later, from a backup say, it shows nothing without a new arm."""
    host.arm()
    kept = {path: host.paths.at(path).read_bytes() for path in (DROPIN, INCLUDED)}
    for path in reversed(kept):
        host.paths.at(path).unlink()
    host.machine().servers["nginx"].reload()
    host.reconcile()
    assert not host.paths.armed.exists()
    for path, content in kept.items():
        host.paths.at(path).write_bytes(content)
    host.machine().servers["nginx"].reload()
    host.reconcile()
    assert not host.is_ours()


def test_a_drop_in_that_is_not_read_any_more_is_named(host: FolderHost) -> None:
    """Somebody takes its folder out of nginx.conf: status says it, and arm refuses, whatever nginx's test says."""

    def told(verb: str, **more: str) -> set[str]:
        return {finding.code for finding in host.ask(verb, **more).findings}

    host.hook()
    digest = host.stage()
    assert not told("status")
    text = host.conf.read_text()
    without = re.sub(r"include [^;]*conf\.d/[^;]*;", "", text)
    assert text != without
    host.conf.write_text(without)
    assert "dropin-not-read" in told("status")
    assert "dropin-not-read" in told("arm", plan_digest=digest)
    assert not host.paths.armed.exists()
    host.conf.write_text(text)
    assert host.good("arm", plan_digest=digest).is_changed


def test_a_copy_of_our_file_in_apaches_folder_is_removed(still: FolderHost) -> None:
    """Put back by somebody's tool after a remove; a file of the same name that is not ours stays, so does any other."""
    folder = still.apache_conf.parent / "conf-enabled"
    ours, other = folder / places.DROPIN, folder / "other.conf"
    ours.write_bytes(b"# piquet: of yesterday" + Apache.dropin_sign)
    other.write_text("# not of piquet\n")
    assert still.good("remove").is_changed
    assert not ours.exists() and other.exists()
    ours.write_text("<VirtualHost *:80>\nServerName piquet.example.org\n</VirtualHost>\n")
    assert not still.good("remove").is_changed
    assert ours.exists()
