# SPDX-License-Identifier: GPL-3.0-or-later
"""When a test on booted hosts fails, its report ends with what the hosts wrote; an operator who becomes root."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from testbed import Fleet
from tests import drive

_USER = """\
id op >/dev/null 2>&1 || useradd --create-home --shell /bin/sh op
install -d -m 700 -o op ~op/.ssh && install -m 600 -o op ~root/.ssh/authorized_keys ~op/.ssh/authorized_keys
printf 'op ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/op && chmod 440 /etc/sudoers.d/op
"""


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


@pytest.fixture
def operator(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet with a user `op` on every host, gone afterwards."""
    drive.on_all(fleet, lambda host: host.run(_USER))
    yield fleet
    drive.on_all(
        fleet, lambda host: host.run("rm -f /etc/sudoers.d/op; pkill -u op; userdel --remove op", check=False)
    )
