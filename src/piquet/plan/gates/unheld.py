# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites that cannot be held as they are, said once, with what leaves them out. No file, no network, no clock."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator

from piquet.campaign.model import Campaign
from piquet.plan.gates.words import sites
from piquet.plan.model import HostPlan
from piquet.protocol.findings import Finding, errors

_WIDTH = 90
"""Characters in a line of the list, before its indent."""


def unheld_findings(
    campaign: Campaign, hosts: Iterable[HostPlan], findings: Iterable[Finding]
) -> Iterator[Finding]:
    """One error for all sites that others refuse by name, with the `exclude` that would let the rest go on.

    Args:
        campaign: whose list it is; what it leaves out already stays in it.
        hosts: what each of them would show.
        findings: of all other gates.
    """
    refused = sorted({site for finding in errors(findings) for site in finding.sites})
    if not refused:
        return
    left = {entry.name for host in hosts for entry in host.entries} - set(refused)
    is_are = "cannot be held as it is" if len(refused) == 1 else "cannot be held as they are"
    message = f"{sites(refused)} {is_are}; the reasons are told beside this"
    hint = "no site would be left without them: mend the reasons"
    if left:
        excluded = [*dict.fromkeys((*campaign.sites.exclude, *refused))]
        hint = (
            f"without them {sites(left)} can go on, once every other error is mended:\n\n{_as_yaml(excluded)}"
        )
    yield Finding("error", "sites-not-held", campaign.name, message, got=", ".join(refused), hint=hint)


def _as_yaml(excluded: Iterable[str]) -> str:
    """The whole list as it stands in a campaign file."""
    words = ", ".join(map(_quoted_name, excluded))
    lines = textwrap.wrap(words, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "sites:\n  exclude: [\n" + "\n".join(f"    {line}" for line in lines) + "\n  ]"


def _quoted_name(name: str) -> str:
    """A name, in quotes where YAML would take it for something else."""
    return name if name[0].isalpha() and "." in name else json.dumps(name)
