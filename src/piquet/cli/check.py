# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet check`: is the campaign sound, as far as it can be told without a fleet?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.exit_codes import OK, PLAN
from piquet.controller.check import judge_campaign
from piquet.findings import as_texts
from piquet.protocol.findings import Finding, errors


@click.command("check")
@CAMPAIGN_ARGUMENT
def command(campaign: Path | None) -> int:
    """Check the file CAMPAIGN, its consent list, its pages and its theme.

    CAMPAIGN is campaign/campaign.yml in this folder by default.
    """
    if errors(check_campaign(campaign_file(campaign))):
        return PLAN
    also = f" {campaign}" if campaign else ""
    click.echo(f"\nno error; next: piquet eve{also} -i INVENTORY", err=True)
    return OK


def check_campaign(campaign: Path) -> list[Finding]:
    """Say what was understood on standard output and what is wrong on standard error.

    Returns:
        What is wrong.

    Raises:
        CampaignError, BundleError: the campaign cannot be read, or a page cannot be made.
    """
    summary, found = judge_campaign(campaign, datetime.now(UTC))
    click.echo(summary)
    for text in as_texts(found):
        click.echo(f"\n{text}", err=True)
    return found
