# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet decision`: what people vote on, read aloud and sign."""

from __future__ import annotations

from pathlib import Path

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.decision.document import decision_document
from piquet.decision.pdf import sheet_pdf
from piquet.decision.sheet import sheets
from piquet.decision.sheet_forms import sheets_html, sheets_text
from piquet.load import load_campaign
from piquet.protocol.decision import decision_digest

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("decision")
def command() -> None:
    """Show what people vote on and sign, with its digest.

    Hours, modes, words, sites and what stays open; nothing of hosts and servers.
    """


@command.command("show")
@CAMPAIGN_ARGUMENT
@click.option("--html", type=_FILE, help="Write it as one HTML file, which prints a language to a page.")
@click.option("--pdf", type=_FILE, help="Write it as PDF; needs piquet[pdf].")
@click.option("--json", "json_file", type=_FILE, help="Write the canonical decision.json.")
def show(campaign: Path | None, html: Path | None, pdf: Path | None, json_file: Path | None) -> None:
    """Print the decision in French, English and each language of CAMPAIGN, with its digest.

    CAMPAIGN is campaign/campaign.yml in this folder by default.
    """
    loaded = load_campaign(campaign_file(campaign))
    document = decision_document(loaded.campaign, loaded.pages)
    found = sheets(loaded.campaign, loaded.pages, decision_digest(document))
    written = sheets_html(found)
    if html:
        html.write_text(written, "utf-8")
    if pdf:
        pdf.write_bytes(sheet_pdf(written))
    if json_file:
        json_file.write_bytes(document)
    click.echo(sheets_text(found), nl=False)
