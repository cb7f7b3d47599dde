# SPDX-License-Identifier: GPL-3.0-or-later
"""What `trust` carries to a host: the signers of the campaign, and whatever signatures lie beside it."""

from __future__ import annotations

from pathlib import Path

from piquet.decision.signed_folder import read_signatures
from piquet.errors import MandateError
from piquet.load import load_campaign
from piquet.protocol.places import SIGNATURES, TRUST_FILE
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
