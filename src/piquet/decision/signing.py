# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge that has `ssh-keygen` sign, with a key file, an agent or a security key, and counts what was signed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from piquet.decision.mandate import MandateState
from piquet.decision.signed_folder import SignedDecision
from piquet.errors import MandateError
from piquet.load import LoadedCampaign
from piquet.protocol.decision import decision_digest
from piquet.protocol.signatures import SigningRole, count_signatures
from piquet.protocol.signers import DECISION_NAMESPACE, Signer
from piquet.protocol.ssh_keygen import SSH_KEYGEN, SshKeygenMissing, verify_signature


def mandate_state(loaded: LoadedCampaign, signed: SignedDecision, at: float) -> MandateState:
    """Count the signatures over a decision at a second of the epoch.

    Raises:
        MandateError: there is no ssh-keygen to ask.
    """
    try:
        counts, refused = count_signatures(
            loaded.roles, signed.signatures, signed.document, DECISION_NAMESPACE, at, verify_signature
        )
    except SshKeygenMissing as err:
        raise MandateError(str(err)) from err
    return MandateState(loaded.campaign, decision_digest(signed.document), counts, refused)


def sign_message(
    loaded: LoadedCampaign, name: str, key: Path | None, message: bytes, namespace: str, at: float
) -> bytes:
    """A person's signature, which holds for at least one role.

    Args:
        loaded: says who may sign.
        name: of the person, as the signers' files have it.
        key: private key, or public key of one in the agent; without it the agent is asked for a key of that name.
        message: what is signed.
        namespace: in which.
        at: now, seconds of the epoch.

    Raises:
        MandateError: nobody of that name may sign, no key of theirs is here, or it is not theirs.
    """
    own = {signer.key: signer for role in loaded.roles for signer in role.signers if signer.name == name}
    if not own:
        raise _unknown_signer(loaded, name)
    with tempfile.TemporaryDirectory(prefix="piquet-sign-") as folder:
        file = key or _agent_key(own.values(), Path(folder), name)
        made = raw_signature(file, message, namespace)
    try:
        counts, refused = count_signatures(
            _roles_of(loaded, name), {name: made}, message, namespace, at, verify_signature
        )
    except SshKeygenMissing as err:
        raise MandateError(str(err)) from err
    if refused or not any(found.signed for found in counts):
        reason = refused[0].reason if refused else "it counts for nobody"
        raise MandateError(
            f"this signature of {name} is not kept: {reason}\n\n"
            f"  hint: sign with a key that stands beside {name} in a file of signers"
        )
    return made


def raw_signature(key: Path, message: bytes, namespace: str) -> bytes:
    """What ssh-keygen makes with a key; whether it counts is another question.

    Raises:
        MandateError: it has not signed.
    """
    made = _run([SSH_KEYGEN, "-Y", "sign", "-f", str(key), "-n", namespace], message)
    if made.returncode or not made.stdout:
        raise MandateError(
            "ssh-keygen has not signed\n\n  hint: its own words are above; is that the right --key?"
        )
    return made.stdout


def _roles_of(loaded: LoadedCampaign, name: str) -> list[SigningRole]:
    """The roles with this person alone."""
    return [
        SigningRole(role.name, role.threshold, tuple(s for s in role.signers if s.name == name))
        for role in loaded.roles
    ]


def _unknown_signer(loaded: LoadedCampaign, name: str) -> MandateError:
    known = sorted({signer.name for role in loaded.roles for signer in role.signers})
    if not known:
        return MandateError(
            "this campaign asks for no signature\n\n"
            "  hint: name roles with a threshold and a file of signers under `mandate`"
        )
    shown = ", ".join(known[:20]) + (" …" if len(known) > 20 else "")
    return MandateError(f"nobody called {name!a} may sign\n  expected: {shown}\n  got:      {name!a}")


def _agent_key(own: Iterable[Signer], folder: Path, name: str) -> Path:
    """The public key of one that the agent holds, in a file."""
    listed = _run(["ssh-add", "-L"]).stdout.decode("utf-8", "replace")
    held = {line.split()[1] for line in listed.splitlines() if len(line.split()) > 1}
    for signer in own:
        if signer.key in held:
            file = folder / "key.pub"
            file.write_text(f"{signer.key_type} {signer.key}\n", "ascii")
            return file
    raise MandateError(f"the agent holds no key of {name}\n\n  hint: ssh-add it, or say --key FILE")


def _run(command: list[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """What is said to people goes to the terminal, where a passphrase or a touch is asked for."""
    try:
        return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=False)
    except OSError as err:
        raise MandateError(f"{command[0]} (package openssh-client) cannot be run: {err}") from err
