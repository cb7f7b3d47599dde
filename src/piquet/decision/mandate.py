# SPDX-License-Identifier: GPL-3.0-or-later
"""Who decided, in one of three kinds that are said loudly: no mandate, recorded, signed. No file, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from piquet.campaign.model import Campaign
from piquet.protocol.signatures import Refused, RoleCount

MandateKind = Literal["no mandate", "recorded", "not signed yet", "signed"]


@dataclass(frozen=True)
class MandateState:
    """How far the mandate of a decision is.

    Attributes:
        campaign: whose.
        digest: of its decision.
        counts: each role; empty where nobody is asked to sign.
        refused: signatures over it that count for nobody.
    """

    campaign: Campaign
    digest: str
    counts: tuple[RoleCount, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def kind(self) -> MandateKind:
        """What is to be said of it."""
        if self.campaign.mandate is None:
            return "no mandate"
        if not self.counts:
            return "recorded"
        return "not signed yet" if any(count.missing for count in self.counts) else "signed"

    def lines(self) -> Iterator[str]:
        """For people: the decision, the kind in capitals, and each role."""
        yield f"decision {self.digest}, revision {self.campaign.revision}"
        yield f"mandate: {self.kind.upper()}{_MEANING[self.kind].format(mandate=self._record())}"
        yield from (f"  {role_line(count)}" for count in self.counts)
        yield from (f"  not counted, {refused.name}: {refused.reason}" for refused in self.refused)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        roles = {
            count.role.name: {"threshold": count.role.threshold, "signed": list(count.signed)}
            for count in self.counts
        }
        return {
            "digest": self.digest,
            "revision": self.campaign.revision,
            "mandate": self.kind,
            "roles": roles,
            "refused": [vars(refused) for refused in self.refused],
        }

    def _record(self) -> str:
        mandate = self.campaign.mandate
        return f"{mandate.decision}, {mandate.decided_on}" if mandate else ""


_MEANING: dict[MandateKind, str] = {
    "no mandate": " – the campaign names nobody who decided this",
    "recorded": " ONLY – {mandate}; nobody's signature is asked for or checked",
    "not signed yet": " – {mandate}",
    "signed": " – {mandate}",
}


def role_line(count: RoleCount) -> str:
    """A role: how many signed, who, and how many are missing."""
    who = f": {', '.join(count.signed)}" if count.signed else ""
    missing = f"; {count.missing} missing" if count.missing else ""
    return f"{count.role.name}: {len(count.signed)} of {count.role.threshold}{who}{missing}"
