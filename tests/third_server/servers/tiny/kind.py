# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny server: one way, block only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from piquet import answers
from piquet.campaign.model import Campaign
from piquet.fleet.model import Host, ServerFacts, Variant
from piquet.fleet.surveyed_server import Part
from piquet.plan import HostPlan
from piquet.protocol import places
from piquet.protocol.findings import Finding
from piquet.protocol.http import PROOF_PREFIX, SIGN_HEADER
from piquet.servers.configured_server import ConfiguredServer
from piquet.servers.environment import render
from piquet.servers.view import CampaignView


class TinyKind(ConfiguredServer[ServerFacts]):
    """The kind."""

    name = title = "tiny"
    vhosts = "sites"
    ways: Mapping[Variant, str] = {"lines": "by lines"}
    auto = "lines"
    needed = ("files",)
    dropin_example = "/etc/tiny/conf.d"

    def facts(self, part: Part) -> ServerFacts:
        """Nothing of its own."""
        return ServerFacts(**self.common_facts(part))

    def automatic(self, facts: ServerFacts) -> Variant:
        """There is but one way."""
        return self.plain

    def how_to_load(self, modules: Iterable[str]) -> str:
        """They are compiled in."""
        return "take a newer one"

    def server_findings(self, host: str, server: ServerFacts) -> Iterator[Finding]:
        """None."""
        yield from ()

    def plan_findings(
        self, campaign: Campaign, host: Host, host_plan: HostPlan, shown: Set[int], server: ServerFacts
    ) -> Iterator[Finding]:
        """It can only block."""
        if any(phase.mode != "block" for phase in campaign.phases if phase.number in shown):
            yield Finding("error", "tiny-blocks-only", host.name, "a tiny server can only block")

    def files(self, view: CampaignView, host: HostPlan, server: ServerFacts) -> Mapping[str, tuple[str, str]]:
        """One drop-in."""
        phases = {phase.number: phase for phase in view.campaign.phases}
        strikes = [
            {
                "strike": entry.name,
                "flag": f"{places.RUN}/live/{entry.key}",
                "start": int(phases[number].start_at.timestamp()),
                "end": int(phases[number].end_at.timestamp()),
                "page": f"{view.www}/page/{number}/{view.campaign.languages[0]}.html",
                "header": SIGN_HEADER,
                "sign": answers.sign(view.campaign, phases[number]),
            }
            for entry in host.entries
            if entry.provider == self.name
            for number in entry.phases
        ]
        values = {"strikes": strikes, "proof_prefix": PROOF_PREFIX}
        text = render(
            "tiny/strike.conf.j2",
            **view.values(),
            **values,
            purpose="All of it.",
            proof_sign=answers.proof_sign(view.campaign),
        )
        return {f"{server.dropin_dir}/{places.DROPIN}": ("0600", text)}


TINY_KIND = TinyKind()
