# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet preview`: what visitors will get, for those who are to decide; as pages on this machine, or as pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.exit_codes import OK
from piquet.findings import as_text, by_weight
from piquet.plan.gates import campaign_findings
from piquet.preview.export import export
from piquet.preview.server import PreviewServer, serving


@click.command("preview")
@CAMPAIGN_ARGUMENT
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 [a free one].")
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write PNG pictures of everything into FOLDER with Chromium, and end.",
)
def command(campaign: Path | None, port: int, folder: Path | None) -> int:
    """Show every page, banner and mode of CAMPAIGN on this machine, over a sample site.

    Each on a phone and a desktop side by side, before, during and after; nobody else can see it. The campaign is read
    anew with every page of the index. Ctrl-C ends it.
    """
    with serving(campaign_file(campaign), port) as server:
        for finding in by_weight(campaign_findings(server.show.loaded.campaign, datetime.now(UTC))):
            click.echo(f"{as_text(finding)}\n", err=True)
        return _export_files(server, folder) if folder else _serve_until_interrupted(server)


def _export_files(server: PreviewServer, folder: Path) -> int:
    for file in export(server, folder):
        click.echo(file)
    return OK


def _serve_until_interrupted(server: PreviewServer) -> int:
    try:
        click.echo(server.url)
        click.echo("on this machine only, until Ctrl-C", err=True)
        server.ended.wait()
    except KeyboardInterrupt:
        click.echo("ended", err=True)
    return OK
