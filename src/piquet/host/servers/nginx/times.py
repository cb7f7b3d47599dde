# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations as nginx reads them, in milliseconds.

Source: nginx documentation, "Configuration file measurement units"; ngx_parse_time.
"""

from __future__ import annotations

import re
from typing import Optional

_PART = re.compile(r"(\d+)(ms|[yMwdhms]?) *")
_MS = {
    "ms": 1,
    "": 1000,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "M": 30 * 86_400_000,
    "y": 365 * 86_400_000,
}


def milliseconds(text: str) -> Optional[int]:
    """How long `1m30s`, `100ms` or `1` (a second) is; None for what is no duration."""
    parts = _PART.findall(text)
    if not parts or "".join(_PART.split(text)[::3]):
        return None
    return sum(int(number) * _MS[unit] for number, unit in parts)
