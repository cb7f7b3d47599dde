# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet report`: what was decided and what was, as one HTML file and one JSON, for whoever asks afterwards."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.exit_codes import OK
from piquet.cli.hosts import ANSIBLE_INVENTORY
from piquet.errors import PlanError
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.read import read_fleet
from piquet.fleet.workdir import Workdir
from piquet.load import load_campaign, withdrawals_of
from piquet.plan import make_plan
from piquet.report.account import Kept, Picture, account
from piquet.report.account_page import account_page
from piquet.report.words import HANDED_IN, handed_in
from piquet.servers.registry import SERVERS

_PICTURE = re.compile(r"(\d{1,3})-(?:block|occupy|banner)-([A-Za-z0-9-]{2,35})-(phone|desktop)-light\.png")
_PNG = b"\x89PNG\r\n\x1a\n"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@click.command("report")
@CAMPAIGN_ARGUMENT
@ANSIBLE_INVENTORY
@click.option("-l", "--limit", help="Report on these hosts alone (a pattern).")
@click.option(
    "--workdir", type=click.Path(path_type=Path), help="Surveys and plans [.piquet by the inventory]."
)
@click.option(
    "--language",
    "languages",
    type=click.Choice(HANDED_IN),
    multiple=True,
    help="Of the page (repeatable) [those of the campaign].",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of `preview --export`; the light ones in the page's languages are put into it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write, without .html and .json [report-CAMPAIGN in this folder].",
)
def command(
    campaign: Path | None,
    inventory: str,
    limit: str | None,
    workdir: Path | None,
    languages: tuple[str, ...],
    pictures: Path | None,
    out: Path | None,
) -> int:
    """Write what was decided and what was: one HTML file and one JSON.

    The page opens without a network. CAMPAIGN is campaign/campaign.yml beside the inventory by default. Asks no host:
    `status` does, and keeps what it hears; so run that once more after the end.
    """
    shown = tuple(_pictures(pictures)) if pictures else ()
    kept = _kept_records(campaign_file(campaign, inventory), inventory, limit, workdir, shown)
    document = account(kept)
    stem = out or Path(f"report-{kept.campaign.name}")
    page = account_page(kept.campaign, document, shown, languages or handed_in(kept.campaign))
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    for suffix, content in ((".html", page), (".json", text)):
        file = stem.with_name(f"{stem.name}{suffix}")
        file.write_bytes(content.encode("utf-8", "backslashreplace"))
        click.echo(file)
    return OK


def _kept_records(
    campaign: Path, inventory: str, limit: str | None, workdir: Path | None, pictures: tuple[Picture, ...]
) -> Kept:
    """All that the working folder knows of the campaign."""
    loaded, work = load_campaign(campaign), Workdir(workdir or default_workdir(inventory))
    hosts, now = inventory_hosts(inventory, limit), datetime.now(UTC).replace(microsecond=0)
    fleet = read_fleet(hosts, work.surveys(), SERVERS)
    journals = {host: records for host, records in work.host_journals().items() if host in hosts}
    digests = {str(record.get("plan_digest")) for records in journals.values() for record in records}
    return Kept(
        make_plan(loaded.campaign, fleet, now, SERVERS),
        [host.name for host in fleet.hosts if host.surveyed_at is None],
        withdrawals_of(loaded.path).sites,
        dict(_plans(work, digests)),
        {host: told for host, told in work.statuses().items() if host in hosts},
        journals,
        [record for record in work.journal() if record.get("host", next(iter(hosts))) in hosts],
        work.last_certificate(loaded.campaign.name),
        pictures,
        now,
    )


def _plans(work: Workdir, digests: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Those plans that are kept; a digest comes from a host, and is nothing else."""
    for digest in sorted(digests):
        if _DIGEST.fullmatch(digest):
            with contextlib.suppress(PlanError, ValueError):
                yield digest, json.loads(work.plan_document(digest))


def _pictures(folder: Path) -> Iterator[Picture]:
    """The light ones, by their names, in the order of the phases."""
    for file in sorted(folder.glob("*.png")):
        if (found := _PICTURE.fullmatch(file.name)) and (png := file.read_bytes()).startswith(_PNG):
            yield Picture(file.name, int(found[1]), found[2], found[3], png)
