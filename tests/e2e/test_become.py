# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator who logs in under their own name and becomes root, as most do."""

from __future__ import annotations

from testbed import Fleet
from tests import drive


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
