# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of exit codes, so that a script can tell whose turn it is; the same for both engines.

| code | whose turn | what it means |
|---|---|---|
| 0 | nobody's | all is well, and on every host that was meant |
| 1 | the reader's | it ran, and what it found is not as it should be |
| 2 | the caller's | the command line is wrong |
| 3 | the campaign's author | the campaign file, its pages or its consent list cannot be used |
| 4 | the keeper of the inventory | the inventory, a variable in it or a survey cannot be used |
| 5 | whoever decides | the plan is unsafe, or is not the one that was reviewed or signed |
| 6 | the author of pages and templates | a host's files cannot be made |
| 7 | a host's administrator | on a host it failed, was undone or not begun; the output names each one |
| 8 | whoever can reach them | hosts could not be reached; all others are done |
| 70 | ours, or the machine's | it could not run, or the engine ended before its time |
| 130 | nobody's | interrupted; what is where was said |
"""

from __future__ import annotations

from piquet.errors import (
    BundleError,
    CampaignError,
    EngineError,
    FleetError,
    HostError,
    MandateError,
    PiquetError,
    PlanError,
)

OK = 0
FINDINGS = 1
USAGE = 2
CAMPAIGN = 3
FLEET = 4
PLAN = 5
BUNDLE = 6
HOST = 7
UNREACHABLE = 8
INTERNAL = 70
INTERRUPTED = 130

_BY_ERROR: tuple[tuple[type[PiquetError], int], ...] = (
    (CampaignError, CAMPAIGN),
    (FleetError, FLEET),
    (PlanError, PLAN),
    (MandateError, PLAN),
    (BundleError, BUNDLE),
    (HostError, HOST),
    (EngineError, INTERNAL),
)
_BY_KIND = {
    "campaign": CAMPAIGN,
    "fleet": FLEET,
    "plan": PLAN,
    "mandate": PLAN,
    "bundle": BUNDLE,
    "host": HOST,
}


def code_of(error: PiquetError) -> int:
    """The exit code for an error of ours."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FINDINGS)


def of_kind(kind: str) -> int:
    """The exit code for the kind of error that a result tells of (`piquet.errors.kind_of`)."""
    return _BY_KIND.get(kind, FINDINGS)


def exit_code_table() -> str:
    """The table above, as Markdown."""
    return "\n".join(line for line in str(__doc__).splitlines() if line.startswith("|"))


def rows() -> tuple[tuple[str, str], ...]:
    """Each code and its meaning, for `--help`."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in exit_code_table().splitlines()[2:]
    ]
    return tuple((code, meaning) for code, _, meaning in cells)
