# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that nobody serves, consent that is missing, and how much of the fleet is meant.

No file, no network, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator

from piquet.campaign.matching import match_pattern
from piquet.campaign.model import Campaign
from piquet.fleet.model import Fleet
from piquet.plan.gates.spelling import fleet_names, likely_spelling, spelling_findings
from piquet.plan.gates.words import sites, some
from piquet.plan.model import HostPlan
from piquet.plan.selection import Selector
from piquet.protocol.findings import Finding


def selection_findings(selector: Selector, fleet: Fleet, hosts: tuple[HostPlan, ...]) -> Iterator[Finding]:
    """Names that nobody serves, consent that is missing, and how much of the fleet is meant."""
    if any(host.surveyed_at is None for host in fleet.hosts):
        return  # nobody knows all names yet, and that is an error of its own
    served = {name for host in hosts for name in host.known}
    for pattern in sorted(selector.include):
        if not _means_something(pattern, served):
            yield _nobody_serves(pattern, served)
    yield from spelling_findings(selector, fleet_names(fleet, hosts))
    yield from _consent_findings(selector, served)
    yield from _share_findings(selector.campaign, hosts)


def _means_something(pattern: str, served: set[str]) -> bool:
    """Whether a pattern means one of the names that are served, those below a wildcard included."""
    if pattern in served:
        return True
    return any(match_pattern(name, {pattern}) for name in served) if "*" in pattern else False


def _nobody_serves(pattern: str, served: set[str]) -> Finding:
    message = "no host of the fleet serves a site that `include` means by it, so nothing is chosen"
    hint = "correct the name, survey the host that serves it, or take it out"
    if close := likely_spelling(pattern, served):
        hint = f"did you mean {close}? Else survey the host that serves it, or take it out"
    return Finding("error", "site-unknown", pattern, message, hint=hint)


def _consent_findings(selector: Selector, served: set[str]) -> Iterator[Finding]:
    chosen = sorted(name for name in served if selector.is_chosen(name))
    silent = [name for name in chosen if selector.answer(name) is None]
    if silent:
        message = f"{sites(silent)} gave no answer, so they stay as usual"
        yield Finding("warning", "consent-missing", "consent", message, "in, out or message", some(silent))
    only_message = [name for name in chosen if selector.answer(name) == "message"]
    if only_message:
        message = f"a message only was agreed to for {sites(only_message)}: as usual in all other phases"
        yield Finding("info", "consent-message-only", "consent", message, got=some(only_message))


def _share_findings(campaign: Campaign, hosts: tuple[HostPlan, ...]) -> Iterator[Finding]:
    meant = sum(len({entry.name for entry in host.entries}) for host in hosts)
    total = sum(len(host.known) for host in hosts)
    if not meant:
        hint = "look at `sites` in the campaign file, and at the surveys"
        yield Finding("error", "nothing-chosen", campaign.name, "no site would show anything", hint=hint)
    elif meant * 100 > campaign.limits.max_share_percent * total:
        hint = "choose fewer sites, or raise limits.max_share if that was agreed"
        expected, got = (
            f"at most {campaign.limits.max_share_percent}%",
            f"{meant} of {total} ({meant / total:.1%})",
        )
        yield Finding(
            "error", "share-too-large", campaign.name, "too many sites are meant", expected, got, hint
        )
