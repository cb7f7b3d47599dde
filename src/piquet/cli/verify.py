# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet verify`: what does every site answer, and is it what it should answer now?"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from piquet.campaign.load import SECRET_FILE, LoadedCampaign, bypass_secret, load_campaign
from piquet.cli.exit_codes import FINDINGS, OK
from piquet.errors import FleetError
from piquet.fleet.inventory import default_workdir, inventory_hosts
from piquet.fleet.read import read_fleet
from piquet.fleet.workdir import Workdir
from piquet.plan import make_plan
from piquet.report.certificate import Certificate, make_certificate
from piquet.report.inspection import Report, as_text, to_json
from piquet.verify.baseline import Baseline, merge, read_baseline, write_baseline
from piquet.verify.expectations import Expectations, Moment, phase_at
from piquet.verify.inspection import Inspection, inspect, take_baseline
from piquet.verify.inspection import Progress as ShowProgress
from piquet.verify.observation import Target, Unreachable
from piquet.verify.probe import Prober, source_addresses
from piquet.verify.sweep import DEFAULT_CONCURRENCY
from piquet.verify.targets import targets_of

SHOWN = 20
"""Findings that a person reads before asking for all."""


@dataclass(frozen=True)
class _Run:
    """Everything one call of the command works on."""

    expectations: Expectations
    targets: tuple[Target, ...]
    unreachable: tuple[Unreachable, ...]
    file: Path
    work: Workdir
    concurrency: int
    timeout_s: float
    ca_file: Path | None
    max_shown: int | None


@click.command("verify")
@click.argument("campaign", type=click.Path(path_type=Path, dir_okay=False), default="campaign.yml")
@click.option("-i", "--inventory", required=True, help="Ansible inventory: file, folder or `host1,host2,`.")
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
    type=click.Choice(["take", "compare", "ignore"]),
    help="Take fingerprints of all sites now, or insist on comparing [compared if there are any].",
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
def command(
    campaign: Path,
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
) -> int:
    """Ask every site on every host what it answers, without touching DNS; ends with 1 if anything is wrong."""
    loaded = load_campaign(campaign)
    work = Workdir(workdir or default_workdir(inventory))
    fleet = read_fleet(inventory_hosts(inventory, limit), work.surveys())
    if moment == "during" and phase_at(loaded.campaign.phases, time.time()) is None:
        raise click.UsageError("--during, but no phase of the campaign is in force at this moment")
    targets, unreachable = targets_of(fleet, make_plan(loaded.campaign, fleet, datetime.now(UTC)))
    if not targets:
        raise FleetError("there is no site to ask\n\n  hint: run the survey verb first")
    sources = source_addresses(target.address for target in targets)
    expectations = Expectations(loaded.campaign, _secret(loaded), moment, slack, sources)
    file = work.baseline(loaded.campaign.name)
    max_shown = None if show_all else SHOWN
    run = _Run(expectations, targets, unreachable, file, work, concurrency, timeout, ca, max_shown)
    return _take(run, is_json) if baseline == "take" else _look(run, baseline, is_json)


def _take(run: _Run, is_json: bool) -> int:
    """Take a baseline and keep it, beside what an earlier one holds of other hosts."""

    async def ask() -> tuple[Baseline, tuple[Target, ...]]:
        async with _prober(run) as prober:
            with _progress() as progress:
                return await take_baseline(prober, run.targets, run.expectations, run.concurrency, progress)

    taken, silent = asyncio.run(ask())
    earlier = _baseline(run.file, must_exist=False)
    kept = merge(earlier, taken) if earlier else taken
    run.work.write(f"baselines/{run.file.name}", write_baseline(kept).encode())
    changing = sum(bool(one.volatile) for one in taken.prints.values())
    if is_json:
        figures = {
            "prints": len(taken.prints),
            "changing": changing,
            "unreachable": [t.label for t in silent],
        }
        click.echo(json.dumps({"piquet_baseline_taken": 1, "file": str(run.file), **figures}))
    else:
        click.echo(f"baseline of {len(taken.prints)} answers kept in {run.file}")
        click.echo(f"{changing} of them change by themselves and will be compared in their stable parts only")
        for target in silent:
            click.echo(f"unreachable, so without a baseline: {target.label}")
    return FINDINGS if silent else OK


def _look(run: _Run, choice: str | None, is_json: bool) -> int:
    """Inspect the fleet and print the report."""
    baseline = None if choice == "ignore" else _baseline(run.file, must_exist=choice == "compare")

    async def ask() -> Inspection:
        async with _prober(run) as prober:
            with _progress() as progress:
                return await inspect(
                    prober, run.targets, run.expectations, baseline, run.concurrency, progress
                )

    at = datetime.now(UTC)
    seen = asyncio.run(ask())
    certificate = _certificate(run, seen, baseline, at)
    campaign, moment = run.expectations.campaign, run.expectations.moment
    report = Report(
        campaign, at, moment, run.targets, run.unreachable, seen, certificate, baseline is not None
    )
    click.echo(json.dumps(to_json(report), indent=1) if is_json else as_text(report, run.max_shown))
    return OK if report.is_ok else FINDINGS


def _certificate(run: _Run, seen: Inspection, baseline: Baseline | None, at: datetime) -> Certificate | None:
    """The return certificate, once the last phase is over or the caller says that it is."""
    is_over = all(phase.end_at <= at for phase in run.expectations.campaign.phases)
    moment = run.expectations.moment
    if baseline is None or not (moment == "after" or (moment == "now" and is_over)):
        return None
    taken_at = datetime.fromtimestamp(baseline.taken_at, UTC)
    hosts = {target.host for target in run.targets}
    return make_certificate(baseline, seen.returned, at, taken_at, run.unreachable, hosts)


def _baseline(file: Path, must_exist: bool) -> Baseline | None:
    """The kept baseline; None if there is none.

    Raises:
        FleetError: there is none though there must be one, or it cannot be read.
    """
    if file.is_file():
        return read_baseline(file.read_text("utf-8"))
    if must_exist:
        raise FleetError(
            f"there is no baseline {file}\n\n  hint: piquet verify --baseline take, before the start"
        )
    return None


def _secret(loaded: LoadedCampaign) -> str | None:
    """The bypass secret, if the campaign has a bypass and the key was made; looking makes no key."""
    is_made = (loaded.path.parent / SECRET_FILE).is_file()
    return bypass_secret(loaded.path) if loaded.campaign.doors.bypass and is_made else None


def _prober(run: _Run) -> Prober:
    return Prober(run.timeout_s, str(run.ca_file) if run.ca_file else None)


@contextmanager
def _progress() -> Iterator[ShowProgress]:
    """A progress bar on standard error, on a terminal only."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def show(title: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(title, total=total)
            return lambda done: bars.advance(task, done)

        yield show
