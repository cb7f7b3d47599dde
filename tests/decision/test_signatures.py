# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has signed, with real keys: each case in a file, with everything that is said."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from piquet.cli import run_command
from piquet.decision.document import decision_document
from piquet.decision.signed_folder import keep_signature
from piquet.load import load_campaign
from piquet.protocol.decision import decision_digest
from piquet.protocol.signatures import SigningRole, count_signatures
from piquet.protocol.signers import DECISION_NAMESPACE, read_signers
from piquet.protocol.ssh_keygen import verify_signature
from tests.case_files import CaseFile, read_case

from .keys import lay_out, public_line, sign_raw

HERE = Path(__file__).parent
CASES = [read_case(file) for file in sorted((HERE / "cases").glob("*.txt"))]
SIGNED = Path("mandate/signed")


class Steps:
    """What a case does, one word a method: the first of a step; what is said is the answer."""

    def __init__(self, keys: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
        self.keys, self.capfd = keys, capfd

    def take(self, step: str) -> str:
        """One step, and what it answers."""
        verb, _, rest = step.partition(" ")
        self.capfd.readouterr()
        code = getattr(self, verb)(*rest.split(" ", 2)) if rest else getattr(self, verb)()
        said = self.capfd.readouterr()
        ended = f"exit code {code}\n" if isinstance(code, int) else ""
        return f"$ {step}\n{ended}{said.out}{said.err}"

    def sign(self, name: str, key: str) -> int:
        """As people do."""
        return run_command(["decision", "sign", "campaign.yml", "--as", name, "--key", str(self.keys[key])])

    def status(self) -> int:
        """As people do."""
        return run_command(["decision", "status", "campaign.yml"])

    def raw(self, name: str, key: str, namespace: str) -> None:
        """Somebody signs by ssh-keygen alone, and puts the file where it is looked for."""
        keep_signature(
            Path("campaign.yml"), document(), name, sign_raw(self.keys[key], namespace, document())
        )

    def append(self, file: str, *words: str) -> None:
        """Write at a file's end."""
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(" ".join(words) + "\n")

    def replace(self, file: str, old: str, new: str) -> None:
        """Write something else in a file."""
        Path(file).write_text(Path(file).read_text("utf-8").replace(old, new), "utf-8")

    def write(self, file: str, text: str) -> None:
        """Make a file."""
        path = Path(file.replace("SIGNED", str(SIGNED / decision_digest(document()))))
        path.parent.mkdir(parents=True)
        path.write_text(text)

    def carry(self) -> None:
        """Somebody copies the signatures to where those of this decision lie."""
        (other,) = SIGNED.iterdir()
        shutil.copytree(other, SIGNED / decision_digest(document()))


def document() -> bytes:
    """The decision of the campaign in this folder."""
    loaded = load_campaign(Path("campaign.yml"))
    return decision_document(loaded.campaign, loaded.pages)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_signed_is_told(
    case: CaseFile,
    keys: dict[str, Path],
    tmp_path: Path,
    is_regenerating: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Every reason with its place; digests are numbered as they come, keys are not in it."""
    lay_out(case, tmp_path, keys)
    monkeypatch.chdir(tmp_path)
    steps = Steps(keys, capfd)
    told = [steps.take(step) for key, step in case.head.items() if key.startswith("step ")]
    text = "\n".join(told)
    found = dict.fromkeys(re.findall(r"\b[0-9a-f]{64}\b", text))
    for number, digest in enumerate(found, 1):
        text = text.replace(digest, f"DIGEST-{number}")
    if is_regenerating:
        case.expect(text)
    assert case.expected == text


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """An agent of its own; call it with a key to be held."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield lambda key: subprocess.run(["ssh-add", "-q", str(key)], check=True, env={**os.environ}) and None
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(("name", "key"), [("alice@example.org", "alice"), ("bob@example.org", "bob")])
def test_an_agent_signs(
    name: str,
    key: str,
    agent: Callable[[Path], None],
    keys: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Without --key the agent's key of that name is taken, ed25519 or RSA; another one in it is not."""
    lay_out(CaseFile(Path("agent")), tmp_path / "c", keys)
    monkeypatch.chdir(tmp_path / "c")
    agent(keys["mallory"])
    assert run_command(["decision", "sign", "campaign.yml", "--as", name]) == 5
    assert f"the agent holds no key of {name}" in capfd.readouterr().err
    agent(keys[key])
    assert run_command(["decision", "sign", "campaign.yml", "--as", name]) == 0
    assert f"assembly: 1 of 2: {name}; 1 missing" in capfd.readouterr().out


def test_a_key_is_valid_from_its_first_second_to_before_its_last(keys: dict[str, Path]) -> None:
    """At the instant that is asked for, whatever the clock says."""
    times = 'valid-after="20261201000000Z",valid-before="20261202000000Z"'
    signers, faults = read_signers(f"alice {times} {public_line(keys['alice'])}\n")
    signature = {"alice": sign_raw(keys["alice"], DECISION_NAMESPACE, b"x")}
    begin = 1796083200
    answers = [
        count_signatures(
            [SigningRole("a", 1, signers)], signature, b"x", DECISION_NAMESPACE, at, verify_signature
        )[0][0].signed
        for at in (begin - 1, begin, begin + 86399, begin + 86400)
    ]
    assert (faults, answers) == ((), [(), ("alice",), ("alice",), ()])
