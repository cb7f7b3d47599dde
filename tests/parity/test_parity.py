# SPDX-License-Identifier: GPL-3.0-or-later
"""Whichever road is taken, hosts end up the same, and people are told the same."""

from __future__ import annotations

from pathlib import Path

from tests.parity import state
from tests.parity.compare import Comparison
from tests.parity.road import SITES

SITE = SITES[0]


def test_every_verb_by_every_road(compared: Comparison, campaign: Path) -> None:
    """Survey to remove, each looked at first, done, and done again: same words, flags, files, journal, answers."""
    file = str(campaign)
    compared.verb("survey", changed=False)
    compared.words("survey")
    for verb, *more in (("hook",), ("stage", file, "--no-baseline"), ("arm", file)):
        if verb == "arm":
            _rehearse(compared)
        compared.shown(verb, *more)
        compared.verb(verb, *more)
        compared.hosts(f"after {verb}")
        compared.verb(verb, *more, changed=False)
    compared.verb("status", changed=False)
    _stop(compared)
    compared.words("status")
    compared.verb("stage", file, "--no-baseline", changed=False)
    for verb in ("rollback", "unhook", "remove"):
        compared.shown(verb)
        compared.verb(verb)
        compared.hosts(f"after {verb}")
        compared.verb(verb, changed=False)
    compared.verb("status", changed=False)


def _stop(compared: Comparison) -> None:
    """One site ends for good on the hosts that show it; a name that nobody has is a failure on every road."""
    compared.shown("stop", SITE)
    compared.verb("stop", SITE)
    compared.hosts("after a stop of one site")
    compared.verb("stop", SITE, changed=False)
    compared.verb("stop", "nowhere.example", changed=False, code=7)
    compared.words("stop", "nowhere.example")


def _rehearse(compared: Comparison) -> None:
    """Each host has a secret of its own, which is all that differs; who does not know it gets what they got before."""
    usual = {road.name: state.answers(road) for road in compared.roads}
    compared.verb("rehearse", "--check", "--diff", changed=True)
    compared.words("rehearse", "--check")
    compared.hosts("after a rehearsal that was looked at")
    done = compared.verb("rehearse", changed=True)
    told = [host["rehearsal"]["path"] for run in done.values() for host in run.document["hosts"].values()]
    assert len(set(told)) == len(told)
    compared.hosts("while rehearsed")
    assert usual == {road.name: state.answers(road) for road in compared.roads}
    compared.words("rehearse", "--phase", "1")
    compared.verb("rehearse", "--phase", "99", code=7)
    compared.verb("status", changed=False)
    for changed in (True, False):
        compared.verb("rehearse", "--end", changed=changed)
    compared.hosts("after a rehearsal")
