# SPDX-License-Identifier: GPL-3.0-or-later
"""No old state is a reason to block: what a backup, a copy or another host gives back puts no flag up, in no boot."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from piquet.host.state import armed, birth, boot_mark, flags, store
from piquet.host.system.paths import Paths
from piquet.protocol.places import END_IT_NOW
from tests.host.arming import arm, armable
from tests.host.folder_host import HOUR_S, SITES, FolderHost

PLACES = ("etc/piquet", "var/lib/piquet", "var/spool/piquet")
SOME = tuple(c for n in range(1, 4) for c in itertools.combinations(PLACES, n))
"""Any of the three places, and any of them together."""
TOGETHER = [pytest.param(c, marks=() if c in (PLACES, PLACES[1:]) else pytest.mark.long) for c in SOME]
"""The same, in an ordinary run those that come nearest to an armed host."""


@pytest.fixture(params=["birth", pytest.param("change", marks=pytest.mark.long)], autouse=True)
def _file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that tells when a file was born, and one that does not."""
    if request.param == "change":
        monkeypatch.setattr(birth, "born_ns", lambda _: None)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FolderHost]:
    """An armed host, with a backup of everything that `save` has taken."""
    host = armable(tmp_path / "host")
    arm(host)
    save(host)
    yield host


def save(host: FolderHost) -> None:
    """A backup of the three places and of the run folder, as `cp -a` makes it."""
    shutil.rmtree(host.root.with_name("saved"), ignore_errors=True)
    for place in (*PLACES, "run"):
        copy(host.root / place, host.root.with_name("saved") / place)


def copy(source: Path, target: Path) -> None:
    """Owners, modes and times as they are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "-T", source, target], check=True)


def by_copy(source: Path, target: Path) -> None:
    """The folder anew."""
    shutil.rmtree(target, ignore_errors=True)
    copy(source, target)


def by_tar(source: Path, target: Path) -> None:
    """Each file is replaced by another one."""
    target.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(["tar", "-C", source, "-cf", "-", "."], check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-C", target, "-xpf", "-"], check=True, input=packed.stdout)


def in_place(source: Path, target: Path) -> None:
    """The bytes are written back into the files that are there, which keep inode and birth; what is missing is made."""
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_dir() or path.is_symlink():
            there.mkdir(parents=True, exist_ok=True)
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(path.read_bytes())
        there.chmod(0o600)


WAYS: Sequence[Callable[[Path, Path], None]] = (by_copy, by_tar, in_place)
NEAREST = [(False, True, places, by_copy) for places in (PLACES[1:2], PLACES[1:])]
"""A power cut before anybody has looked, with an armed state and without any record of its end; always tried."""


def rollback(host: FolderHost) -> None:
    """The verb."""
    host.good("rollback")


def printed_line(host: FolderHost) -> None:
    """What is on the paper, word by word."""
    subprocess.run(["sh", "-c", END_IT_NOW.replace(" /", f" {host.root}/")], check=True)


def older_line(host: FolderHost) -> None:
    """A paper from before there was a token."""
    host.paths.live.unlink()
    host.paths.armed.unlink()


def flags_deleted(host: FolderHost) -> None:
    """Noticed by the next reconcile."""
    shutil.rmtree(host.paths.run)
    host.reconcile()


def end(host: FolderHost) -> None:
    """By the clock; afterwards it is set back."""
    host.now += 2 * HOUR_S
    host.reconcile()
    host.now -= 2 * HOUR_S


RELEASES: Sequence[Callable[[FolderHost], None]] = (rollback, printed_line, older_line, flags_deleted, end)


def assert_stays_down(host: FolderHost, *, is_cut: bool) -> None:
    """Neither in this boot nor in the next ones, whoever looks."""
    for _ in range(2):
        if is_cut:
            host.reboot()
        host.reconcile(boot=is_cut)
        assert not host.paths.live.is_symlink()
        host.reconcile()
        assert not host.paths.live.is_symlink()
        is_cut = True
    assert not host.paths.armed.exists()
    assert not host.paths.spool.exists()


@pytest.mark.parametrize("release", RELEASES)
def test_a_backup_restored_after_a_stop_starts_nothing(
    host: FolderHost, release: Callable[[FolderHost], None], request: pytest.FixtureRequest
) -> None:
    """Any of the three places, any of them together, in every way of restoring; in the same boot and in the next."""
    cases = list(itertools.product((False, True), (False, True), SOME, WAYS))
    step = 1 if request.config.getoption("--long") else 29
    for is_noticed, is_cut, places, way in [*NEAREST, *cases[RELEASES.index(release) % step :: step]]:
        release(host)
        if is_noticed:
            host.reconcile()
        for place in places:
            way(host.root.with_name("saved") / place, host.root / place)
        if release is older_line and not is_noticed and is_cut:
            host.reconcile()  # the token of that arming is there still, until somebody looks
        assert_stays_down(host, is_cut=is_cut)
        arm(host)
        save(host)


@pytest.mark.parametrize("is_booted", [False, True])
def test_a_host_that_restores_everything_and_looks_late_stays_released(
    host: FolderHost, is_booted: bool
) -> None:
    """Stopped and restored in one go, also with the run folder and the mark of an earlier boot."""
    host.reboot()
    host.reconcile(boot=True)
    rollback(host)
    host.reboot()
    if is_booted:
        host.reconcile(boot=True)
    for place in (*PLACES, "run"):
        by_copy(host.root.with_name("saved") / place, host.root / place)
    host.reconcile()
    assert not host.paths.live.is_symlink()
    assert_stays_down(host, is_cut=True)


@pytest.mark.parametrize("places", TOGETHER)
@pytest.mark.parametrize("has_same_id", [False, True])
def test_another_hosts_state_starts_nothing(
    host: FolderHost, tmp_path: Path, places: tuple[str, ...], has_same_id: bool
) -> None:
    """Staged and never armed: what an armed host has is no reason to block here, also on a machine that was cloned."""
    other = armable(tmp_path / "other")
    if has_same_id:
        shutil.copy(host.root / "etc/machine-id", other.root / "etc/machine-id")
    for place in places:
        by_copy(host.root / place, other.root / place)
    for is_boot in (False, True, False):
        if is_boot:
            other.reboot()
        other.reconcile(boot=is_boot)
        assert not other.paths.live.is_symlink()


@pytest.mark.parametrize("places", TOGETHER)
@pytest.mark.parametrize("way", WAYS)
def test_a_stop_of_one_site_outlives_a_backup(
    host: FolderHost, places: tuple[str, ...], way: Callable[[Path, Path], None]
) -> None:
    """It is in the token, which no older one can take the place of; the other sites may be released with it."""
    (host.paths.live / SITES[0]).unlink()
    host.reconcile()
    for place in places:
        way(host.root.with_name("saved") / place, host.root / place)
    for is_boot in (False, True, False):
        if is_boot:
            host.reboot()
        host.reconcile(boot=is_boot)
        assert not (host.paths.live / SITES[0]).exists()


def test_a_backup_of_this_very_moment_changes_nothing(host: FolderHost) -> None:
    """Restored over itself: the state is as it was, the token is a copy; in doubt it is a release, at once."""
    by_copy(host.root.with_name("saved") / "var/lib/piquet", host.paths.lib)
    host.reconcile()
    assert host.paths.live.is_symlink(), "the token was not touched"
    by_copy(host.root.with_name("saved") / "var/spool/piquet", host.paths.spool)
    host.reconcile()
    assert_stays_down(host, is_cut=True)


def test_a_backup_that_only_reads_stops_nothing(host: FolderHost) -> None:
    """Reading changes neither inode nor birth, nor the time of change."""
    save(host)
    host.reconcile()
    host.reboot()
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink()


def test_a_backup_by_hard_links_stops_nothing_where_births_are_known(host: FolderHost) -> None:
    """They change the time of change, which therefore counts only where nothing better is known."""
    saved = host.root.with_name("links")
    saved.mkdir()
    has_birth = (armed.read_armed(host.paths) or pytest.fail()).changed_ns is None
    os.link(host.paths.token, saved / "armed")
    host.reconcile()
    assert host.paths.live.is_symlink() is has_birth


def test_a_hard_link_of_the_token_is_worth_nothing_after_a_release(host: FolderHost) -> None:
    """It is the very file, so that a verb that releases empties it."""
    saved = host.root.with_name("links")
    saved.mkdir()
    os.link(host.paths.token, saved / "armed")
    host.good("rollback")
    host.paths.spool.mkdir(mode=0o700)
    (saved / "armed").rename(host.paths.token)
    copy(host.root.with_name("saved") / "var/lib/piquet/armed.json", host.paths.armed)
    assert_stays_down(host, is_cut=True)


SPOILS: dict[str, Callable[[FolderHost], object]] = {
    "gone": lambda host: host.paths.token.unlink(),
    "empty": lambda host: host.paths.token.write_text(""),
    "folder gone": lambda host: shutil.rmtree(host.paths.spool),
    "a folder": lambda host: (host.paths.token.unlink(), host.paths.token.mkdir()),
    "a link": lambda host: (
        host.paths.token.rename(host.paths.spool / "x"), host.paths.token.symlink_to("x")),
    "a pipe": lambda host: (host.paths.token.unlink(), os.mkfifo(host.paths.token)),
    "open to others": lambda host: host.paths.token.chmod(0o666),
    "folder open to others": lambda host: host.paths.spool.chmod(0o777),
    "folder a link": lambda host: (
        host.paths.spool.rename(host.root / "elsewhere"), host.paths.spool.symlink_to(host.root / "elsewhere")),
    "another machine": lambda host: (host.root / "etc/machine-id").write_text("f" * 32),
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_token_that_does_not_agree_is_a_stop(host: FolderHost, spoil: str) -> None:
    """At the next look, for good, and it is journalled as one."""
    SPOILS[spoil](host)
    host.reconcile()
    record = store.read_state(host.paths.ended) or {}
    assert record.get("reason") == "stopped by hand"
    assert_stays_down(host, is_cut=True)


def test_no_flag_goes_up_where_the_boot_cannot_be_marked(host: FolderHost) -> None:
    """Something in the mark's place keeps flags down in this boot and in every other one."""
    host.reboot()
    host.paths.boot_mark.mkdir(parents=True)
    host.reconcile(boot=True)
    assert not host.paths.live.is_symlink()
    assert "boot-not-marked" in host.journal() or boot_mark.is_marked(host.paths)
    host.paths.boot_mark.rmdir()
    assert_stays_down(host, is_cut=False)


@pytest.mark.parametrize("is_seen", [False, True])
def test_what_is_moved_back_in_a_later_boot_starts_nothing(
    host: FolderHost, tmp_path: Path, is_seen: bool
) -> None:
    """A move keeps inode and birth, so only the mark tells that somebody has looked in this boot already."""
    moved = (host.paths.lib, host.paths.spool)
    for place in moved:
        place.rename(tmp_path / place.parent.name)
    host.reboot()
    if is_seen:
        host.reconcile(boot=True)
        assert not host.paths.live.is_symlink()
    for place in moved:
        shutil.rmtree(place, ignore_errors=True)
        (tmp_path / place.parent.name).rename(place)
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink() is not is_seen, "without a look this is an ordinary boot"
    if is_seen:
        assert_stays_down(host, is_cut=True)


def test_no_flag_goes_up_where_the_mark_cannot_be_written(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `/run` that takes no file: told, and nothing goes up in this boot or in any other one."""

    def full(_: Paths) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    host.reboot()
    with monkeypatch.context() as patch:
        patch.setattr(boot_mark, "make", full)
        host.reconcile(boot=True)
    assert not host.paths.live.is_symlink()
    assert "boot-not-marked" in host.journal()
    assert_stays_down(host, is_cut=False)


def test_the_boot_is_marked_before_its_first_flag(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies in between leaves a mark and no flag."""
    real, seen = flags.make_flags, []

    def watched(paths: Paths, keys: Sequence[str]) -> None:
        seen.append(boot_mark.is_marked(paths))
        real(paths, keys)

    monkeypatch.setattr(flags, "make_flags", watched)
    host.reboot()
    host.reconcile(boot=True)
    assert seen == [True]
    assert host.paths.live.is_symlink()


@pytest.mark.parametrize("is_complete", [True, False])
def test_flags_go_up_in_the_first_look_of_a_boot_only(host: FolderHost, is_complete: bool) -> None:
    """Whatever is deleted later in that boot, and whatever boot the armed state was set back to."""
    host.reboot()
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink()
    shutil.rmtree(host.paths.run)
    if not is_complete:
        host.paths.boot_mark.unlink()
    record = store.read_state(host.paths.armed) or {}
    record["boot"]["id"] = "an earlier one"
    store.write_state(host.paths.armed, record)
    host.reconcile(boot=True)
    assert not host.paths.live.is_symlink()
    assert_stays_down(host, is_cut=True)


def test_a_mark_is_of_its_boot(host: FolderHost) -> None:
    """A `/run` that outlives a boot, as some containers have it, keeps no picket down."""
    boot_id = host.root / "proc/sys/kernel/random/boot_id"
    shutil.rmtree(host.paths.run)
    boot_id.write_text("the next one\n")
    assert host.paths.boot_mark.exists()
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink()


def test_arm_is_not_bound_by_the_mark(host: FolderHost) -> None:
    """It starts again what was stopped in this boot."""
    host.good("rollback")
    assert boot_mark.is_marked(host.paths)
    arm(host)
    host.reconcile()
    assert host.paths.live.is_symlink()
    assert host.paths.spool.stat().st_mode & 0o777 == 0o700
    assert host.paths.token.stat().st_mode & 0o777 == 0o600


def test_arm_goes_on_where_the_mark_cannot_be_written(host: FolderHost) -> None:
    """It is said of boots; a person who arms is there, and the flags stay up in later looks."""
    host.good("rollback")
    host.paths.boot_mark.unlink(missing_ok=True)
    host.paths.boot_mark.mkdir()
    arm(host)
    host.reconcile()
    assert host.paths.live.is_symlink()


def test_remove_leaves_neither_token_nor_mark(host: FolderHost) -> None:
    """Nothing of ours is anywhere."""
    host.good("remove")
    assert [str(p) for p in host.root.rglob("*piquet*")] == []
