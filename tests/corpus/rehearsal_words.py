# SPDX-License-Identifier: GPL-3.0-or-later
"""The word of a rehearsal, as the agent issues it."""

from __future__ import annotations

from piquet.host.state import rehearsal_tokens
from piquet.host.system.paths import Paths

from .servers import Server


def issue(server: Server, at_ms: int) -> str:
    """What `piquet-host rehearse` makes; its name."""
    server.chroot.path("/run/piquet").mkdir(exist_ok=True)
    return rehearsal_tokens.issue(Paths(str(server.chroot.root)), 1, at_ms / 1000).name
