# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that reach hosts, one table: commands, playbooks, deploys and the agent have these, under these words.

Files that others read by themselves (roles, playbooks, deploys) say it again; tests hold them to this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Tuple


@dataclass(frozen=True)
class HostVerb:
    """One verb.

    Attributes:
        says: what it does, one imperative sentence without its stop: the line in every list.
        more: what the page of the command says besides.
        options: of the command line, by their names in `piquet.cli.hosts`, besides those that every verb has.
    """

    says: str
    more: str = ""
    options: Tuple[str, ...] = ()


HOST_VERBS: Mapping[str, HostVerb] = {
    "survey": HostVerb(
        "Look at the web servers of every host and keep what was found",
        "Changes nothing; hook and plan need it.",
    ),
    "hook": HostVerb(
        "Put the one include line into every nginx server block",
        "Nothing visible changes. Apache needs no hook, nor does nginx that works by Lua. How every site answers is "
        "remembered first, if there is a campaign file.",
        ("campaign", "baseline", "print"),
    ),
    "trust": HostVerb(
        "Pin who may decide on every host",
        "The roles of the campaign's mandate, with their thresholds and signers; from then on nothing is armed there "
        "without their signatures. Other signers need the signatures of those who are pinned. CAMPAIGN is "
        "campaign/campaign.yml beside the inventory by default.",
        ("campaign",),
    ),
    "stage": HostVerb(
        "Carry the inert bundle to every host",
        "Tested and reloaded, visitors see no change. CAMPAIGN is campaign/campaign.yml beside the inventory by "
        "default.",
        ("campaign", "digest", "canary", "baseline"),
    ),
    "rehearse": HostVerb(
        "Show the strike on the real hosts to one secret cookie",
        "Each host tells its link; nobody else sees anything, nothing is reloaded, and it ends within 30 minutes. "
        "Needs only the inventory.",
        ("digest", "phase", "end"),
    ),
    "arm": HostVerb(
        "Commit every host to the window",
        "Checks on all hosts first; if one cannot be armed, none is; with --limit it wants --partial. CAMPAIGN is "
        "campaign/campaign.yml beside the inventory by default.",
        ("campaign", "digest", "partial"),
    ),
    "status": HostVerb("Ask every host what it is doing", "Changes nothing."),
    "stop": HostVerb(
        "Put one site back to normal for good",
        "On every host that shows it, without a reload; all other sites go on. SITE is a host name, or '*.' and a "
        "name, as the plan lists it. Needs only the inventory.",
        ("site",),
    ),
    "rollback": HostVerb(
        "Put every site back to normal now",
        "Needs only the inventory; goes on past hosts that cannot be reached, and lists them.",
    ),
    "unhook": HostVerb("Take exactly the include line out of every nginx server block"),
    "remove": HostVerb(
        "Take away all that is ours and prove that nothing is left",
        "Rolls back and unhooks first; needs only the inventory.",
    ),
}
"""Name → verb, in the order of a campaign's life."""
