# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants in this host's sentences: in the campaign's own zone where this machine knows it, else in UTC."""

from __future__ import annotations

from datetime import datetime, timezone

from piquet.host.machine import Machine
from piquet.host.state import manifest
from piquet.protocol.spoken import spoken_instant


def spoken(machine: Machine, at: float) -> str:
    """An instant, epoch seconds, with weekday, date, local time, its zone and UTC."""
    staged = manifest.staged(machine.paths)
    zone = str(staged.document.get("timezone") or "UTC") if staged else "UTC"
    instant = datetime.fromtimestamp(at, timezone.utc)
    try:
        return spoken_instant(instant, zone)
    except (ImportError, KeyError, ValueError, OSError, OverflowError):  # an old Python, or no data of zones
        return spoken_instant(instant, "UTC")
