# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollback: back to normal now. Needs no network, no lock, no working configuration and no free disk space."""

from __future__ import annotations

from piquet.host import stop_now, takedown
from piquet.host.machine import Machine
from piquet.host.outcome import Outcome, Request
from piquet.host.state import rehearsal_tokens
from piquet.protocol.findings import errors


def run(machine: Machine, request: Request) -> Outcome:
    """Stop everything, and say what the servers answer now."""
    if request.is_check:
        would = stop_now.is_something_up(machine) or rehearsal_tokens.are_there(machine.paths)
        return Outcome(would, "It would be released." if would else "Nothing is armed.")
    stopped = stop_now.stop_now(machine, request.verb)
    return Outcome(stopped.was_up or stopped.was_rehearsed, _sentence(machine, stopped), stopped.findings)


def _sentence(machine: Machine, stopped: stop_now.Stopped) -> str:
    """What was taken away, and what the servers said to it."""
    rehearsal = "; a rehearsal was ended" if stopped.was_rehearsed and not stopped.was_up else ""
    done = "Released" if stopped.was_up else f"Nothing was armed{rehearsal}"
    if errors(stopped.findings):
        return f"{done}: not everything could be taken away."
    asked = [finding for finding in stopped.findings if finding.code in takedown.OF_THE_LOOK]
    return f"{done}: {takedown.flags_and_sites(machine, asked)}."
