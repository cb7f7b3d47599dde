# SPDX-License-Identifier: GPL-3.0-or-later
"""What releases takes the flags away before the rest of the agent is loaded, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from piquet.agent_archive import payload
from piquet.host import __main__ as program
from piquet.host import command_line, release_first
from tests.host.folder_host import FolderHost


@pytest.fixture
def armed(host: FolderHost, monkeypatch: pytest.MonkeyPatch) -> FolderHost:
    """A host that is armed, where the agent takes itself to be."""
    host.arm()
    monkeypatch.setattr(release_first, "Paths", lambda: host.paths)
    monkeypatch.setattr(command_line, "this_machine", host.machine)
    return host


def request(folder: Path, **document: object) -> str:
    """A payload, as it lies on a host."""
    file = folder / "request.zip"
    file.write_bytes(payload({"at": 0, **document}))
    return str(file)


@pytest.mark.parametrize("verb", ["rollback", "remove"])
@pytest.mark.parametrize("is_request", [True, False])
def test_flags_are_down_before_anything_else(
    armed: FolderHost, tmp_path: Path, verb: str, is_request: bool
) -> None:
    """By the controller and by somebody at the machine; an arm that is under way is called back."""
    arguments = ["--request"] if is_request else [verb]
    assert release_first.release_first(arguments, request(tmp_path, verb=verb))
    assert not armed.paths.live.is_symlink() and armed.paths.recall.exists()
    assert armed.paths.armed.exists(), "all else is the verb's"


@pytest.mark.parametrize(
    "document",
    [
        {"verb": "status"},
        {"verb": "rollback", "check": True},
        {"verb": ["rollback"]},
        {"verb": "unhook"},
        {},
    ],
)
def test_nothing_else_touches_them(armed: FolderHost, tmp_path: Path, document: dict[str, object]) -> None:
    """Not check mode, not what cannot be read."""
    assert not release_first.release_first(["--request"], request(tmp_path, **document))
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK")
    for arguments in (["--request"], ["rollback", "--help"], ["status"], []):
        assert not release_first.release_first(arguments, str(broken))
    assert armed.paths.live.is_symlink() and not armed.paths.recall.exists()


def test_it_is_said_at_once_and_the_rest_follows(
    armed: FolderHost, capsys: pytest.CaptureFixture[str]
) -> None:
    """Flags, then for good, then what the servers say to it."""
    assert program.main(["rollback"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "The flags are down; the servers are asked now."
    assert second.startswith("Released: ")
    assert not armed.paths.armed.exists() and not armed.is_ours()
    assert json.loads(armed.paths.ended.read_text())["reason"] == "rollback"


def test_flags_of_no_arming_are_a_release_too(armed: FolderHost, capsys: pytest.CaptureFixture[str]) -> None:
    """What was there a moment ago is not forgotten in what is said."""
    armed.paths.armed.unlink()
    armed.paths.token.unlink()
    assert program.main(["rollback"]) == 0
    assert "Released: " in capsys.readouterr().out


def test_one_that_resists_is_said_by_the_verb(
    armed: FolderHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody claims that flags are down which are not."""
    real = release_first.flags.take_all_down
    monkeypatch.setattr(release_first.flags, "take_all_down", lambda paths: None)
    assert not release_first.release_first(["rollback"], "x")
    monkeypatch.setattr(release_first.flags, "take_all_down", real)
    assert program.main(["rollback"]) == 0
    assert "Released: " in capsys.readouterr().out
