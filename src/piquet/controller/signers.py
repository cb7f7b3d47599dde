# SPDX-License-Identifier: GPL-3.0-or-later
"""What `trust` and the stop of a decision carry to a host, with whatever signatures lie beside it."""

from __future__ import annotations

from pathlib import Path

from piquet.decision.signed_folder import read_signatures, signatures_in
from piquet.errors import MandateError
from piquet.load import load_campaign
from piquet.protocol.places import SIGNATURES, STOP_FILE, TRUST_FILE
from piquet.protocol.stopping import read_stop
from piquet.protocol.trust import trust_document


def trust_members(campaign: Path) -> dict[str, bytes]:
    """The members of the payload, by name.

    Raises:
        CampaignError: the campaign or a file of signers cannot be used.
        MandateError: it names no role, so that there is nobody to pin.
    """
    roles = load_campaign(campaign).roles
    if not roles:
        raise MandateError(
            "this campaign names nobody who may decide\n\n"
            "  hint: name roles with a threshold and a file of signers under `mandate`"
        )
    document = trust_document(roles)
    signatures = read_signatures(campaign, document)
    return {TRUST_FILE: document, **{f"{SIGNATURES}{name}": text for name, text in signatures.items()}}


def stop_members(folder: Path) -> dict[str, bytes]:
    """The members of the payload that stops a decision, from the folder that `piquet decision stop` has made.

    Raises:
        MandateError: there is no stop in it.
    """
    try:
        document = (folder / STOP_FILE).read_bytes()
        read_stop(document)
    except (OSError, ValueError) as err:
        hint = "name the folder that `piquet decision stop` prints"
        raise MandateError(f"{folder} holds no stop of a decision: {err}\n\n  hint: {hint}") from err
    signatures = signatures_in(folder)
    return {STOP_FILE: document, **{f"{SIGNATURES}{name}": text for name, text in signatures.items()}}
