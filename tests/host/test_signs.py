# SPDX-License-Identifier: GPL-3.0-or-later
"""What was released while our units were stopped stays released, and an ordinary reboot or power cut is no stop."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from piquet.host import request
from piquet.host.outcome import Request
from piquet.host.state import armed, signs
from piquet.host.system import schedule
from tests.host.arming import arm, armable
from tests.host.folder_host import FolderHost


@pytest.fixture
def host(tmp_path: Path) -> FolderHost:
    """An armed host that somebody looks after."""
    host = armable(tmp_path / "host")
    arm(host)
    host.reconcile(boot=True)
    return host


def stop_units(host: FolderHost, monkeypatch: pytest.MonkeyPatch, *, is_shutdown: bool) -> None:
    """What systemd calls when the boot unit ends."""
    monkeypatch.setattr(schedule.Schedule, "is_going_down", lambda _: is_shutdown)
    request.carry_out(host.machine("schedule"), Request("reconcile", options={"stopping": True}))


@pytest.mark.parametrize("is_released", [False, True])
def test_units_stopped_by_hand_end_it_with_the_next_boot(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch, is_released: bool
) -> None:
    """Whether or not anything was deleted then: nobody looked."""
    stop_units(host, monkeypatch, is_shutdown=False)
    assert host.paths.live.is_symlink(), "stopping our units alone releases nothing at once"
    assert "unwatched" in {finding.code for finding in host.ask("status").findings}
    if is_released:
        shutil.rmtree(host.paths.run)
    for _ in range(2):
        host.reboot()
        host.reconcile(boot=True)
        assert not host.paths.live.is_symlink()
    assert not host.paths.armed.exists()


def test_units_that_run_again_are_as_if_never_stopped(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the flags up all the while; a flag that went meanwhile is a stop."""
    stop_units(host, monkeypatch, is_shutdown=False)
    host.reconcile(boot=True)
    assert (armed.current_arming(host.paths) or pytest.fail()).unwatched_at is None
    host.reboot()
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink()
    stop_units(host, monkeypatch, is_shutdown=False)
    shutil.rmtree(host.paths.run)
    host.reconcile(boot=True)
    assert not host.paths.armed.exists()


def test_a_look_by_hand_does_not_start_the_units(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """`piquet-host reconcile` at the console is one look, not a schedule."""
    stop_units(host, monkeypatch, is_shutdown=False)
    host.reconcile()
    shutil.rmtree(host.paths.run)
    host.reboot()
    host.reconcile(boot=True)
    assert not host.paths.live.is_symlink()


def test_an_orderly_reboot_is_no_stop(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systemd stops our units then too."""
    stop_units(host, monkeypatch, is_shutdown=True)
    host.reboot()
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink()


UNIT = "/etc/systemd/system/piquet-boot.service"


class _Units(schedule.Schedule):
    """A schedule with a file of its own."""

    folder = "/etc/systemd/system/"

    def is_usable(self) -> bool:
        return True

    def timer(self, now: float) -> tuple[bool, float | None]:
        return True, None


@pytest.mark.parametrize("how", ["masked", "deleted", "edited"])
def test_a_unit_that_is_masked_may_not_even_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It counts as stopped from the first look on, also when the file is back before the next boot."""
    host = FolderHost(tmp_path / "host")
    monkeypatch.setattr(type(host.machine()), "schedule", lambda *_: _Units())
    host.hook()
    host.stage(extra={UNIT: b"[Service]\n"})
    arm(host)
    unit = host.paths.at(UNIT)
    if how == "edited":
        unit.write_bytes(b"[Service]\nExecStop=\n")
    else:
        unit.unlink()
    if how == "masked":
        unit.symlink_to("/dev/null")
    host.reconcile()
    assert host.paths.live.is_symlink()
    shutil.rmtree(host.paths.run)
    unit.unlink(missing_ok=True)
    unit.write_bytes(b"[Service]\n")
    host.reboot()
    host.reconcile(boot=True)
    assert not host.paths.live.is_symlink()
    assert not host.paths.armed.exists()


def test_another_plan_put_back_ends_it(host: FolderHost) -> None:
    """Its hours would be shown with the flags of this arming, as soon as the server reads its files again."""
    host.paths.plan.write_bytes(host.paths.plan.read_bytes() + b" ")
    host.reconcile()
    assert not host.paths.live.is_symlink()
    assert not host.paths.armed.exists()


def lived_on(host: FolderHost, monkeypatch: pytest.MonkeyPatch, seconds: float, ago: float = 60.0) -> None:
    """The last look was so long before the last line in a log, and that was a while before this boot."""
    sign = host.paths.logs / "nginx/access.log"
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.write_text("GET /\n")
    boot = time.time()
    os.utime(sign, (boot - ago, boot - ago))
    if host.paths.seen.exists():
        os.utime(host.paths.seen, (boot - ago - seconds, boot - ago - seconds))
    monkeypatch.setattr(signs, "booted_at", lambda: boot)
    host.reboot()


@pytest.mark.parametrize(
    ("seconds", "is_back"), [(0, True), (59, True), (150, True), (301, False), (90_000, False)]
)
def test_a_machine_that_lived_on_without_looks_stays_released(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch, seconds: float, is_back: bool
) -> None:
    """Cron was stopped, units were masked: the log files say how long; a power cut ends looks and logs at once."""
    lived_on(host, monkeypatch, seconds)
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink() is is_back
    assert host.paths.armed.exists() is is_back


def test_a_long_time_without_power_is_no_sign(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days later, with logs of this boot already there."""
    lived_on(host, monkeypatch, 30, ago=86_400.0)
    (host.paths.logs / "syslog").write_text("of this boot\n")
    monkeypatch.setattr(signs, "booted_at", lambda: time.time() - 5)
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink()


def test_nothing_to_tell_it_by_is_no_stop(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """No logs, or nobody ever looked."""
    host.paths.seen.unlink()
    lived_on(host, monkeypatch, 0)
    host.reconcile(boot=True)
    assert host.paths.live.is_symlink()


def test_every_look_leaves_its_mark(host: FolderHost) -> None:
    """A quiet minute too."""
    os.utime(host.paths.seen, (1, 1))
    host.reconcile()
    assert abs(host.paths.seen.stat().st_mtime - time.time()) < 60


def test_a_boot_is_as_old_as_process_one() -> None:
    """Inside a container the kernel is older."""
    assert time.time() - 40 * 86_400 < signs.booted_at() <= time.time()


class _Systemctl(schedule.Systemd):
    """One that says what it is told to."""

    def __init__(self, said: str) -> None:
        self.said = said

    def _call(self, *words: str) -> schedule.commands.Result:
        assert words == ("is-system-running",)
        return schedule.commands.Result(False, self.said)


@pytest.mark.parametrize(
    ("said", "is_going"),
    [("running\n", False), ("degraded\n", False), ("starting", False), ("maintenance", False),
     ("stopping\n", True), ("offline\n", True), ("", True), ("Failed to connect to bus", True)],
)  # fmt: skip
def test_a_shutdown_is_what_systemd_calls_so(said: str, is_going: bool) -> None:
    """In doubt it is one: an ordinary reboot must not end a picket."""
    assert _Systemctl(said).is_going_down() is is_going
