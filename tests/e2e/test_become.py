# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator who logs in under their own name and becomes root, as most do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed import Fleet
from tests import drive

_USER = """\
id op >/dev/null 2>&1 || useradd --create-home --shell /bin/sh op
install -d -m 700 -o op ~op/.ssh && install -m 600 -o op ~root/.ssh/authorized_keys ~op/.ssh/authorized_keys
printf 'op ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/op && chmod 440 /etc/sudoers.d/op
"""


@pytest.fixture
def operator(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet with a user `op` on every host, gone afterwards."""
    drive.on_all(fleet, lambda host: host.run(_USER))
    yield fleet
    drive.on_all(
        fleet, lambda host: host.run("rm -f /etc/sudoers.d/op; pkill -u op; userdel --remove op", check=False)
    )


def test_verbs_with_sudo(operator: Fleet) -> None:
    """Survey and status through sudo, still one command each, nothing copied to the host."""
    for verb in ("survey", "status"):
        done = drive.play(operator, verb, "-v", ansible_user="op", piquet_become=True)
        assert "unreachable=0    failed=0" in done.stdout
        assert "copied" not in done.stdout
    left = drive.on_all(
        operator, lambda host: host.run("ls -A /tmp ~op | grep -i piquet", check=False).stdout
    )
    assert dict.fromkeys(left, "") == left
