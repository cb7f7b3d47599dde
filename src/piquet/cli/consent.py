# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet consent`: one site's answer. `in` and `message` edit the list; `out` is added to another, and reaches hosts.

A withdrawal lasts: the site is stopped where it is shown, and no plan of this campaign has it any more.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from piquet.campaign.consent import ANSWERS, with_answer
from piquet.campaign.document import read_document
from piquet.campaign.folder import read_text
from piquet.campaign.model import ConsentAnswer
from piquet.campaign.withdrawals import WITHDRAWALS_FILE, WITHDRAWALS_HEAD, withdrawal_line
from piquet.cli.campaign_file import campaign_file
from piquet.cli.drive import drive_verb
from piquet.cli.exit_codes import OK
from piquet.cli.host_variables import parse_variables
from piquet.cli.hosts import ENGINE, EXTRA, INVENTORY, OPTIONS
from piquet.engines import EngineRequest
from piquet.errors import CampaignError, Problem
from piquet.load import load_campaign, withdrawals_of

_MAX_BYTES = 16 * 1024 * 1024


@click.command("consent")
@OPTIONS["site"][1]
@click.argument("answer", type=click.Choice(ANSWERS))
@click.argument("campaign", type=click.Path(path_type=Path, dir_okay=False), required=False)
@INVENTORY
@ENGINE
@EXTRA
def command(
    site: str, answer: str, campaign: Path | None, inventory: str, engine: str, extra: tuple[str, ...]
) -> int:
    """Write down what one site answered; out reaches the hosts at once.

    `in` and `message` change the consent list of CAMPAIGN, which is campaign/campaign.yml beside the inventory by
    default: before the vote, as what people decide changes with it. `out` may come at any time and needs nobody's
    signature: it is added to withdrawn.csv beside the campaign, the site is stopped on every host that shows it, and
    every later plan leaves it out. No command takes a withdrawal back.
    """
    file = campaign_file(campaign, inventory)
    variables = parse_variables("stop", extra)
    if answer != "out":
        click.echo(_change_list(file, site, cast("ConsentAnswer", answer)))
        return OK
    click.echo(_withdrawn(file, site), err=True)
    request = EngineRequest(
        inventory, None, {**variables, "piquet_stop_site": site, "piquet_stop_withdrawn": True}
    )
    return drive_verb("stop", engine, request, is_json=False)


def _change_list(campaign: Path, site: str, answer: ConsentAnswer) -> str:
    """Change the list; what was done."""
    loaded = load_campaign(campaign)
    if site in loaded.campaign.sites.withdrawn:
        hint = "ask those who decide: a new revision may be decided without that line"
        problem = Problem(WITHDRAWALS_FILE, 0, 0, f"{site} took its consent back", hint=hint)
        raise CampaignError("a withdrawal is not taken back by a command", [problem])
    name = (read_document(read_text(campaign, str(campaign), 1024 * 1024), str(campaign)).data or {}).get(
        "sites", {}
    )
    if not name.get("consent"):
        hint = "sites: {consent: consent.csv}, and a file with a first line `site,answer`"
        problem = Problem(str(campaign), 0, 0, "it names no consent list", hint=hint)
        raise CampaignError("there is no list to write into", [problem])
    file = campaign.parent / name["consent"]
    _replace(file, with_answer(read_text(file, name["consent"], _MAX_BYTES), site, answer))
    return f"{site}: {answer}, in {file}"


def _withdrawn(campaign: Path, site: str) -> str:
    """Add to the list, unless it is there; what was done. A campaign with faults stops nobody from leaving it."""
    file = campaign.parent / WITHDRAWALS_FILE
    if not campaign.parent.is_dir():
        problem = Problem(
            str(campaign),
            0,
            0,
            "there is no such folder",
            hint="name the campaign: piquet consent SITE out CAMPAIGN",
        )
        raise CampaignError("the withdrawal cannot be written down", [problem])
    known = withdrawals_of(campaign)
    if site in known.sites:
        return f"{site} withdrew before ({known.sites[site]}); it is stopped once more"
    before = file.read_bytes() if file.exists() else b""
    head = "" if before.endswith(b"\n") else "\n" if before else WITHDRAWALS_HEAD
    with file.open("ab") as stream:
        stream.write(f"{head}{withdrawal_line(site, datetime.now(UTC))}".encode())
        stream.flush()
        os.fsync(stream.fileno())
    return f"{site}: withdrawn, in {file}; every later plan leaves it out"


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all, with the mode that it has."""
    temporary = file.with_name(f".{file.name}.piquet")
    temporary.write_text(text, "utf-8", newline="")
    temporary.chmod(file.stat().st_mode & 0o777)
    temporary.replace(file)
