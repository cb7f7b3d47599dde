# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of web server as gates judge it. No file, no network, no clock."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from piquet.campaign.model import Campaign
from piquet.fleet.model import Host, Provider
from piquet.fleet.surveyed_server import FactsT, SurveyedServer
from piquet.plan.model import HostPlan
from piquet.protocol.findings import Finding


class JudgedServer(SurveyedServer[FactsT]):
    """What gates ask of each kind.

    Attributes:
        needed: modules without which nothing of ours works there.
        dropin_example: such a folder as it takes our file from.
    """

    needed: tuple[str, ...] = ()
    dropin_example: str

    @abstractmethod
    def how_to_load(self, modules: Iterable[str]) -> str:
        """What the owner does about modules that are missing."""

    @abstractmethod
    def server_findings(self, host: str, server: FactsT) -> Iterator[Finding]:
        """What a server tells, whatever a campaign asks of it."""

    def survey_findings(self, host: str, server: FactsT) -> Iterator[Finding]:
        """What a survey says besides, since a plan says it more exactly of its own sites."""
        yield from ()

    @abstractmethod
    def plan_findings(
        self, campaign: Campaign, host: Host, host_plan: HostPlan, shown: Set[int], server: FactsT
    ) -> Iterator[Finding]:
        """What a server lacks for its own sites' phases, and what stands in their way.

        Args:
            campaign: what is asked for.
            host: as it was surveyed.
            host_plan: what it shows.
            shown: numbers of the phases in which its sites take part.
            server: of this kind, on that host.
        """


JudgedKinds = Mapping[Provider, JudgedServer[Any]]
