# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge that asks `ssh-keygen` whether a signature holds; the same on controller and host, offline.

What it reads is written anew from what was read and checked: one line, one name, one key. OpenSSH 8.0 and later.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import List

from piquet.protocol.signers import Signer

SSH_KEYGEN = "ssh-keygen"
_TIMEOUT_S = 60


class SshKeygenMissing(Exception):  # noqa: N818 - becomes an error of whoever asked
    """There is no ssh-keygen here, or it does not know signatures."""


def verify_signature(signer: Signer, signature: bytes, message: bytes, namespace: str) -> bool:
    """Whether it is this signer's signature over the message in this namespace.

    Raises:
        SshKeygenMissing: nothing can be said, as there is nobody to ask.
    """
    with tempfile.TemporaryDirectory(prefix="piquet-verify-") as folder:
        allowed, signed = Path(folder) / "allowed", Path(folder) / "signature"
        line = f'{signer.name} namespaces="{namespace}" {signer.key_type} {signer.key}\n'
        allowed.write_text(line, encoding="ascii")
        signed.write_bytes(signature)
        asked = ["-Y", "verify", "-f", str(allowed), "-I", signer.name, "-n", namespace]
        return run_ssh_keygen([*asked, "-s", str(signed)], message).returncode == 0


def run_ssh_keygen(arguments: List[str], given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run it without a terminal's language.

    Raises:
        SshKeygenMissing: it cannot be started, or does not end.
    """
    try:
        return subprocess.run(
            [SSH_KEYGEN, *arguments],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise SshKeygenMissing(f"ssh-keygen (package openssh-client) cannot be run: {err}") from err
