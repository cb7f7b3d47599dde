# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback wins over whatever began before it; nothing that was under way puts a flag up behind its back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from piquet.host import reconciliation, stop_now
from piquet.host.outcome import Request
from piquet.host.state import flags
from piquet.host.system import lock
from piquet.host.system.paths import Paths
from piquet.host.verbs import arm, reconcile
from tests.host.folder_host import SITES, FolderHost


def is_released(host: FolderHost) -> bool:
    """Nothing is live, nothing comes back after a power cut."""
    is_live = host.paths.live.is_symlink()
    host.reboot()
    host.reconcile(boot=True)
    return not is_live and not host.paths.live.is_symlink() and not host.paths.armed.exists()


def rolled_back(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody does who does not wait for a hanging arm."""
    real = lock.locked
    monkeypatch.setattr(stop_now, "locked", lambda paths: real(paths, wait_s=0.0))
    host.ask("rollback")


def test_an_arm_that_hung_does_not_go_on_after_a_rollback(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began, hung in the server's test, somebody rolled back and went to bed; it is refused when it goes on."""
    host.hook()
    digest = host.stage()
    hanging = host.machine()
    rolled_back(host, monkeypatch)
    outcome = arm.run(hanging, Request("arm", options={"plan_digest": digest}))
    assert not outcome.is_ok
    assert is_released(host)


def test_a_rollback_in_the_middle_of_an_arm_wins(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even between the flags and the record that they are up."""
    host.hook()
    digest, real = host.stage(), flags.make_flags

    def hangs(paths: Paths, keys: list[str]) -> None:
        real(paths, keys)
        rolled_back(host, monkeypatch)

    monkeypatch.setattr(flags, "make_flags", hangs)
    assert not host.ask("arm", plan_digest=digest).is_ok
    assert is_released(host)


def test_a_boot_that_hung_does_not_go_on_after_a_rollback(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one that puts flags up."""
    host.arm()
    host.reboot()
    hanging, real = host.machine("boot"), reconciliation.gather

    def hangs(machine: object) -> reconciliation.Facts:
        facts = real(hanging)
        rolled_back(host, monkeypatch)
        return facts

    monkeypatch.setattr(reconciliation, "gather", hangs)
    reconcile.run(hanging, Request("reconcile", options={"boot": True}))
    monkeypatch.undo()
    assert is_released(host)


def test_a_rollback_that_waited_for_an_arm_takes_it_back(
    host: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was armed while rollback waited for the lock is disarmed for good, and told."""
    host.hook()
    digest, real = host.stage(), lock.locked

    @contextlib.contextmanager
    def waits(paths: Paths) -> Iterator[None]:
        host.good("arm", plan_digest=digest)
        with real(paths):
            yield

    monkeypatch.setattr(stop_now, "locked", waits)
    outcome = host.good("rollback")
    assert outcome.is_changed
    assert outcome.message.startswith("Released")
    assert is_released(host)


@pytest.mark.parametrize("before", [lambda host: None, lambda host: host.good("rollback")])
def test_a_new_arm_is_not_called_back(host: FolderHost, before: Callable[[FolderHost], object]) -> None:
    """An earlier rollback stops no later arm."""
    host.arm()
    before(host)
    host.good("rollback")
    host.arm()
    assert all(host.is_ours(site) for site in SITES)
