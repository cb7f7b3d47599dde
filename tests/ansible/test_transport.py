# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a payload through real shells: one command, private files, nothing left behind."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from piquet.controller.answer import CommandOutcome
from piquet.controller.transport import (
    COPIED,
    PIPED,
    TYPED,
    deliver,
    piped_command,
    typed_command,
    typed_outcome,
)
from piquet.errors import HostError

ECHO = b"import json, os, sys\nprint(json.dumps([sys.argv, os.stat(sys.argv[0]).st_mode & 0o777]))\nsys.exit(3)\n"


class ThisMachine:
    """A `Remote` that is this machine; counts its round trips."""

    def __init__(self, can_pipe: bool, is_text_only: bool = False) -> None:
        self.can_pipe = can_pipe
        self.is_text_only = is_text_only
        self.trips: list[str] = []

    def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
        """Run by sh, as a connection would."""
        self.trips.append("root" if as_root else "user")
        done = subprocess.run(command, shell=True, input=data, capture_output=True, check=False)
        return CommandOutcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def put(self, data: bytes, path: str) -> None:
        """Write the file, as a connection would."""
        self.trips.append("put")
        Path(path).write_bytes(data)


@pytest.mark.parametrize(
    ("can_pipe", "is_text_only", "trips", "words"),
    [
        (True, False, ["root"], PIPED),
        (True, True, ["root"], TYPED),
        (False, False, ["user", "put", "root"], COPIED),
    ],
)
def test_payload_runs_privately_and_leaves_nothing(
    can_pipe: bool, is_text_only: bool, trips: list[str], words: str
) -> None:
    """One round trip where the connection can; otherwise copied, and it says so. Exit status is passed on."""
    remote = ThisMachine(can_pipe, is_text_only)
    outcome, transport = deliver(remote, ECHO, sys.executable)
    (file, flag), mode = json.loads(outcome.stdout)
    assert (outcome.rc, flag, mode, transport, remote.trips) == (3, "--request", 0o600, words, trips)
    assert file.startswith("/tmp/.piquet.") and not Path(file).exists()


def test_interpreter_with_blanks_in_its_path(tmp_path: Path) -> None:
    """The path is quoted, whatever it holds."""
    python = tmp_path / "my 'python' $HOME"
    python.symlink_to(sys.executable)
    outcome, _ = deliver(ThisMachine(True), b"print('ran')\n", str(python))
    assert (outcome.rc, outcome.stdout) == (0, "ran\n")


@pytest.mark.parametrize(
    "said", ["/tmp/.piquet./../../etc/passwd", "/tmp/.piquet.12345678\r!id", "/etc/passwd", ""]
)
def test_only_a_name_that_mktemp_makes_is_written_to(said: str) -> None:
    """A host cannot choose where a payload is copied to."""

    class Hostile(ThisMachine):
        def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
            return CommandOutcome(0, f"{said}\n", "\x1b[2J")

    with pytest.raises(HostError) as caught:
        deliver(Hostile(False), ECHO, sys.executable)
    assert "\x1b" not in str(caught.value)


def test_a_payload_cut_short_is_not_run(tmp_path: Path) -> None:
    """A zip file without its end is no program: a lost connection never runs half a payload."""
    from piquet.agent_archive import payload

    whole = payload({"verb": "status"}, {"files/x": bytes(100_000)})
    done = subprocess.run(
        piped_command(sys.executable), shell=True, input=whole[:-40], capture_output=True, check=False
    )
    assert done.returncode != 0 and done.stdout == b""


NOISY = b"""import sys
sys.stdout.buffer.write(b"\\xff" + bytes(range(128)) * 20000)
sys.stderr.write("oh")
sys.exit(7)
"""


def test_a_connection_of_text_lines_never_sees_what_is_no_text() -> None:
    """Bytes that are no UTF-8 and lines without end come through such a connection, and so does the status."""

    class TextOnly(ThisMachine):
        def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
            assert data is not None and max(map(len, data.decode("ascii").split("\n"))) <= 76
            outcome = super().run(f"echo Welcome; echo to >&2; {command}", data, as_root)
            assert max(map(len, outcome.stdout.split("\n"))) <= 76
            return CommandOutcome(0, outcome.stdout, outcome.stderr)

    outcome, transport = deliver(TextOnly(True, is_text_only=True), NOISY, sys.executable)
    expected = "\ufffd" + bytes(range(128)).decode() * 20_000
    assert (outcome.rc, outcome.stdout == expected, outcome.stderr, transport) == (7, True, "to\noh", TYPED)


@pytest.mark.parametrize(
    ("python", "rc", "said"), [("/nowhere/python3", 127, "not found"), ("/bin/false", 1, "")]
)
def test_text_lines_tell_what_failed(python: str, rc: int, said: str) -> None:
    """No Python, or one that only fails: the same status as through a pipe, and the shell's own words."""
    piped, _ = deliver(ThisMachine(True), ECHO, python)
    typed, _ = deliver(ThisMachine(True, is_text_only=True), ECHO, python)
    assert (piped.rc, typed.rc) == (rc, rc)
    assert said in piped.stderr and said in typed.stderr


def test_text_lines_without_our_mark_are_a_failure() -> None:
    """Where the command did not run at all, what was said instead is kept, and no status of 0 is believed."""

    class Refused(ThisMachine):
        def run(self, command: str, data: bytes | None, as_root: bool) -> CommandOutcome:
            return CommandOutcome(0, "", "sudo: a password is required\n")

    outcome, _ = deliver(Refused(True, is_text_only=True), ECHO, sys.executable)
    assert outcome == CommandOutcome(1, "", "sudo: a password is required\n")


@pytest.mark.parametrize(
    ("cut_in_group", "said"),
    [
        (0, r"can't find '__main__' module in '(/tmp/\.piquet\.\w+)'|SyntaxError"),
        (1, "base64: invalid input"),
    ],
)
def test_a_payload_cut_short_in_text_is_not_run_either(cut_in_group: int, said: str) -> None:
    """Half of a base64 text is half a zip file, or, where the cut is inside of a group of four, no base64 at all."""
    from piquet.agent_archive import payload

    whole = base64.b64encode(payload({"verb": "status"}, {"files/x": bytes(100_000)}))
    half = whole[: len(whole) // 8 * 4 + cut_in_group]
    done = subprocess.run(
        typed_command(sys.executable), shell=True, input=half, capture_output=True, check=False
    )
    outcome = typed_outcome(CommandOutcome(done.returncode, done.stdout.decode(), done.stderr.decode()))
    assert outcome.rc != 0 and outcome.stdout == ""
    assert re.search(said, outcome.stderr), outcome.stderr
    assert not any(Path(file).exists() for file in re.findall(r"/tmp/\.piquet\.\w+", outcome.stderr))
