# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet plan`: who shows what, when; refused if it is unsafe, else kept for `stage` under its digest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.hosts import ANSIBLE_INVENTORY
from piquet.cli.plan_text import as_json, print_plan
from piquet.controller.prepare import Prepared, build, keep_plan, notes_text
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.read import read_fleet
from piquet.fleet.workdir import Workdir
from piquet.load import LoadedCampaign, load_campaign
from piquet.plan import Plan, make_plan, raise_if_unsafe
from piquet.protocol.findings import errors
from piquet.servers.registry import SERVERS


@click.command("plan")
@CAMPAIGN_ARGUMENT
@ANSIBLE_INVENTORY
@click.option(
    "-l",
    "--limit",
    help="Plan over these hosts alone (a pattern); for stage and arm: -e piquet_hosts=PATTERN.",
)
@click.option(
    "--workdir", type=click.Path(path_type=Path), help="Surveys and plans [.piquet by the inventory]."
)
@click.option("--all", "show_all", is_flag=True, help="Name every site.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON instead of a table.")
def command(
    campaign: Path | None,
    inventory: str,
    limit: str | None,
    workdir: Path | None,
    show_all: bool,
    is_json: bool,
) -> None:
    """Decide who shows what, when, and keep the decision for `stage`.

    CAMPAIGN is campaign/campaign.yml beside the inventory by default.
    """
    plan_fleet(
        campaign_file(campaign, inventory), inventory, limit, workdir, show_all=show_all, is_json=is_json
    )


def plan_fleet(
    campaign: Path,
    inventory: str,
    limit: str | None,
    workdir: Path | None,
    *,
    show_all: bool = False,
    is_json: bool = False,
    show_windows: bool = True,
) -> Plan:
    """Make the plan, print it and keep it.

    Raises:
        PiquetError: it cannot be made, or it is unsafe.
    """
    loaded = load_campaign(campaign)
    work = Workdir(workdir or default_workdir(inventory))
    fleet = read_fleet(inventory_hosts(inventory, limit), work.surveys(), SERVERS)
    now = datetime.now(UTC)
    plan = make_plan(loaded.campaign, fleet, now, SERVERS)
    prepared = None if errors(plan.findings) else _keep(plan, loaded, work, now)
    if is_json:
        click.echo(as_json(plan, prepared))
    else:
        if prepared:
            work.is_told(prepared.digest, notes_text(plan))
        print_plan(plan, prepared, show_all, now, show_windows=show_windows)
    raise_if_unsafe(plan)
    return plan


def _keep(plan: Plan, loaded: LoadedCampaign, work: Workdir, at: datetime) -> Prepared:
    """Write plan and bundles where the engine's `stage` reads them."""
    prepared = build(plan, loaded, at)
    keep_plan(prepared, work)
    return prepared
