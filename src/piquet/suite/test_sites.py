# SPDX-License-Identifier: GPL-3.0-or-later
"""Every site of every host, asked on the host itself, answers what it should at this moment."""

from __future__ import annotations

import pytest

from piquet.errors import HostError
from piquet.findings import as_text
from piquet.fleet.surveyed_server import kind_named
from piquet.servers.registry import SERVERS
from piquet.verify.inside.judge_host import log_text
from piquet.verify.inside.judge_sites import site_findings
from piquet.verify.inside.session import Picket


def test_site(piquet: Picket, piquet_site: tuple[str, str], request: pytest.FixtureRequest) -> None:
    """Selected: the strike inside its window, as usual outside; not selected: always as usual."""
    host, site = piquet_site
    request.node.user_properties += [("host", host), ("site", site)]
    try:
        case = piquet.case(host)
    except HostError:
        pytest.fail(
            f"{site} could not be asked: {host} cannot be looked at, see test_state of {host}", pytrace=False
        )
    if found := site_findings(case.look, site, piquet.expectations(host)):
        logs = log_text(
            case.look, [path for name in case.servers for path in kind_named(SERVERS, name).error_logs]
        )
        pytest.fail("\n\n".join(part for part in (*map(as_text, found), logs) if part), pytrace=False)
