# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage was tried over the mistake, in check mode and for real."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from testinfra.host import Host

from extensions.molecule.conftest import LEFT_OUT, SCENARIO, SITES, Answer

PLACES = {
    "nginx": r"/etc/nginx/conf\.d/mistake\.conf:2",
    "apache": r"line 2 of /etc/apache2/sites-enabled/mistake\.conf",
}


@pytest.mark.parametrize("run", ["dry", "real"])
def test_it_says_where_the_mistake_is(host: Host, run: str) -> None:
    """File and line of this host's mistake, as its server names them."""
    said = (SCENARIO / f"refused-{run}.txt").read_text("utf-8")
    provider = "nginx" if host.service("nginx").is_running else "apache"
    assert re.search(PLACES[provider], said), said
    assert "[configuration-broken]" in said and "NOT done" in said, said


def test_the_host_is_exactly_as_it_was(files: dict[str, str], kept: Callable[[str], Path]) -> None:
    """Every file, the mistake included."""
    assert json.loads(kept("broken").read_text("utf-8")) == files


def test_nothing_is_staged(host: Host) -> None:
    """No bundle, no agent, no schedule."""
    assert not host.file("/etc/piquet/manifest.json").exists
    assert not host.file("/usr/local/sbin/piquet-host").exists
    assert host.check_output("find /etc/systemd/system /etc/cron.d -name 'piquet*'") == ""


@pytest.mark.parametrize("site", [*SITES, LEFT_OUT])
def test_visitors_see_no_difference(visit: Callable[[str], Answer], site: str) -> None:
    """The servers go on with the configuration that they had."""
    answer = visit(site)
    assert (answer.status, answer.body) == (200, f"the usual page of {site}\n") and not answer.is_ours
