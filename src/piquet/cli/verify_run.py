# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of `piquet verify`: ask all sites, then keep a baseline or print a report."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from piquet.cli.exit_codes import FINDINGS, OK
from piquet.cli.hosts import as_typed
from piquet.cli.progress import progress_bar
from piquet.controller.journal import keep_command
from piquet.errors import FleetError
from piquet.fleet.workdir import Workdir
from piquet.report.inspection import Report, inspection_json, inspection_text
from piquet.verify.baseline import Baseline, after_surveys, merge, read_baseline, with_missing, write_baseline
from piquet.verify.certificate import Certificate, certificate_json, certificate_text, make_certificate
from piquet.verify.expectations import Expectations
from piquet.verify.observation import Target, Unreachable
from piquet.verify.outside.inspection import Inspection, inspect, lacking, take_baseline
from piquet.verify.outside.names import Resolver, look_up
from piquet.verify.outside.probe import Prober, source_addresses
from piquet.verify.public import PublicDoors, public_doors, public_names


@dataclass(frozen=True)
class VerifyRun:
    """Everything one call of the command works on."""

    expectations: Expectations
    targets: tuple[Target, ...]
    unreachable: tuple[Unreachable, ...]
    surveyed_at: Mapping[str, float]
    file: Path
    work: Workdir
    concurrency: int
    timeout_s: float
    ca_file: Path | None
    max_shown: int | None
    public: PublicDoors | None = None

    @property
    def all_unreachable(self) -> tuple[Unreachable, ...]:
        """What is not asked, by DNS too."""
        return (*self.unreachable, *(self.public.not_asked if self.public else ()))


def public_of(
    targets: Sequence[Target],
    resolved: Mapping[str, Collection[str]],
    resolver: Resolver | None,
    timeout_s: float,
) -> PublicDoors:
    """Look up the names of the sites that take part, and compare with their hosts' own doors."""
    lookups = asyncio.run(look_up(public_names(targets), resolver, timeout_s))
    ways = source_addresses(address for found in lookups.values() for address in found.addresses)
    return public_doors(targets, lookups, resolved, ways)


def keep_baseline(run: VerifyRun, is_json: bool) -> int:
    """Take what is missing of a baseline since the last survey, and replace nothing.

    What was taken before the first reload of ours stays, whatever that reload brought, also where the host was surveyed
    again with our lines in it. In a window nothing is taken:
    whoever hooks again there must not be refused because of it.
    """
    earlier = _baseline(run.file, must_exist=False)
    if earlier and run.expectations.is_in_window(time.time()):
        _tell(run, is_json, earlier, (), f"a window is open, so the baseline in {run.file} stays as it is")
        return OK
    kept = after_surveys(earlier, run.surveyed_at) if earlier else None
    if kept is None:
        return take_and_keep(run, is_json)
    if asked := lacking(run.targets, run.expectations, kept):
        return take_and_keep(replace(run, targets=asked), is_json, kept)
    at = datetime.fromtimestamp(min(kept.taken_at.values()), UTC)
    said = (
        f"baseline of {len(kept.prints)} answers of {at:%Y-%m-%d %H:%M:%S} UTC stays as it is in {run.file}"
    )
    _tell(run, is_json, kept, (), said)
    return OK


def take_and_keep(run: VerifyRun, is_json: bool, kept: Baseline | None = None) -> int:
    """Take a baseline and keep it, beside what an earlier one holds of other hosts.

    Args:
        run: whom to ask what.
        is_json: the form of what is printed.
        kept: what is not replaced.
    """

    async def ask() -> tuple[Baseline, tuple[Target, ...]]:
        async with _prober(run) as prober:
            with progress_bar() as progress:
                return await take_baseline(prober, run.targets, run.expectations, run.concurrency, progress)

    taken, silent = asyncio.run(ask())
    earlier = _baseline(run.file, must_exist=False)
    merged = merge(earlier, taken) if earlier else taken
    whole = with_missing(kept, merged) if kept else merged
    run.work.write(f"baselines/{run.file.name}", write_baseline(whole).encode())
    _tell(run, is_json, taken, silent, f"baseline of {len(taken.prints)} answers kept in {run.file}")
    return FINDINGS if silent else OK


def _tell(run: VerifyRun, is_json: bool, taken: Baseline, silent: tuple[Target, ...], said: str) -> None:
    changing = sum(bool(one.volatile) for one in taken.prints.values())
    if is_json:
        figures = {
            "prints": len(taken.prints),
            "changing": changing,
            "unreachable": [t.label for t in silent],
            "not_asked": [one.label for one in run.all_unreachable],
        }
        click.echo(json.dumps({"piquet_baseline_taken": 1, "file": str(run.file), **figures}))
        return
    click.echo(said)
    if changing:
        click.echo(f"{changing} of them change by themselves and will be compared in their stable parts only")
    for target in silent:
        click.echo(f"unreachable, so without a baseline: {target.label}")
    for one in run.all_unreachable:
        click.echo(f"not asked, so without a baseline: {one.label}")


def look_at_fleet(run: VerifyRun, choice: str | None, is_json: bool) -> int:
    """Inspect the fleet and print the report."""
    baseline = None if choice == "ignore" else _baseline(run.file, must_exist=choice == "compare")

    async def ask() -> Inspection:
        async with _prober(run) as prober:
            with progress_bar() as progress:
                aliases = run.public.aliases if run.public else None
                return await inspect(
                    prober, run.targets, run.expectations, baseline, run.concurrency, progress, aliases
                )

    at = datetime.now(UTC)
    seen = asyncio.run(ask())
    certificate = _certificate(run, seen, baseline, at)
    campaign, moment = run.expectations.campaign, run.expectations.moment
    report = Report(
        campaign,
        at,
        moment,
        run.targets,
        run.unreachable,
        seen,
        certificate,
        baseline is not None,
        run.public,
    )
    click.echo(
        json.dumps(inspection_json(report), indent=1)
        if is_json
        else as_typed(inspection_text(report, run.max_shown))
    )
    _note(run, report)
    kept = _write_certificate(run, certificate) if certificate else None
    if kept and not is_json:
        click.echo(f"\nthe certificate is kept in {kept}")
    return OK if report.is_ok else FINDINGS


def _write_certificate(run: VerifyRun, certificate: Certificate) -> Path:
    """Write the certificate whole, for whoever asks afterwards, and for `report`; the file for people."""
    work, name = Workdir(run.file.parents[1]), f"{certificate.campaign}-{certificate.at:%Y-%m-%dT%H%M%SZ}"
    document = json.dumps(certificate_json(certificate), sort_keys=True)
    work.write(f"certificates/{name}.json", f"{document}\n".encode())
    return work.write(f"certificates/{name}.txt", f"{certificate_text(certificate, None)}\n".encode())


def _note(run: VerifyRun, report: Report) -> None:
    """A line in our journal: what was asked and what was found, in figures."""
    found = Counter(finding.severity for finding in report.inspection.findings)
    parts = inspection_json(report)["parts"]
    keep_command(
        Workdir(run.file.parents[1]),
        "verify",
        report.at.timestamp(),
        campaign=report.campaign.name,
        moment=report.moment,
        parts=parts,
        errors=found["error"],
        warnings=found["warning"],
        not_asked=len(report.unreachable),
    )


def _certificate(
    run: VerifyRun, seen: Inspection, baseline: Baseline | None, at: datetime
) -> Certificate | None:
    """The return certificate, once the last phase is over or the caller says that it is."""
    is_over = all(phase.end_at <= at for phase in run.expectations.campaign.phases)
    moment = run.expectations.moment
    if baseline is None or not (moment == "after" or (moment == "now" and is_over)):
        return None
    taken_at = datetime.fromtimestamp(baseline.last_at, UTC)
    hosts = {target.host for target in run.targets}
    not_asked, over_http3 = run.all_unreachable, len(seen.over_http3)
    return make_certificate(baseline, seen.returned, at, taken_at, not_asked, hosts, over_http3)


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


def _prober(run: VerifyRun) -> Prober:
    return Prober(run.timeout_s, str(run.ca_file) if run.ca_file else None)
