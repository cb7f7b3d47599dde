# SPDX-License-Identifier: GPL-3.0-or-later
"""Real keys of ssh, made once for a run: Bob's is RSA, all others are ed25519."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.case_files import CaseFile

PEOPLE = ("alice", "bob", "carol", "director", "mallory")
RSA = "bob"


def make_keys(folder: Path) -> dict[str, Path]:
    """Name → private key file, without a passphrase; the public one lies beside it."""
    keys = {name: folder / name for name in PEOPLE}
    for name, file in keys.items():
        kind = ["-t", "rsa", "-b", "2048"] if name == RSA else ["-t", "ed25519"]
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", "", *kind, "-f", file], check=True)
    return keys


def public_line(key: Path) -> str:
    """Type and key, as a signers' file has them."""
    return " ".join(key.with_name(f"{key.name}.pub").read_text("ascii").split()[:2])


def sign_raw(key: Path, namespace: str, message: bytes) -> bytes:
    """A signature made by ssh-keygen alone, with no code of ours."""
    command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", namespace]
    return subprocess.run(command, input=message, stdout=subprocess.PIPE, check=True).stdout


def lay_out(case: CaseFile, folder: Path, keys: dict[str, Path]) -> None:
    """Make the campaign's folder: base, the case over it, and the public keys in the signers' files."""
    shutil.copytree(Path(__file__).parent / "base", folder, dirs_exist_ok=True)
    for name in case.links:
        (folder / name).unlink()
    case.write_to(folder)
    for file in folder.glob("mandate/*.allowed_signers"):
        if file.is_file():
            text = file.read_text("utf-8")
            for name, key in keys.items():
                text = text.replace(f"{{{name}}}", public_line(key))
            file.write_text(text, "utf-8")
