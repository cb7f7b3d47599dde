# SPDX-License-Identifier: GPL-3.0-or-later
"""Every host is in what it should be at this moment: state, files, flags, schedule, servers."""

from __future__ import annotations

import pytest

from piquet.findings import as_text
from piquet.fleet.surveyed_server import kind_named
from piquet.servers.registry import SERVERS
from piquet.verify.inside import judge_host
from piquet.verify.inside.judge_host import Case
from piquet.verify.inside.judge_sites import unknown_name_findings
from piquet.verify.inside.session import Picket

testinfra_hosts = ["ansible://all"]
"""Where nothing is said with `--hosts`: all of the inventory."""


def test_state(piquet_host: Case) -> None:
    """Absent, staged, armed, stopped or ended, as this moment asks for."""
    _fail_with(piquet_host, "state")


def test_campaign(piquet_host: Case) -> None:
    """The windows and sites on the host are those of the campaign file."""
    _fail_with(piquet_host, "same_campaign")


def test_staged_files(piquet_host: Case) -> None:
    """Every file that was staged is as it was staged."""
    _fail_with(piquet_host, "staged_files")


def test_flags(piquet_host: Case) -> None:
    """While the host is armed every selected site has its flag; else there is none."""
    _fail_with(piquet_host, "flags")


def test_schedule(piquet_host: Case) -> None:
    """A timer, or cron, looks at the clock."""
    _fail_with(piquet_host, "schedule")


def test_servers(piquet_host: Case) -> None:
    """The web servers run, and their configuration passes its own test."""
    _fail_with(piquet_host, "servers")


def test_owners_files(piquet_host: Case) -> None:
    """The owner's files hold what was surveyed, and our one line where it should be, and nowhere else."""
    _fail_with(piquet_host, "owners_files")


def test_nothing_is_left(piquet_host: Case) -> None:
    """Where we are gone, we are gone wholly."""
    _fail_with(piquet_host, "nothing_left")


def test_unknown_names(piquet: Picket, piquet_host: Case) -> None:
    """The strike answers for no name that nobody serves."""
    look = piquet_host.look
    if found := unknown_name_findings(look, piquet.expectations(look.host)):
        pytest.fail("\n\n".join(map(as_text, found)), pytrace=False)


def _fail_with(case: Case, question: str) -> None:
    """Fail with everything that is wrong, and with the end of the servers' error logs."""
    found = list(judge_host.QUESTIONS[question](case))
    if not found:
        return
    shown = [as_text(finding) for finding in found[: judge_host.MAX_NAMED]]
    if len(found) > len(shown):
        shown.append(f"… and {len(found) - len(shown)} more of this kind")
    if question == "servers":
        shown.append(
            judge_host.log_text(
                case.look, [path for name in case.servers for path in kind_named(SERVERS, name).error_logs]
            )
        )
    pytest.fail("\n\n".join(part for part in shown if part), pytrace=False)
