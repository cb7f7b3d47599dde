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
from tests.host.box import DROPIN, HOUR_S, INCLUDED, SITES, Box

PARTS: Mapping[str, bytes] = MappingProxyType(
    {
        "/etc/piquet/nginx/http/20-decide.conf": b"map $piquet_pass $piquet_decided { default 1; }\n",
        "/etc/piquet/nginx/http/30-bypass.conf": b"map $host $piquet_pass { default 1; }\n",
    }
)


def including(box: Box) -> dict[str, Any]:
    """A bundle whose drop-in includes parts that need each other, as the real one does."""
    return {"extra": PARTS, "dropin": f"include {box.paths.etc}/nginx/http/*.conf;\n"}


def test_every_step_leaves_what_nginx_accepts(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the power goes while files are written or deleted, nginx starts afterwards without us."""
    real, steps = files.perform, []

    def perform(change: Change) -> None:
        real(change)
        steps.append(change.path.name)
        tested = box.machine().servers["nginx"].test()
        assert tested.ok, f"after {change.kind} {change.path}: {tested.output}"

    box.hook()
    monkeypatch.setattr(files, "perform", perform)
    box.stage(**including(box))
    box.good("remove")
    assert steps.count("30-bypass.conf") == 2


@pytest.mark.parametrize("is_boot", [False, True])
@pytest.mark.parametrize("gone", [DROPIN, "/etc/piquet/nginx/http/30-bypass.conf"])
def test_the_owner_may_delete_a_part_of_ours(box: Box, gone: str, is_boot: bool) -> None:
    """A clean-up of unknown files must not keep nginx from its next reload or start: all of ours goes, for good."""
    before = box.tree()
    box.hook()
    digest = box.stage(**including(box))
    box.good("arm", plan_digest=digest)
    box.paths.at(gone).unlink()
    assert not box.machine().servers["nginx"].test().ok
    if is_boot:
        box.reboot()
    workers = running(box)
    codes = {finding.code for finding in box.reconcile(boot=is_boot).findings}
    assert {"configuration-incomplete"} == codes & {"configuration-incomplete", "configuration-broken"}
    assert running(box) == workers, (
        "a reload would also have put into force what its owner is about to change"
    )
    assert box.machine().servers["nginx"].test().ok
    box.machine().servers["nginx"].reload()
    assert not box.is_ours()
    assert not box.paths.armed.exists()
    assert not box.reconcile().findings
    box.stage(**including(box))
    assert box.good("arm", plan_digest=digest).is_changed
    assert box.is_ours()
    box.good("remove")
    assert box.tree() == before


def running(box: Box) -> list[int]:
    """The processes that serve; a reload starts others."""
    master = box.machine().servers["nginx"].master()
    assert master is not None
    return [worker.pid for worker in processes.children(master.pid)]


def test_what_a_deleted_part_leaves_is_tested(box: Box) -> None:
    """Where the configuration is refused without ours too, the owner is told before the next start fails."""
    box.hook()
    box.good("arm", plan_digest=box.stage(**including(box)))
    box.paths.at(DROPIN).unlink()
    broken = box.root / "etc/nginx/conf.d/broken.conf"
    broken.write_text("no such directive;\n")
    found = {finding.code: finding for finding in box.reconcile().findings}
    assert "no such directive" not in found["configuration-incomplete"].got
    assert 'unknown directive "no"' in found["configuration-broken"].got
    assert not box.is_ours()
    broken.unlink()
    assert box.machine().servers["nginx"].test().ok


def test_the_owner_may_delete_all_of_our_configuration(box: Box) -> None:
    """`rm -rf /etc/piquet` is a stop too, before any reload."""
    box.arm()
    shutil.rmtree(box.paths.etc)
    box.reconcile()
    assert not box.is_ours()
    assert not box.paths.armed.exists()
    assert box.machine().servers["nginx"].test().ok


def test_remove_knows_its_files_without_its_record(box: Box) -> None:
    """Somebody deleted /var/lib/piquet: the manifest says what else is ours."""
    before = box.tree()
    box.arm()
    shutil.rmtree(box.paths.lib)
    box.good("remove")
    assert box.tree().keys() == before.keys()


@pytest.mark.parametrize(("verb", "module"), [("hook", hook), ("unhook", hook), ("remove", remove)])
def test_what_the_owner_saves_meanwhile_stays(
    box: Box, monkeypatch: pytest.MonkeyPatch, verb: str, module: Any
) -> None:
    """Between reading a file and writing it lies a test of the configuration, seconds on a large host."""
    path = box.root / f"etc/nginx/sites-available/{SITES[1]}"
    edit, real = b"# saved while piquet worked\n", transaction.make_changes
    if verb != "hook":
        box.hook()

    def apply(*arguments: Any) -> None:
        path.write_bytes(path.read_bytes() + edit)
        real(*arguments)

    survey = box.good("survey").survey
    assert survey is not None
    monkeypatch.setattr(module.transaction, "make_changes", apply)
    outcome = box.ask(verb, files=survey["nginx"]["files"])
    monkeypatch.undo()
    assert not outcome.is_ok
    assert path.read_bytes().endswith(edit)
    other = box.root / f"etc/nginx/sites-available/{SITES[0]}"
    assert (b"# piquet hook" in other.read_bytes()) is (verb != "hook"), "all or nothing"
    box.good("remove")
    assert path.read_bytes().endswith(edit)
    assert b"# piquet hook" not in path.read_bytes()


@pytest.fixture
def read_only(box: Box, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make /var as a read-only mount is: every change of ours is refused, deleting what is not there too."""

    def refuse_all(*_: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    def refuse(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *arguments: Any, **named: Any) -> Any:
            if {box.paths.lib, box.paths.spool} & set(path.parents):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return real(path, *arguments, **named)

        return call

    def lock() -> None:
        for name in ("unlink", "replace", "rename"):
            monkeypatch.setattr(Path, name, refuse(getattr(Path, name)))
        monkeypatch.setattr(token_file, "_empty_token_file", refuse_all)

    return lock


def test_a_read_only_disk_does_not_keep_flags_up(
    box: Box, read_only: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the end they go; what cannot be recorded anywhere is told."""
    box.arm()
    read_only()
    monkeypatch.setattr(Paths, "stopped", property(lambda paths: paths.lib / "stopped"))
    box.now += 2 * HOUR_S
    assert {f.code for f in box.reconcile().findings} == {"not-disarmed"}
    assert not box.is_ours()
    assert not box.paths.live.is_symlink()


@pytest.mark.parametrize("stop", ["rollback", "by hand"])
def test_a_stop_on_a_read_only_disk_is_final(
    box: Box, read_only: Callable[[], None], monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """`armed.json` cannot be deleted; the stop is recorded elsewhere, and no boot undoes it, only a new arm."""
    digest = box.arm()
    read_only()
    if stop == "rollback":
        assert box.good("rollback").is_changed
    else:
        box.paths.live.unlink()
        box.reconcile()
    assert box.paths.armed.exists()
    assert status_document.status_of(box.machine())["state"] == "stopped"
    again = box.ask("arm", plan_digest=digest)
    assert (again.is_ok, {f.code for f in again.findings} >= {"stopped-elsewhere"}) == (False, True)
    assert not box.is_ours(), "a picket that cannot be armed is not called armed already"
    monkeypatch.undo()
    for _ in range(2):
        box.reboot()
        box.reconcile(boot=True)
        box.reconcile()
        assert not box.is_ours()
        assert not box.paths.armed.exists()
    box.good("arm", plan_digest=digest)
    assert box.is_ours()
    box.reboot()
    box.reconcile(boot=True)
    assert box.is_ours(), "the old stop does not count against the new arm"
    box.good("remove")
    assert not box.paths.etc.exists()


def test_a_stop_on_a_read_only_disk_stops_the_host(box: Box, read_only: Callable[[], None]) -> None:
    """One flag taken away that cannot be recorded: too little rather than too much."""
    box.arm()
    read_only()
    (box.paths.live / SITES[0]).unlink()
    assert "state-not-written" in {f.code for f in box.reconcile().findings}
    assert not box.is_ours(SITES[1])


def test_what_is_included_has_its_order() -> None:
    """Never a user of a variable before its definition."""
    from piquet.host.state.manifest import last_loaded_first

    assert last_loaded_first([DROPIN, *PARTS, INCLUDED])[:2] == (INCLUDED, DROPIN)


def test_unhooking_an_armed_host_is_a_stop(box: Box) -> None:
    """Said, and for good: hooking again shows nothing, at once or after a boot, without a new arm."""
    digest = box.arm()
    assert box.is_ours()
    assert {f.code for f in box.good("unhook").findings} == {"stopped"}
    box.hook()
    assert not box.is_ours()
    box.reboot()
    box.reconcile(boot=True)
    assert not box.is_ours()
    box.good("arm", plan_digest=digest)
    assert box.is_ours()


def test_all_of_our_configuration_gone_is_a_stop(box: Box) -> None:
    """Put back later, from a backup say, it shows nothing without a new arm."""
    box.arm()
    kept = {path: box.paths.at(path).read_bytes() for path in (DROPIN, INCLUDED)}
    for path in reversed(kept):
        box.paths.at(path).unlink()
    box.machine().servers["nginx"].reload()
    box.reconcile()
    assert not box.paths.armed.exists()
    for path, content in kept.items():
        box.paths.at(path).write_bytes(content)
    box.machine().servers["nginx"].reload()
    box.reconcile()
    assert not box.is_ours()


def test_a_drop_in_that_is_not_read_any_more_is_named(box: Box) -> None:
    """Somebody takes its folder out of nginx.conf: status says it, and arm refuses, whatever nginx's test says."""

    def told(verb: str, **more: str) -> set[str]:
        return {finding.code for finding in box.ask(verb, **more).findings}

    box.hook()
    digest = box.stage()
    assert not told("status")
    text = box.conf.read_text()
    without = re.sub(r"include [^;]*conf\.d/[^;]*;", "", text)
    assert text != without
    box.conf.write_text(without)
    assert "dropin-not-read" in told("status")
    assert "dropin-not-read" in told("arm", plan_digest=digest)
    assert not box.paths.armed.exists()
    box.conf.write_text(text)
    assert box.good("arm", plan_digest=digest).is_changed


def test_a_copy_of_our_file_in_apaches_folder_is_removed(still: Box) -> None:
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
