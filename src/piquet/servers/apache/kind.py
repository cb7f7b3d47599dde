# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache 2.4, by rules or by mod_lua."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Self

from piquet.campaign.model import Campaign
from piquet.fleet.model import Host, Provider, Variant
from piquet.fleet.surveyed_server import Part
from piquet.plan import HostPlan
from piquet.protocol.findings import Finding
from piquet.protocol.server_names import suffix_of
from piquet.servers.apache.facts import ApacheFacts, apache_facts
from piquet.servers.apache.files import apache_files
from piquet.servers.apache.mode_gates import apache_mode_findings
from piquet.servers.apache.server_gates import apache_server_findings, before_and_behind_ours
from piquet.servers.apache.site_gates import apache_site_findings
from piquet.servers.configured_server import ConfiguredServer
from piquet.servers.view import CampaignView


class ApacheKind(ConfiguredServer[ApacheFacts]):
    """The kind."""

    name, title = "apache", "Apache"
    vhosts = "vhosts"
    ways: Mapping[Variant, str] = {"rules": "by rules", "lua": "by Lua"}
    auto = "lua where its module is loaded and linked with Lua 5.3 or older, else rules"
    needed = ("alias_module", "headers_module")
    dropin_example = "/etc/apache2/conf-enabled"
    error_logs: tuple[str, ...] = ("/var/log/apache2/error.log", "/var/log/httpd/error_log")
    tests: tuple[tuple[str, ...], ...] = (("apache2ctl", "-t"), ("apachectl", "-t"), ("httpd", "-t"))
    has_instances = True

    def of_instance(self, name: Provider) -> Self:
        """As Debian's `setup-instance` makes it; its suffix has no letter that means anything to a shell."""
        found = super().of_instance(name)
        at = f"apache2-{suffix_of(name)}"
        found.dropin_example = f"/etc/{at}/conf-enabled"
        found.error_logs = (f"/var/log/{at}/error.log",)
        found.tests = (("env", f"APACHE_CONFDIR=/etc/{at}", "apache2ctl", "-t"),)
        found.units = (f"apache2@{suffix_of(name)}.service",)
        return found

    def facts(self, part: Part) -> ApacheFacts:
        """What a survey says of it."""
        return apache_facts(part, self.common_facts(part))

    def automatic(self, facts: ApacheFacts) -> Variant:
        """Lua where it is loaded, runs our code, and the owner uses none, which would need a state for each request."""
        return "lua" if facts.has_lua and facts.takes_lua_inline and not facts.has_own_lua else "rules"

    def how_to_load(self, modules: Iterable[str]) -> str:
        """By its owner."""
        enable = " ".join(name.removesuffix("_module") for name in modules)
        return f"a2enmod {enable} and a reload; never done by us, as <IfModule> sections would wake up"

    def server_findings(self, host: str, server: ApacheFacts) -> Iterator[Finding]:
        """Its rules, names, caches and filters."""
        yield from apache_server_findings(host, server)

    def survey_findings(self, host: str, server: ApacheFacts) -> Iterator[Finding]:
        """Modules that act before ours, or judge it."""
        yield from before_and_behind_ours(host, server)

    def plan_findings(
        self, campaign: Campaign, host: Host, host_plan: HostPlan, shown: Set[int], server: ApacheFacts
    ) -> Iterator[Finding]:
        """By modes, then by sites."""
        yield from apache_mode_findings(campaign, host_plan, shown, server)
        yield from apache_site_findings(host_plan, server)

    def files(self, view: CampaignView, host: HostPlan, server: ApacheFacts) -> Mapping[str, tuple[str, str]]:
        """Our drop-in, what it includes, and what its expressions ask for among the pages."""
        return apache_files(view, host, server)


APACHE_KIND = ApacheKind()
