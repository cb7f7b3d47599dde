# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a real bundle in its places, as `stage` puts it there, and a decision with its signatures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from piquet.bundle import Bundle, build_bundles
from piquet.campaign.model import Campaign, Phase, Selection
from piquet.decision.document import decision_document
from piquet.host import decided
from piquet.host.machine import Machine, this_machine
from piquet.host.state import manifest, trust
from piquet.host.system.paths import Paths
from piquet.pages.source import PageSource
from piquet.plan import HostPlan, Plan, plan_document
from piquet.protocol.canonical import canonical
from piquet.protocol.decision import decision_digest
from piquet.protocol.findings import Finding
from piquet.protocol.signatures import SigningRole
from piquet.protocol.signers import DECISION_NAMESPACE, read_signers
from piquet.protocol.trust import trust_document
from tests.render.samples import CAMPAIGN, KEY, PHASE, SECRET, START, facts, host

from .keys import public_line, sign_raw

WAYS = (("nginx", "include"), ("nginx", "lua"), ("apache", "rules"), ("apache", "lua"))
DAY = timedelta(days=1)
PHASES = (
    Phase(1, "banner", START - DAY, START, None, (), "bar", "messages/avant"),
    replace(PHASE, number=2),
    Phase(3, "occupy", START + 2 * DAY, START + 3 * DAY, "pages/une", ("/",)),
)
DECIDED = replace(
    CAMPAIGN,
    phases=PHASES,
    sites=Selection(("*",), (), {"*": "in", "only.example.org": "message", "out.example.org": "out"}),
)
PAGES = tuple(
    PageSource(
        phase.number, tag, f"{phase.number}/{tag}.md", "markdown", f"# Grève {phase.number}\n\n{tag}\n"
    )
    for phase in PHASES
    for tag in ("fr", "en")
)
EVERYTHING: Mapping[str, tuple[int, ...]] = {
    "a.example.org": (1, 2, 3), "*.blogs.example.org": (1, 2, 3), "only.example.org": (1,),
}  # fmt: skip


def planned(way: tuple[str, str], sites: Mapping[str, tuple[int, ...]] = EVERYTHING) -> HostPlan:
    """A host where these names show these phases by a way of a server."""
    made = host(*sites, server=replace(facts(way[0]), variant=way[1]))
    return replace(made, entries=tuple(replace(e, phases=sites[e.name]) for e in made.entries))


class StagedHost:
    """One such host; `now` is its clock."""

    def __init__(self, root: Path, keys: Mapping[str, Path]) -> None:
        self.paths, self.keys = Paths(str(root)), keys
        self.now = START.timestamp() - 7200

    @property
    def machine(self) -> Machine:
        """A fresh look."""
        return this_machine("controller", self.paths, clock=lambda: self.now)

    def roles(self, threshold: int = 2) -> list[SigningRole]:
        """Two of three of the assembly."""
        lines = [f"{name}@example.org {public_line(self.keys[name])}" for name in ("alice", "bob", "carol")]
        return [SigningRole("assembly", threshold, read_signers("\n".join(lines))[0])]

    def pin(self) -> None:
        """As `trust` does."""
        trust.pin(self.paths, trust_document(self.roles()))

    def stage(
        self, plan: HostPlan, campaign: Campaign = DECIDED, pages: Iterable[PageSource] = PAGES,
        decision: bytes | None = None, named: str | None = None,
    ) -> Bundle:  # fmt: skip
        """Put a bundle in its places; `decision` is what lies beside it, and `named` which one its plan names."""
        (bundle,) = build_bundles(Plan(campaign, (plan,), ()), pages, SECRET, KEY)
        document = decision or decision_document(campaign, pages)
        for file in bundle.files:
            path = self.paths.at(file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.kind == "file":
                path.write_bytes(file.content)
        self.paths.manifest.write_bytes(bundle.manifest)
        about = Plan(campaign, (plan,), ())
        manifests = {bundle.host: bundle.manifest_sha256}
        self.paths.plan.write_bytes(plan_document(about, manifests, named or decision_digest(document)))
        self.paths.decision.write_bytes(document)
        return bundle

    def sign(self, *names: str, namespace: str = DECISION_NAMESPACE, message: bytes | None = None) -> None:
        """Signatures by ssh-keygen, over the decision that lies there or over something else."""
        over = message or self.paths.decision.read_bytes()
        texts = {name: sign_raw(self.keys[name], namespace, over).decode() for name in names}
        self.paths.signatures.write_bytes(canonical(texts))

    def refusals(self) -> list[Finding]:
        """What `arm` asks."""
        found = manifest.staged(self.paths)
        assert found is not None
        return decided.refusals_of_decision(self.machine, found)

    def edit(self, change: Any) -> None:
        """Change the manifest, whatever the plan says of it."""
        document = json.loads(self.paths.manifest.read_bytes())
        change(document)
        self.paths.manifest.write_bytes(canonical(document))
