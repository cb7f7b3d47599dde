# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet paper`: a page for whoever answers the telephone, as text or as a PDF."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.exit_codes import OK
from piquet.cli.hosts import ANSIBLE_INVENTORY, ENGINE
from piquet.decision.pdf import sheet_pdf
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.read import read_fleet
from piquet.fleet.workdir import Workdir
from piquet.load import load_campaign
from piquet.plan import make_plan
from piquet.printable import printable
from piquet.report.desk_paper import DeskFacts, desk_paper, paper_html, paper_text
from piquet.report.words import HANDED_IN, handed_in, report_words
from piquet.servers.registry import SERVERS


@click.command("paper")
@CAMPAIGN_ARGUMENT
@ANSIBLE_INVENTORY
@click.option("-l", "--limit", help="Plan over these hosts alone (a pattern).")
@ENGINE
@click.option(
    "--workdir", type=click.Path(path_type=Path), help="Surveys and plans [.piquet by the inventory]."
)
@click.option(
    "--language",
    "languages",
    type=click.Choice(HANDED_IN),
    multiple=True,
    help="Of the paper (repeatable) [those of the campaign].",
)
@click.option(
    "--pdf",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a PDF there instead; needs piquet[pdf].",
)
def command(
    campaign: Path | None,
    inventory: str,
    limit: str | None,
    engine: str,
    workdir: Path | None,
    languages: tuple[str, ...],
    pdf: Path | None,
) -> int:
    """Print the paper for the desk: when, how to end it, what to say on the phone.

    CAMPAIGN is campaign/campaign.yml beside the inventory by default. Asks no host: the sites are those of the last
    survey, the commands those of this inventory.
    """
    facts = _facts(
        campaign_file(campaign, inventory), inventory, limit, engine, workdir or default_workdir(inventory)
    )
    papers = [
        desk_paper(facts, report_words(language)) for language in languages or handed_in(facts.campaign)
    ]
    if pdf is None:
        click.echo("\n\n".join(printable(paper_text(paper)) for paper in papers), nl=False)
        return OK
    pdf.write_bytes(sheet_pdf(paper_html(papers)))
    click.echo(pdf)
    return OK


def _facts(campaign: Path, inventory: str, limit: str | None, engine: str, workdir: Path) -> DeskFacts:
    """The plan as it would be made now, whatever is wrong with it: the paper says so."""
    loaded, hosts = load_campaign(campaign), inventory_hosts(inventory, limit)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    fleet = read_fleet(hosts, Workdir(workdir).surveys(), SERVERS)
    unasked = sorted(host.name for host in fleet.hosts if host.surveyed_at is None)
    return DeskFacts(make_plan(loaded.campaign, fleet, now, SERVERS), hosts, unasked, inventory, engine, now)
