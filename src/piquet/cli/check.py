# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet check`: is the campaign sound, as far as it can be told without a fleet?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from piquet.campaign.load import LoadedCampaign, load_campaign
from piquet.cli.exit_codes import OK, PLAN
from piquet.cli.window_text import window_lines
from piquet.findings import Finding, as_text, by_weight, errors
from piquet.plan.gates import campaign_findings
from piquet.resources import example_campaign


@click.command("check")
@click.argument("campaign", type=click.Path(path_type=Path, dir_okay=False), default="campaign.yml")
def command(campaign: Path) -> int:
    """Check the file CAMPAIGN, its consent list and its pages."""
    loaded = load_campaign(campaign)
    click.echo(summary(loaded))
    found = by_weight([*campaign_findings(loaded.campaign, datetime.now(UTC)), *_untouched(loaded)])
    for finding in found:
        click.echo(f"\n{as_text(finding)}", err=True)
    if errors(found):
        return PLAN
    click.echo(
        f"\nno error; next: piquet survey -i INVENTORY, then piquet plan {campaign} -i INVENTORY", err=True
    )
    return OK


def summary(loaded: LoadedCampaign) -> str:
    """What was understood, for a person: name, languages, and each window in local time and UTC."""
    campaign = loaded.campaign
    title = f"{campaign.name}: {len(loaded.pages)} pages in {', '.join(campaign.languages)}"
    return "\n".join([title, *window_lines(campaign)])


def _untouched(loaded: LoadedCampaign) -> Iterator[Finding]:
    """Pages that are still the example's: its dates, its votes, and nobody's reasons."""
    examples = {file.read_text("utf-8") for file in example_campaign().glob("pages/*/*")}
    for page in loaded.pages:
        if page.text in examples:
            message = "this is still the example's text, with its dates and without your reasons"
            yield Finding("warning", "page-is-example", page.file, message, hint="write your own words")
