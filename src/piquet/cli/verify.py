# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet verify`: what does every site answer, and is it what it should answer now?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.hosts import ANSIBLE_INVENTORY
from piquet.cli.verify_run import VerifyRun, keep_baseline, look_at_fleet, public_of, take_and_keep
from piquet.errors import FleetError
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.read import read_fleet
from piquet.fleet.surveyed_server import parts_of
from piquet.fleet.workdir import Workdir
from piquet.load import load_campaign, made_secret
from piquet.plan import make_plan
from piquet.servers.registry import SERVERS
from piquet.verify.expectations import Expectations, Moment, phase_at
from piquet.verify.observation import PUBLIC
from piquet.verify.outside.names import as_resolver
from piquet.verify.outside.probe import resolved, source_addresses
from piquet.verify.outside.sweep import DEFAULT_CONCURRENCY
from piquet.verify.targets import targets_of

SHOWN = 20
"""Findings that a person reads before asking for all."""

BEFORE_OURS_S = 24 * 3600.0
"""How much older than a survey with something of ours in it a baseline may be: it is worth more than a newer one."""


@click.command("verify")
@CAMPAIGN_ARGUMENT
@ANSIBLE_INVENTORY
@click.option("-l", "--limit", help="Only these hosts (an Ansible pattern).")
@click.option(
    "--workdir", type=click.Path(path_type=Path), help="Surveys and baselines [.piquet by the inventory]."
)
@click.option("--now", "moment", flag_value="now", default=True, help="Judge by the clock (the default).")
@click.option(
    "--before", "moment", flag_value="before", help="Nothing of ours may show, whatever the clock says."
)
@click.option("--during", "moment", flag_value="during", help="By the clock, but a phase must be in force.")
@click.option("--after", "moment", flag_value="after", help="All must be back, whatever the clock says.")
@click.option(
    "--baseline",
    type=click.Choice(["take", "keep", "compare", "ignore"]),
    help="Take fingerprints of all sites now (keep: only those that were not taken since the survey), or insist on "
    "comparing [compared if there are any].",
)
@click.option("--all", "show_all", is_flag=True, help="Show every finding.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 2000),
    default=DEFAULT_CONCURRENCY,
    show_default=True,
    help="At a time.",
)
@click.option("--timeout", type=click.FloatRange(0.1, 300), default=10.0, show_default=True, help="Seconds.")
@click.option(
    "--slack",
    type=click.FloatRange(0, 60),
    default=1.0,
    show_default=True,
    help="Seconds around a switch in which either answer is right.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="PIQUET_CA",
    help="Certificate authorities (PEM) besides the system's [PIQUET_CA].",
)
@click.option(
    "--public",
    "is_public",
    is_flag=True,
    help="Besides, look the sites' names up and ask where DNS leads visitors: what stands in front, and does "
    "the strike show through it?",
)
@click.option(
    "--resolver",
    metavar="ADDRESS[:PORT]",
    help="Who is asked for names, with --public [this machine's own resolver].",
)
def command(
    campaign: Path | None,
    inventory: str,
    limit: str | None,
    workdir: Path | None,
    moment: Moment,
    baseline: str | None,
    show_all: bool,
    is_json: bool,
    concurrency: int,
    timeout: float,
    slack: float,
    ca: Path | None,
    is_public: bool,
    resolver: str | None,
) -> int:
    """Ask every site on every host what it answers, at its hosts' own addresses; ends with 1 if anything is wrong."""
    if resolver and not is_public:
        raise click.UsageError("--resolver, but no name is looked up without --public")
    loaded = load_campaign(campaign_file(campaign, inventory))
    work = Workdir(workdir or default_workdir(inventory))
    surveys = work.surveys()
    fleet = read_fleet(inventory_hosts(inventory, limit), surveys, SERVERS)
    if moment == "during" and phase_at(loaded.campaign.phases, time.time()) is None:
        raise click.UsageError("--during, but no phase of the campaign is in force at this moment")
    plan = make_plan(loaded.campaign, fleet, datetime.now(UTC), SERVERS)
    addresses = resolved(host.address for host in fleet.hosts)
    targets, unreachable = targets_of(fleet, plan, addresses)
    if not targets:
        raise FleetError("there is no site to ask\n\n  hint: run the survey verb first")
    public = (
        public_of(targets, addresses, as_resolver(resolver) if resolver else None, timeout)
        if is_public
        else None
    )
    targets = (*targets, *(public.targets if public else ()))
    sources = source_addresses(target.address for target in targets)
    expectations = Expectations(loaded.campaign, made_secret(loaded), moment, slack, sources)
    file = work.baseline(loaded.campaign.name)
    max_shown = None if show_all else SHOWN
    read = {host.name: surveys[host.name] for host in fleet.hosts if host.surveyed_at}
    surveyed_at = {
        host: float(survey.get("asked_at", survey["at"])) - (BEFORE_OURS_S if _carries_ours(survey) else 0.0)
        for host, survey in read.items()
    }
    surveyed_at[PUBLIC] = max(surveyed_at.values(), default=0.0)
    run = VerifyRun(
        expectations,
        targets,
        unreachable,
        surveyed_at,
        file,
        work,
        concurrency,
        timeout,
        ca,
        max_shown,
        public,
    )
    if baseline in ("take", "keep"):
        return (take_and_keep if baseline == "take" else keep_baseline)(run, is_json)
    return look_at_fleet(run, baseline, is_json)


def _carries_ours(survey: Mapping[str, Any]) -> bool:
    """Whether a survey was made with something of ours on the host: a hook line, or what was staged."""
    vhosts = [vhost for kind, part in parts_of(survey, SERVERS) for vhost in part.get(kind.vhosts) or ()]
    is_hooked = any(isinstance(vhost, dict) and vhost.get("hooked") == "ours" for vhost in vhosts)
    return is_hooked or (survey.get("status") or {}).get("state", "absent") != "absent"
