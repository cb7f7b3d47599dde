# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that cron looks after: what arm wants, what status says, and a schedule that takes another's place."""

from __future__ import annotations

import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from piquet.host.system import commands, schedule
from piquet.host.system.lock import locked
from piquet.host.system.paths import Paths
from tests.host.folder_host import SITES, FolderHost, make_bundle

CRON_FILE = "/etc/cron.d/piquet"
UNIT = "/etc/systemd/system/piquet-reconcile.timer"
BY_CRON: dict[str, Any] = {"scheduler": "cron", "extra": {CRON_FILE: b"* * * * * root true\n"}}
BY_SYSTEMD: dict[str, Any] = {"scheduler": "systemd", "extra": {UNIT: b"[Timer]\n"}}


def codes(outcome: Any) -> dict[str, str]:
    """Code → severity of what was found."""
    return {finding.code: finding.severity for finding in outcome.findings}


def test_arm_wants_a_cron_that_runs(host: FolderHost) -> None:
    """Stage only warns, since cron can be started until then; arm refuses, with a way out, and nothing blocks."""
    host.hook()
    digest, members = host.bundle(**BY_CRON)
    assert codes(host.good("stage", members, plan_digest=digest)) == {"cron-not-running": "warning"}
    refused = host.ask("arm", plan_digest=digest)
    assert codes(refused) == {"cron-not-running": "error"}
    assert "service cron start" in refused.findings[0].hint
    assert not host.is_ours()
    with host.cron():
        host.good("arm", plan_digest=digest)
    assert host.is_ours()


def test_status_says_what_cron_gives(host: FolderHost) -> None:
    """Whether it runs, when it looks next, that a stop by hand waits for that; and a warning once it is dead."""
    host.hook()
    digest = host.stage(**BY_CRON)
    with host.cron():
        host.good("arm", plan_digest=digest)
        told = host.good("status")
        document = host.machine()
        assert "noticed at the next minute" in told.message
        assert told.findings == ()
        assert document.schedule("cron").timer(119.5) == (True, 120)
        assert document.schedule("cron").timer(120.0) == (True, 180)
    assert codes(host.good("status")) == {"cron-not-running": "warning"}


def test_a_dead_cron_changes_nothing_of_what_is_up(host: FolderHost) -> None:
    """The schedule only ever helps: without it the host stays armed, and a reconcile by hand works as always."""
    host.hook()
    digest = host.stage(**BY_CRON)
    with host.cron():
        host.good("arm", plan_digest=digest)
    assert host.reconcile().findings == ()
    assert host.is_ours()
    host.now += 3600
    assert host.reconcile().is_changed
    assert not host.is_ours()


def test_a_program_in_a_container_is_no_cron_of_ours(host: FolderHost) -> None:
    """What runs on this machine in a PID namespace of its own looks after that container only."""
    program = host.platform.cron[0]
    with host.cron():
        assert host.machine().schedule("cron").is_usable()
    path = f"{host.root}/{program}"
    script = f"cp $(command -v sleep) {path} && exec unshare --pid --fork --kill-child {path} 600"
    process = subprocess.Popen(["/bin/sh", "-c", script])
    try:
        assert not _is_seen(host, seconds=1.0)
    finally:
        process.kill()
        process.wait()


def _is_seen(host: FolderHost, seconds: float) -> bool:
    """Whether the host's cron is ever taken for running within that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if host.machine().schedule("cron").is_usable():
            return True
    return False


@pytest.mark.parametrize(("first", "second"), [(BY_CRON, BY_SYSTEMD), (BY_SYSTEMD, BY_CRON)])
def test_another_schedule_takes_the_place_of_the_first(
    host: FolderHost, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Staged over, the first one's files are gone and the second one's there; remove leaves neither."""
    host.hook()
    there = {path: host.root / path.lstrip("/") for path in (CRON_FILE, UNIT)}
    host.stage(**first)
    before = {path: file.exists() for path, file in there.items()}
    host.stage(**second)
    after = {path: file.exists() for path, file in there.items()}
    assert before == {path: path in first["extra"] for path in there}
    assert after == {path: path in second["extra"] for path in there}
    host.good("remove")
    assert not any(file.exists() for file in there.values())


def test_a_minute_after_remove_makes_nothing_again(host: FolderHost) -> None:
    """Cron may still have the job loaded: no file comes back, not even the lock."""
    host.hook()
    host.stage(**BY_CRON)
    host.good("remove")
    assert host.reconcile().is_ok
    assert [path for path in _own(host) if path.exists()] == []


def test_a_minute_that_meets_a_verb_waits_for_it(host: FolderHost) -> None:
    """Cron starts reconcile whatever else runs: it waits for the lock, and finds nothing where all was removed."""
    host.hook()
    host.stage(**BY_CRON)
    with ThreadPoolExecutor(1) as pool:
        with locked(host.paths):
            waiting = pool.submit(host.reconcile)
            time.sleep(0.5)
            assert not waiting.done()
            for path in _own(host):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        assert waiting.result(30).is_ok
    assert [path for path in _own(host) if path.exists()] == []


def _own(host: FolderHost) -> tuple[Path, ...]:
    """The places that a reconcile writes to."""
    return host.paths.etc, host.paths.lib, host.paths.run, host.paths.lock


def test_systemctl_alone_is_no_systemd(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed but not process 1, nothing is asked of it."""
    calls: list[Any] = []
    monkeypatch.setattr(commands, "execute", lambda *asked, **_: calls.append(asked))
    paths = Paths(str(tmp_path))
    systemd = schedule.Systemd(("sh",), paths)
    assert not systemd.is_usable()
    for act in (systemd.read_units, systemd.stop, systemd.forget_failures, systemd.drop):
        act()
    assert systemd.timer(0.0) == (False, None)
    assert calls == []
    paths.systemd.mkdir(parents=True)
    assert systemd.is_usable()


def test_the_first_look_after_a_boot_puts_flags_up(host: FolderHost) -> None:
    """After a boot that only cron knows of, the first reconcile puts all flags up, and the next changes nothing."""
    host.hook()
    digest, members = make_bundle(host, **BY_CRON)
    host.good("stage", members, plan_digest=digest)
    with host.cron():
        host.good("arm", plan_digest=digest)
    host.reboot()
    assert not host.is_ours()
    assert host.reconcile(boot=True).is_changed
    assert all(host.is_ours(site) for site in SITES)
    assert not host.reconcile().is_changed
