# SPDX-License-Identifier: GPL-3.0-or-later
"""`piquet eve`: check, survey, hook --check and plan in one; with --stage also stage and rehearse.

It ends at the first fault with what to do, else with the times read out and the next command. It is those commands, in
their order, and adds nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from piquet.campaign.spoken import window_lines
from piquet.cli.campaign_file import CAMPAIGN_ARGUMENT, campaign_file
from piquet.cli.check import check_campaign
from piquet.cli.drive import drive_verb
from piquet.cli.exit_codes import FINDINGS, OK, PLAN
from piquet.cli.host_variables import parse_variables
from piquet.cli.hosts import ENGINE, EXTRA, INVENTORY
from piquet.cli.plan import plan_fleet
from piquet.cli.run_summary import RunSummary
from piquet.engines import EngineRequest
from piquet.errors import PiquetError
from piquet.fleet.sites import counted
from piquet.plan import Plan
from piquet.protocol.findings import errors


@dataclass(frozen=True)
class _Evening:
    """What was asked for.

    Attributes:
        named: the campaign as it was given, "" if nobody did.
        extra: what `-e` gave.
    """

    campaign: Path
    named: str
    inventory: str
    engine: str
    extra: tuple[str, ...]
    variables: Mapping[str, Any]

    @property
    def given(self) -> str:
        """The options that every further command needs too."""
        engine = ["--engine", self.engine] if self.engine != "ansible" else []
        return shlex.join(
            ["-i", self.inventory, *engine, *(part for pair in self.extra for part in ("-e", pair))]
        )

    @property
    def about(self) -> str:
        """The same, behind the campaign if it was named."""
        return f"{shlex.quote(self.named)} {self.given}" if self.named else self.given

    def drive(self, verb: str, *, check: bool = False, of_campaign: bool = False) -> tuple[int, RunSummary]:
        """One verb on all hosts: its exit code, and what was heard."""
        about = {"piquet_campaign": str(self.campaign.absolute())} if of_campaign else {}
        summary = RunSummary(verb, check)
        request = EngineRequest(self.inventory, None, {**self.variables, **about}, check)
        return drive_verb(verb, self.engine, request, is_json=False, summary=summary), summary


@click.command("eve")
@CAMPAIGN_ARGUMENT
@INVENTORY
@ENGINE
@EXTRA
@click.option(
    "--stage", "wants_stage", is_flag=True, help="Then stage and rehearse; nothing visible changes."
)
def command(
    campaign: Path | None, inventory: str, engine: str, extra: tuple[str, ...], wants_stage: bool
) -> int:
    """Check, survey, look at the hooks and plan, in one; stop at the first fault.

    CAMPAIGN is campaign/campaign.yml beside the inventory by default. Nothing is changed on any host, but for --stage.
    """
    evening = _Evening(
        campaign_file(campaign, inventory),
        str(campaign or ""),
        inventory,
        engine,
        extra,
        parse_variables("survey", extra),
    )
    code, plan = _look(evening, 6 if wants_stage else 4)
    if plan is None:
        return code
    if wants_stage:
        code = _stage(evening)
        if code != OK:
            return code
    _read_out(evening, plan, wants_stage)
    return OK


def _look(evening: _Evening, steps: int) -> tuple[int, Plan | None]:
    """Everything that changes nothing: the plan with all that was found, or the exit code of the step that failed."""
    try:
        _step("check", 1, steps)
        found = check_campaign(evening.campaign)
        if errors(found):
            return _tell_next_step("check", "mend the campaign", evening, PLAN), None
        _step("survey", 2, steps)
        code, summary = evening.drive("survey")
        if code != OK:
            return _tell_next_step("survey", _to_mend(summary), evening, code), None
        _step("hook --check", 3, steps)
        code, summary = evening.drive("hook", check=True)
        if code != OK:
            return _tell_next_step("hook --check", "what is said above comes first", evening, code), None
        if missing := [row.host for row in summary.rows() if row.word == "changed"]:
            todo = f"hook lines are missing on {', '.join(missing)}: piquet hook {evening.given}"
            return _tell_next_step("hook --check", todo, evening, FINDINGS), None
        _step("plan", 4, steps)
        plan = plan_fleet(evening.campaign, evening.inventory, None, None, show_windows=False)
        return OK, replace(plan, findings=tuple({*plan.findings, *found}))
    except PiquetError:
        _tell_next_step("this step", "the error below says what is wrong", evening, FINDINGS)
        raise


def _to_mend(survey: RunSummary) -> str:
    """Whose turn it is after a survey that failed."""
    away = [row.host for row in survey.rows() if row.word == "unreachable"]
    others = [row.host for row in survey.rows() if row.word == "failed"]
    turns = [f"no login on {', '.join(away)}: check address, user and key in the inventory"] if away else []
    turns += [f"what is said above of {', '.join(others)} is its owner's to mend"] if others else []
    return "; ".join(turns) or "what is said above comes first"


def _stage(evening: _Evening) -> int:
    """Stage and rehearse; the exit code of what failed."""
    for number, verb in ((5, "stage"), (6, "rehearse")):
        _step(verb, number, 6)
        code, _ = evening.drive(verb, of_campaign=verb == "stage")
        if code != OK:
            return _tell_next_step(verb, "put right what is said above", evening, code)
    return OK


def _step(name: str, number: int, steps: int) -> None:
    click.echo(f"\n── {number} of {steps}: {name} ──\n", err=True)


def _tell_next_step(step: str, todo: str, evening: _Evening, code: int) -> int:
    """Say what to do next, last of all, where the eye is."""
    click.echo(f"\nstopped at {step}: {todo};\nthen again: piquet eve {evening.about}\n", err=True)
    return code


def _read_out(evening: _Evening, plan: Plan, is_staged: bool) -> None:
    """What was found, the times, and the next command."""
    warnings = sum(1 for finding in plan.findings if finding.severity == "warning")
    found = f"{counted(warnings, 'warning')}, read above" if warnings else "no warning"
    state = "staged and rehearsed; nothing visible has changed" if is_staged else "ready; no host was changed"
    lines = [f"\n{plan.campaign.name}: {state}; {found}", *window_lines(plan.campaign, datetime.now(UTC))]
    following = "arm" if is_staged else "stage"
    lines += [
        "",
        f"next: piquet {following} {evening.about}",
        f"to end it at any time: piquet rollback {evening.given}",
    ]
    click.echo("\n".join(lines))
