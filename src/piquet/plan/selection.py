# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names of a host are meant: include, exclude, consent, and names below a wildcard site.

`exclude` always wins. With a consent list only those who said `in` are blocked: silence is no consent. A name
that the campaign mentions below a wildcard site gets a treatment of its own. No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property

from piquet.campaign.matching import match_pattern
from piquet.campaign.model import Campaign, ConsentAnswer, Phase
from piquet.fleet.model import Host, Listen, Site
from piquet.plan.model import Entry, HostPlan, Probe, UsualSite
from piquet.protocol.entries import entry_key, match_site

_ANY_V4 = ("", "*", "_default_", "0.0.0.0")  # noqa: S104 - compared with, never bound to

_UNWILLING: Mapping[ConsentAnswer | None, str] = {
    None: "without an answer in the consent list",
    "out": "did not agree",
    "message": "agreed to messages only, of which there are none",
    "in": "in no phase",
}
WITHDREW = "took their consent back"
NOT_NAMED = "not among the sites that the inventory names"
"""The reason of what `piquet_sites` and its like leave out."""


@dataclass(frozen=True)
class Selector:
    """The rules of one campaign, ready to be asked about many names."""

    campaign: Campaign

    @cached_property
    def include(self) -> frozenset[str]:
        """Patterns that choose."""
        return frozenset(self.campaign.sites.include)

    @cached_property
    def exclude(self) -> frozenset[str]:
        """Patterns that nothing overrules."""
        return frozenset(self.campaign.sites.exclude)

    @cached_property
    def mentioned(self) -> tuple[str, ...]:
        """Every name and pattern of the campaign but `*`, sorted."""
        return tuple(sorted((self.include | self.exclude | self.withdrawn | self.consent.keys()) - {"*"}))

    @cached_property
    def withdrawn(self) -> frozenset[str]:
        """Names that took their consent back, whatever else is said of them."""
        return frozenset(self.campaign.sites.withdrawn)

    @property
    def consent(self) -> Mapping[str, ConsentAnswer]:
        """Pattern → answer; empty if nobody had to be asked."""
        return self.campaign.sites.consent

    def is_chosen(self, name: str) -> bool:
        """Whether `include`, `exclude` and the withdrawals mean this name."""
        if match_pattern(name, self.withdrawn) is not None:
            return False
        return match_pattern(name, self.include) is not None and match_pattern(name, self.exclude) is None

    def answer(self, name: str) -> ConsentAnswer | None:
        """What the site said; `in` where nobody had to be asked, None for silence."""
        if not self.consent:
            return "in"
        pattern = match_pattern(name, self.consent.keys())
        return None if pattern is None else self.consent[pattern]

    def reason(self, name: str) -> str:
        """Why a name shows nothing, where it does not."""
        if match_pattern(name, self.withdrawn) is not None:
            return WITHDREW
        if match_pattern(name, self.exclude) is not None:
            return "excluded"
        if match_pattern(name, self.include) is None:
            return "not included"
        return _UNWILLING[self.answer(name)]

    def phases(self, name: str) -> tuple[int, ...]:
        """Numbers of the phases that this name takes part in."""
        if not self.is_chosen(name):
            return ()
        answer = self.answer(name)
        return tuple(phase.number for phase in self.campaign.phases if _agrees(answer, phase))


def host_plan(selector: Selector, host: Host) -> HostPlan:
    """What one host does."""
    sites = (*host.sites, *_below_wildcards(selector, host))
    known = sorted({site.name for site in sites} | set(host.served))
    entries = [
        Entry(site.name, entry_key(site.name), phases, site.provider, _probe(site, frozenset(known)))
        for site in sites
        if (phases := selector.phases(site.name))
    ]
    ordered = sorted(entries, key=lambda entry: (entry.provider, entry.name))
    chosen, names = tuple(ordered), tuple(known)
    return HostPlan(
        host.name,
        host.address,
        host.servers,
        chosen,
        names,
        host.scheduler,
        host.health_paths,
        host.python,
        usual_sites(selector, {site.name for site in sites}, {*names} - {entry.name for entry in chosen}),
    )


def usual_sites(selector: Selector, offered: Set[str], left: Set[str]) -> tuple[UsualSite, ...]:
    """What a host serves and does not show anything on, each with the reason.

    Args:
        selector: the rules.
        offered: names that may be chosen.
        left: those that show nothing.
    """
    return tuple(
        UsualSite(name, selector.reason(name) if name in offered else NOT_NAMED) for name in sorted(left)
    )


def _agrees(answer: ConsentAnswer | None, phase: Phase) -> bool:
    return answer == "in" or (answer == "message" and phase.mode == "banner")


def _below_wildcards(selector: Selector, host: Host) -> Iterator[Site]:
    """Names that the campaign mentions and that a wildcard site of this host would answer for."""
    for provider in sorted({site.provider for site in host.sites}):
        own = {site.name: site for site in host.sites if site.provider == provider}
        for name in selector.mentioned:
            above = match_site(name, own.keys())
            if above and above != name and match_site(name, {*host.served, above}) == above:
                yield replace(own[above], name=name)


def _probe(site: Site, known: frozenset[str]) -> Probe | None:
    """The plainest socket of a site: without a PROXY line, then without TLS if there is one, the lowest port."""
    usable = [listen for listen in site.listens if listen.port and not listen.address.startswith("unix:")]
    if not usable:
        return None
    best = min(usable, key=lambda one: (one.proxy_protocol, one.tls, one.port, one.address))
    name = _name_to_ask_for(site.name, known)
    return Probe(_local_address(best), best.port, best.tls, name, best.proxy_protocol)


def _local_address(listen: Listen) -> str:
    bare = listen.address.strip("[]")
    if bare in _ANY_V4:
        return "127.0.0.1"
    return "::1" if bare == "::" else bare


def _name_to_ask_for(name: str, known: frozenset[str]) -> str:
    """The name itself, or one below a wildcard that falls to no longer match."""
    if not name.startswith("*."):
        return name
    number = 1
    while match_site(candidate := f"piquet-probe-{number}{name[1:]}", known) != name:
        number += 1
    return candidate
