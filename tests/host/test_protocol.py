# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in: one payload on one command, one JSON document out; and what the agent may be made of."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import piquet
from piquet import agent_archive
from piquet.host.servers.registry import servers_of
from piquet.host.state.boundaries import Boundary, due
from piquet.host.state.manifest import StagedPhase
from piquet.host.system import platforms, processes, schedule
from piquet.host.system.paths import Paths
from piquet.protocol.findings import Finding
from tests.host.folder_host import FolderHost

PACKAGE = Path(piquet.__file__).parent
MODULES = sorted(file for room in ("host", "protocol") for file in (PACKAGE / room).rglob("*.py"))


def answer(payload: bytes, folder: Path) -> tuple[int, dict[str, object]]:
    """Run a payload as the controller does, with nothing installed around it."""
    file = folder / ".piquet.payload"
    file.write_bytes(payload)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(file), "--request"], capture_output=True, check=False
    )
    assert done.stdout.count(b"\n") == 1, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_payload_answers_with_one_document(tmp_path: Path) -> None:
    """Survey and status only read, so they can be asked of the machine that runs the tests."""
    request = {"verb": "survey", "check": False, "diff": False, "at": time.time(), "host": "here"}
    code, response = answer(agent_archive.payload(request), tmp_path)
    assert code == 0
    assert set(response) == {
        "piquet", "verb", "ok", "changed", "check", "message", "problems", "diff", "status", "survey"
    }  # fmt: skip
    survey = response["survey"]
    assert isinstance(survey, dict)
    assert survey["piquet_survey"] == 1
    assert abs(survey["at"] - time.time()) < 60


def test_a_python_of_another_version_reads_the_sources_of_a_payload(tmp_path: Path) -> None:
    """The compiled modules are of the controller's Python; another one passes them over, and answers the same."""
    file = tmp_path / "payload"
    with (
        zipfile.ZipFile(io.BytesIO(agent_archive.payload({"verb": "status"}))) as ours,
        zipfile.ZipFile(file, "w") as other,
    ):
        for name in ours.namelist():
            data = ours.read(name)
            other.writestr(name, b"\0\0\r\n" + data[4:] if name.endswith(".pyc") else data)
    code, response = answer(file.read_bytes(), tmp_path)
    assert (code, response["ok"]) == (0, True)


def test_the_compiled_modules_of_a_payload_are_used(tmp_path: Path) -> None:
    """Without their sources the agent runs all the same, which it could not if its Python passed them over."""
    file = tmp_path / "payload"
    with (
        zipfile.ZipFile(io.BytesIO(agent_archive.payload({"verb": "status"}))) as ours,
        zipfile.ZipFile(file, "w") as other,
    ):
        for name in ours.namelist():
            if name == "__main__.py" or not name.endswith(".py"):
                other.writestr(name, ours.read(name))
    code, response = answer(file.read_bytes(), tmp_path)
    assert (code, response["ok"]) == (0, True)


def test_an_agent_whose_file_is_gone_after_its_work_still_answers(tmp_path: Path) -> None:
    """`piquet-host remove` deletes itself; what it says then needs nothing of that file any more."""
    agent, script = tmp_path / "piquet-host", tmp_path / "run.py"
    agent.write_bytes(agent_archive.agent_zipapp())
    script.write_text(
        "import os, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from piquet.host import outcome, request\n"
        "from piquet.host.machine import this_machine\n"
        "def work(machine, asked):\n"
        "    os.unlink(sys.argv[1])\n"
        "    return outcome.Outcome(True, 'Removed.')\n"
        "request._verb = lambda name: work\n"
        "print(request.respond(this_machine('root'), outcome.Request('remove'))['status']['state'])\n",
        "utf-8",
    )
    argv = [sys.executable, "-I", str(script), str(agent)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.strip() != "unknown", done.stdout


@pytest.mark.parametrize("request_document", [{"verb": "no such"}, {"at": "soon", "verb": "status"}])
def test_a_payload_that_is_no_request_is_answered_too(
    tmp_path: Path, request_document: dict[str, str]
) -> None:
    """Not a traceback: a document that says what is wrong, and exit code 1."""
    code, response = answer(agent_archive.payload(request_document), tmp_path)
    assert (code, response["ok"]) == (1, False)
    assert response["problems"]


def test_the_installed_agent_is_one_file(tmp_path: Path) -> None:
    """It prints its help by itself; status is for people and for programs."""
    file = tmp_path / "piquet-host"
    file.write_bytes(agent_archive.agent_zipapp())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(file), "status", "--json"], capture_output=True, check=True
    )
    assert json.loads(done.stdout)["state"] in ("absent", "staged", "armed", "stopped", "ended")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_old_python_and_nothing_but_its_library(path: Path) -> None:
    """Python 3.8 can parse it; it imports the standard library and itself."""
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    names = [
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    for name in names:
        assert (
            name.startswith(("piquet.host", "piquet.protocol"))
            or name.split(".")[0] in sys.stdlib_module_names
        ), name
    later = {"removeprefix", "removesuffix", "is_relative_to", "readlink", "zoneinfo"}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & (later - {"readlink"}), "Python 3.9"
    assert path.name == "__init__.py" or "from __future__ import annotations" in path.read_text()


def test_a_finding_is_read_as_it_was_written() -> None:
    """The controller reads what the agent writes, field by field."""
    made = Finding("error", "a-code", "host", "Message.", "this", "that", "do it", ("a.example",))
    assert Finding.from_json(made.to_json()) == made


def test_names_that_are_no_list_are_none() -> None:
    """A host writes what it likes."""
    record = {"severity": "error", "code": "a-code", "subject": "host", "message": "Message."}
    for sites in (5, "a.example", {"a.example": 1}, None):
        assert Finding.from_json({**record, "sites": sites}).sites == ()


def test_boundaries_are_due_until_confirmed() -> None:
    """Before the start nothing is asked; then each boundary once it has passed; disarmed, that all is gone."""
    phases = (StagedPhase(1, "block", 10, 20), StagedPhase(2, "block", 20, 30))
    assert due(phases, 9.999, True, ()) == ()
    assert due(phases, 10, True, ()) == (Boundary(1, "start"),)
    assert due(phases, 10, True, ("1/start",)) == ()
    assert due(phases, 20, True, ("1/start",)) == (Boundary(1, "end"), Boundary(2, "start"))
    assert due(phases, 15, False, ("1/start",)) == (Boundary(1, "release"),)


def test_platforms_are_found_by_family() -> None:
    """A derivative belongs to the family that its ID_LIKE names."""
    text = 'NAME="Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n# no\n'
    assert platforms.platform_of(platforms.parse_os_release(text)).name == "debian"
    rocky = platforms.platform_of({"ID": "rocky", "ID_LIKE": "rhel centos fedora"})
    assert servers_of(rocky, Paths())["apache"].packaged.command == ("httpd",)
    assert platforms.platform_of({}).name == "unknown"


def test_the_next_elapse_is_utc() -> None:
    """As systemctl prints it with TZ=UTC."""
    shown = "ActiveState=active\nNextElapseUSecRealtime=Thu 2026-12-17 00:00:00 UTC\n"
    assert schedule._elapse(shown) == 1797465600.0
    assert schedule._elapse("ActiveState=inactive\nNextElapseUSecRealtime=\n") is None


def test_processes_are_measured_on_the_boot_clock() -> None:
    """A process that was just started is as young as it says; a dead one is none."""
    before = processes.uptime_s()
    child = subprocess.Popen(["sleep", "30"])
    found = processes.process(child.pid)
    assert found is not None
    assert before - 0.05 <= found.started_s <= processes.uptime_s()
    child.kill()
    time.sleep(0.05)
    assert processes.process(child.pid) is None, "a zombie serves nobody"
    child.wait()


def test_the_end_comes_even_if_somebody_hangs_with_the_lock(
    still: FolderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the end, flags go without the lock; before it, they are the holder's business."""
    from piquet.host.state import flags
    from piquet.host.system import lock
    from piquet.host.verbs import reconcile
    from tests.host.arming import arm

    still.hook()
    still.stage()
    arm(still)
    real = lock.locked
    monkeypatch.setattr(reconcile, "locked", lambda paths: real(paths, wait_s=0.05))
    with real(still.paths):
        assert not still.reconcile().is_ok
        assert flags.up(still.paths)
        still.now += 7200
        assert not still.reconcile().is_ok
        assert flags.up(still.paths) is None
    assert still.reconcile().is_ok
    assert not still.paths.armed.exists()


def test_a_garbled_register_does_not_keep_a_picket_up(still: FolderHost) -> None:
    """Valid JSON that is no register: said, and the end comes."""
    from tests.host.arming import arm

    still.hook()
    still.stage()
    arm(still)
    still.paths.checkpoint.write_text('{"steps": [{}]}')
    still.now += 7200
    outcome = still.reconcile()
    assert {finding.code for finding in outcome.findings} >= {"not-recovered"}
    assert not still.paths.live.is_symlink()
