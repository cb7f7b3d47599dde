# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a moment, also in a process whose clock is faked: the `sleep` of newer Pythons fails there with EINVAL.

By the monotonic clock. Source: Python 3.11, `time.sleep` (clock_nanosleep with an absolute time); select(2).
"""

from __future__ import annotations

import select


def pause(seconds: float) -> None:
    """Wait for so many seconds; not at all for none, or fewer."""
    select.select((), (), (), max(0.0, seconds))
