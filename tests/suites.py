# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Debian releases the tests' hosts run; `python -m tests.suites` names them, for their images to be made."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.image import SUITES, own_suite

_MIXED: Mapping[str, str] = {"nginx2": "bullseye", "apache1": "trixie"}


def mixed_fleet() -> Mapping[str, str]:
    """Hosts of the session's fleet that run another release than this machine; none where its mirror has no Debian."""
    return _MIXED if own_suite() in SUITES else {}


if __name__ == "__main__":
    print(*sorted({*mixed_fleet().values()}))
