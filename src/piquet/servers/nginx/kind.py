# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx, by the include line or by its Lua module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

from piquet.campaign.document import shown as in_words
from piquet.campaign.model import Campaign
from piquet.fleet.form import FormError
from piquet.fleet.model import Host, Site, Variant
from piquet.fleet.surveyed_server import Part
from piquet.plan import HostPlan
from piquet.protocol.findings import Finding
from piquet.protocol.places import BY_HOOK
from piquet.servers.configured_server import ConfiguredServer
from piquet.servers.nginx.facts import NginxFacts, nginx_facts, whole_blocks
from piquet.servers.nginx.files import nginx_files
from piquet.servers.nginx.inherited import is_known
from piquet.servers.nginx.mode_gates import nginx_mode_findings
from piquet.servers.nginx.server_gates import flag_cache, own_early_lua, panel_rebuilds, timer_resolution
from piquet.servers.nginx.site_gates import nginx_site_findings
from piquet.servers.view import CampaignView

_HARMLESS = "piquet_nginx_harmless"


class NginxKind(ConfiguredServer[NginxFacts]):
    """The kind."""

    name = title = "nginx"
    vhosts = "blocks"
    ways: Mapping[Variant, str] = {BY_HOOK: "by the include line", "lua": "by Lua, no hook needed"}
    auto = "lua where its module is loaded and free, else include"
    variables = (_HARMLESS,)
    needed = ("http_geo", "http_map", "http_rewrite")
    dropin_example = "/etc/nginx/conf.d"
    has_hook = True
    error_logs = ("/var/log/nginx/error.log",)
    tests = (("nginx", "-t"),)

    def facts(self, part: Part) -> NginxFacts:
        """What a survey says of it."""
        return nginx_facts(part, self.common_facts(part))

    def automatic(self, facts: NginxFacts) -> Variant:
        """Lua where it is loaded and neither the owner's Lua nor any filter is in its way."""
        is_free = not (facts.is_lua_taken or facts.altering or facts.adding)
        return "lua" if facts.has_lua and is_free else BY_HOOK

    def virtual_hosts(self, part: Part) -> Iterator[Part]:
        """Server blocks, with what http hands down to them."""
        if self.vhosts not in part:
            raise KeyError(self.vhosts)
        return whole_blocks(part)

    def is_hooked(self, vhost: Part) -> bool:
        """Whether our line stands in a block, by us or by its owner's template."""
        return vhost["hooked"] in ("ours", "owner")

    def narrowed(self, variables: Mapping[str, Any], sites: Iterable[Site]) -> tuple[Site, ...]:
        """Sites without directives of which somebody has found out that they answer nothing and change nothing."""
        said = variables.get(_HARMLESS)
        harmless = [] if said is None else said
        if not isinstance(harmless, list) or not all(isinstance(one, str) for one in harmless):
            expected = "[vhost_traffic_status_zone, …]"
            raise FormError(f"`{_HARMLESS}` is not a list of directives", expected, in_words(said))
        return tuple(_without_directives(site, frozenset(harmless)) for site in sites)

    def how_to_load(self, modules: Iterable[str]) -> str:
        """They are compiled in, or not there."""
        return "use a build that has them"

    def server_findings(self, host: str, server: NginxFacts) -> Iterator[Finding]:
        """Its clock, Lua of the owner's that acts before the hook, and panels that take the hook out again."""
        yield from timer_resolution(host, server)
        yield from own_early_lua(host, server)
        yield from panel_rebuilds(host, server)

    def survey_findings(self, host: str, server: NginxFacts) -> Iterator[Finding]:
        """What it may go on seeing."""
        yield from flag_cache(host, server)

    def plan_findings(
        self, campaign: Campaign, host: Host, host_plan: HostPlan, shown: Set[int], server: NginxFacts
    ) -> Iterator[Finding]:
        """By modes, then by sites."""
        modes = {phase.mode for phase in campaign.phases if phase.number in shown}
        yield from nginx_mode_findings(host.name, modes, server)
        yield from nginx_site_findings(host, host_plan, server)

    def files(self, view: CampaignView, host: HostPlan, server: NginxFacts) -> Mapping[str, tuple[str, str]]:
        """Our drop-in and what it includes."""
        return nginx_files(view, host, server)

    def needs_hook(self, server: NginxFacts) -> bool:
        """Not by Lua."""
        return server.needs_hook


def _without_directives(site: Site, harmless: frozenset[str]) -> Site:
    """A site without the directives that nobody here can judge and somebody there has."""
    kept = tuple(one for one in site.inherited if one.name not in harmless or is_known(one.name))
    return site if kept == site.inherited else replace(site, inherited=kept)


NGINX_KIND = NginxKind()
