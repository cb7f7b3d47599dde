# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a boundary that no unit names: exact, without the lock, awake to a stop by hand, gone with piquet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from piquet.host.machine import Machine
from piquet.host.outcome import Request
from piquet.host.state import flags
from piquet.host.system import files
from piquet.host.system.lock import locked
from piquet.host.verbs import reconcile

from .folder_host import SITES, FolderHost

WAIT = Request("reconcile", options={"wait": True})
MINUTE_S = 60
TICK_S = 1.0


@pytest.fixture
def meanwhile() -> Iterator[Callable[[float, Callable[[], object]], None]]:
    """Do something while a reconcile waits."""
    threads: list[threading.Timer] = []

    def after(seconds: float, act: Callable[[], object]) -> None:
        threads.append(threading.Timer(seconds, act))
        threads[-1].start()

    yield after
    for thread in threads:
        thread.join()


def armed_box(host: FolderHost, *, into_minute_s: float, start_s: int, end_s: int) -> Machine:
    """The host at that second of a minute, armed with a window that many seconds from there; its clock runs on."""
    host.now = float(int(host.now) // MINUTE_S * MINUTE_S) + into_minute_s
    host.hook()
    host.good("arm", plan_digest=host.stage(start=start_s, end=end_s))
    began, then = time.monotonic(), host.now
    machine = host.machine("schedule")
    machine.clock = lambda: then + time.monotonic() - began
    return machine


def test_it_looks_again_when_the_end_has_come(host: FolderHost) -> None:
    """The end lies within the minute: disarmed at that second, not at the next full minute."""
    machine = armed_box(host, into_minute_s=10, start_s=-5, end_s=2)
    began = time.monotonic()
    outcome = reconcile.run(machine, WAIT)
    assert 1.5 < time.monotonic() - began < 2 + TICK_S + 5
    assert outcome.is_changed and not host.paths.armed.exists() and host.paths.ended.exists()
    assert "Disarm" in outcome.message


@pytest.mark.parametrize(("second", "end"), [(10, 50), (55, 6)])
def test_it_does_not_wait_for_what_the_next_minute_sees(host: FolderHost, second: float, end: int) -> None:
    """A boundary on or behind the next full minute is the schedule's own."""
    machine = armed_box(host, into_minute_s=second, start_s=-5, end_s=end)
    began = time.monotonic()
    reconcile.run(machine, WAIT)
    assert time.monotonic() - began < 2
    assert host.paths.armed.exists()


def test_a_reconcile_that_was_not_asked_to_does_not_wait(host: FolderHost) -> None:
    """Whoever calls it by hand, or before another verb, goes on at once."""
    machine = armed_box(host, into_minute_s=10, start_s=-5, end_s=30)
    began = time.monotonic()
    reconcile.run(machine, Request("reconcile"))
    assert time.monotonic() - began < 2


def test_what_is_not_armed_is_not_waited_for(host: FolderHost) -> None:
    """Whoever stops a host, and has the service look at it, does not sit through the rest of the window."""
    machine = armed_box(host, into_minute_s=10, start_s=-5, end_s=40)
    host.paths.live.unlink()
    began = time.monotonic()
    assert "Disarm" in reconcile.run(machine, WAIT).message
    assert time.monotonic() - began < 10


def test_a_stop_by_hand_is_seen_while_it_waits(host: FolderHost, meanwhile: Callable[..., None]) -> None:
    """Nobody begins the service again meanwhile, so it is this one that records the stop; others can have the lock."""
    machine = armed_box(host, into_minute_s=10, start_s=-5, end_s=4)
    seen: list[float] = []

    def stop() -> None:
        with locked(host.paths, wait_s=1):
            (host.paths.live / SITES[0]).unlink()

    def look() -> None:
        document = host.paths.armed.read_text()
        seen.append(
            "stopped" in document and SITES[0] in document.partition('"stopped":')[2].partition("}")[0]
        )

    meanwhile(0.5, stop)
    meanwhile(2.5, look)
    reconcile.run(machine, WAIT)
    assert seen == [True]


def test_it_goes_when_piquet_goes(host: FolderHost, meanwhile: Callable[..., None]) -> None:
    """A remove leaves no process of ours behind."""
    machine = armed_box(host, into_minute_s=10, start_s=-5, end_s=40)

    def remove() -> None:
        flags.take_all_down(host.paths)
        files.remove(host.paths.armed)
        host.paths.etc.rename(host.root / "elsewhere")

    meanwhile(1.0, remove)
    began = time.monotonic()
    reconcile.run(machine, WAIT)
    assert time.monotonic() - began < 10
