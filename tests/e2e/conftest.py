# SPDX-License-Identifier: GPL-3.0-or-later
"""When a test on booted hosts fails, its report ends with what the hosts wrote in their journals."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from testbed import Fleet


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last lines of every running host's journal."""
    report = yield
    fleet = getattr(item, "funcargs", {}).get("fleet")
    if report.failed and isinstance(fleet, Fleet):
        for host in fleet:
            if host.is_on:
                report.sections.append((f"journal of {host.name}", host.journal(lines=40)))
    return report
