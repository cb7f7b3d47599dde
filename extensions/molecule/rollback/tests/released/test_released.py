# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolled back, inside the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

from extensions.molecule.conftest import LEFT_OUT, SITES, Answer, Step


def test_the_first_run_changed_and_the_next_ones_did_not(steps: list[Step]) -> None:
    """Converge, idempotence, check mode: only the first one changed something, on every host."""
    first, again, dry = steps[-3:]
    assert [first.is_check, again.is_check, dry.is_check] == [False, False, True]
    assert first.changed and all(first.changed.values())
    assert set(again.changed.values()) == set(dry.changed.values()) == {0}


@pytest.mark.parametrize("site", [*SITES, LEFT_OUT])
def test_every_site_is_as_usual(visit: Callable[[str], Answer], site: str) -> None:
    """The owner's page, without a header of ours."""
    answer = visit(site)
    assert (answer.status, answer.body) == (200, f"the usual page of {site}\n") and not answer.is_ours


@pytest.mark.parametrize(
    "attempt", ["/usr/local/sbin/piquet-host reconcile", "/usr/local/sbin/piquet-host reconcile --boot"]
)
def test_nothing_brings_it_back(
    host: Host, visit: Callable[[str], Answer], status: Callable[[], dict[str, Any]], attempt: str
) -> None:
    """What timers, cron and a boot run, taken by hand, finds a stop and leaves it."""
    host.check_output(attempt)
    now = status()
    assert (now["state"], now["live"]) == ("stopped", False)
    assert [visit(site).status for site in SITES] == [200] * len(SITES)
