# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of web server whose configuration is written here. No file, no network, no clock."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from piquet.fleet.model import Provider
from piquet.fleet.surveyed_server import FactsT, Part
from piquet.plan import HostPlan
from piquet.plan.judged_server import JudgedServer
from piquet.servers.view import CampaignView


class ConfiguredServer(JudgedServer[FactsT]):
    """What writing and looking after a configuration asks of each kind.

    Attributes:
        has_hook: whether our line has to stand in its virtual hosts, unless it goes another way.
        error_logs: where packages put them; one that an owner put elsewhere is not found.
        tests: commands that test its configuration, the first that is there; also where our agent is gone.
        units: of systemd that start it, where they are not those that packages give every host.
    """

    has_hook = False
    error_logs: tuple[str, ...] = ()
    tests: tuple[tuple[str, ...], ...] = ()
    units: tuple[str, ...] = ()

    @abstractmethod
    def files(self, view: CampaignView, host: HostPlan, server: FactsT) -> Mapping[str, tuple[str, str]]:
        """Path → (mode, text) of its side of one host.

        Raises:
            BundleError: a value cannot be written safely.
        """

    def needs_hook(self, server: FactsT) -> bool:
        """Whether the way that it goes needs our line."""
        return self.has_hook

    def hook_files(self, part: Part) -> Mapping[str, str]:
        """Files of a survey in which our line may stand, with their sha256."""
        return dict(part.get("files") or {}) if self.has_hook else {}


ConfiguredKinds = Mapping[Provider, ConfiguredServer[Any]]
