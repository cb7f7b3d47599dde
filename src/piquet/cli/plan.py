# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet plan`: who shows what, when; refused if it is unsafe, else kept for `stage` under its digest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from piquet.campaign.load import LoadedCampaign, bypass_secret, load_campaign
from piquet.cli.plan_text import as_json, print_plan
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.read import read_fleet
from piquet.fleet.workdir import Workdir
from piquet.plan import Plan, make_plan, plan_digest, plan_document, raise_if_unsafe

if TYPE_CHECKING:
    from piquet.engine.prepare import Prepared


@click.command("plan")
@click.argument("campaign", type=click.Path(path_type=Path, dir_okay=False), default="campaign.yml")
@click.option("-i", "--inventory", required=True, help="Ansible inventory: file, folder or `host1,host2,`.")
@click.option("-l", "--limit", help="Only these hosts (an Ansible pattern).")
@click.option(
    "--workdir", type=click.Path(path_type=Path), help="Surveys and plans [.piquet by the inventory]."
)
@click.option("--all", "show_all", is_flag=True, help="Name every site.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON instead of a table.")
def command(
    campaign: Path, inventory: str, limit: str | None, workdir: Path | None, show_all: bool, is_json: bool
) -> None:
    """Decide who shows what, when, and keep the decision for `stage`."""
    loaded = load_campaign(campaign)
    work = Workdir(workdir or default_workdir(inventory))
    fleet = read_fleet(inventory_hosts(inventory, limit), work.surveys())
    plan = make_plan(loaded.campaign, fleet, datetime.now(UTC))
    prepared = None if any(f.severity == "error" for f in plan.findings) else _keep(plan, loaded, work)
    digest = prepared.digest if prepared else None
    if is_json:
        click.echo(as_json(plan, digest))
    else:
        print_plan(plan, digest, show_all)
    raise_if_unsafe(plan)


def _keep(plan: Plan, loaded: LoadedCampaign, work: Workdir) -> Prepared:
    """Write plan and bundles, in the form that the engine's `stage` reads."""
    from piquet.bundle import build_bundles
    from piquet.engine.prepare import Prepared
    from piquet.engine.store import write_members

    secret = bypass_secret(loaded.path) if loaded.campaign.doors.bypass else None
    bundles = build_bundles(plan, loaded.pages, secret)
    document = plan_document(plan, {bundle.host: bundle.manifest_sha256 for bundle in bundles})
    prepared = Prepared(plan, document, plan_digest(document), bundles)
    work.write_plan(prepared.digest, document)
    for bundle in bundles:
        write_members(work, prepared.digest, bundle.host, prepared.members(bundle))
    return prepared
