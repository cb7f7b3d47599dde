# SPDX-License-Identifier: GPL-3.0-or-later
"""Armed, hours before the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

from extensions.molecule.conftest import LEFT_OUT, SITES, Answer, Step

STATE = {
    "/etc/piquet/manifest.json": 0o600,
    "/etc/piquet/plan.json": 0o600,
    "/var/lib/piquet/armed.json": 0o600,
    "/var/spool/piquet": 0o700,
    "/var/spool/piquet/armed": 0o600,
    "/usr/local/sbin/piquet-host": 0o755,
}


def test_the_first_run_changed_and_the_next_ones_did_not(steps: list[Step]) -> None:
    """Converge, idempotence, check mode: only the first one changed something, on every host."""
    converge, again, dry = steps[-3:]
    assert [converge.is_check, again.is_check, dry.is_check] == [False, False, True]
    assert all(converge.changed.values()) and converge.changed
    assert set(again.changed.values()) == set(dry.changed.values()) == {0}


def test_every_host_is_armed_and_every_selected_site_flagged(status: Callable[[], dict[str, Any]]) -> None:
    """The agent's own word, as a program reads it."""
    now = status()
    assert (now["state"], now["campaign"], now["live"]) == ("armed", "molecule", True)
    assert [(e["flag"], e["stopped"]) for e in now["entries"]] == [(True, False)] * len(SITES)
    assert now["phases"][0]["start"] > now["now"] and now["timer"]["active"]


@pytest.mark.parametrize("site", [*SITES, LEFT_OUT])
def test_visitors_see_nothing(visit: Callable[[str], Answer], site: str) -> None:
    """Before the start every site answers as usual, without a header of ours."""
    answer = visit(site)
    assert (answer.status, answer.body) == (200, f"the usual page of {site}\n")
    assert [name for name in answer.headers if "piquet" in name] == []


def test_who_may_read_what(host: Host) -> None:
    """The state is root's alone; everything of ours belongs to root, and nobody else writes to it."""
    assert {path: host.file(path).mode for path in STATE} == STATE
    ours = "find /etc/piquet /var/lib/piquet /var/spool/piquet /run/piquet /usr/local/sbin/piquet-host"
    assert (
        host.check_output(f"{ours} -not -type l \\( -not -user root -o -not -group root -o -perm /022 \\)")
        == ""
    )
