# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine whose memory is too little for its server with our part in it: refused before any reload."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from piquet.host.system import memory
from tests.host.codes import codes
from tests.host.folder_host import FolderHost

LITTLE, PLENTY = "MemAvailable: 1000 kB\nSwapFree: 24 kB\n", "MemAvailable: 100000000 kB\nSwapFree: 0 kB\n"


@pytest.fixture
def large(host: FolderHost) -> FolderHost:
    """A process larger than this one has just ended, as the test of a server with many sites has."""
    size_kb = 2 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    subprocess.run([sys.executable, "-c", f"len(bytearray(b'x') * {size_kb << 10})"], check=True)
    assert memory.largest_child_kb() > size_kb
    return host


def say(host: FolderHost, text: str) -> None:
    """What the machine says of its memory."""
    (host.root / "proc/meminfo").write_text(text)


def test_hook_and_stage_are_put_back(large: FolderHost) -> None:
    """Every file is as it was; with enough of it both are carried out."""
    files = (large.good("survey").survey or {})["nginx"]["files"]
    digest, members = large.bundle()
    for verb, more in (("hook", {"files": files}), ("stage", {"members": members, "plan_digest": digest})):
        before = large.tree()
        say(large, LITTLE)
        refused = large.ask(verb, **more)
        assert codes(refused) == {"memory-short"}, [f.to_json() for f in refused.findings]
        assert [f.got for f in refused.findings] == ["1 MB"]
        say(large, PLENTY)
        assert {k: v for k, v in large.tree().items() if k != "proc/meminfo"} == before
        assert large.good(verb, **more).is_changed


def test_a_release_asks_for_no_memory(large: FolderHost) -> None:
    """Rollback, unhook, remove and what they reload go on."""
    large.arm()
    say(large, LITTLE)
    large.good("rollback")
    assert not large.is_ours()
    large.good("unhook")
    large.good("remove")


def test_what_a_machine_does_not_say_is_no_reason(tmp_path: Path) -> None:
    """No such file, another form of it, and a process that there is not."""
    assert memory.available_kb(tmp_path / "none") is None
    (tmp_path / "other").write_text("Mem: much\n")
    assert memory.available_kb(tmp_path / "other") is None
    assert memory.resident_kb(2**30) == 0
    (tmp_path / "both").write_text(LITTLE)
    assert memory.available_kb(tmp_path / "both") == 1024
