# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: a window `[start, end)` of UTC epoch seconds as a regular expression over decimal digits.

It is compiled into the server's own configuration, so that a picket ends by itself: no job, no reload,
no network and nobody awake is needed. Pure arithmetic.
"""

from __future__ import annotations

from datetime import datetime

from piquet.protocol.lease import number_pattern


def window_pattern(start_at: datetime, end_at: datetime) -> str:
    """Alternation that matches the digits of every second in `[start_at, end_at)`, and no other number.

    Args:
        start_at: first second inside, timezone-aware.
        end_at: first second outside, timezone-aware.

    Raises:
        ValueError: the window is empty, or an instant has no time zone or a fraction of a second.
    """
    return number_pattern(_epoch(start_at), _epoch(end_at) - 1)


def _epoch(instant: datetime) -> int:
    if instant.tzinfo is None or instant.microsecond:
        raise ValueError(f"not a whole second with a time zone: {instant!r}")
    return int(instant.timestamp())
